package clientapi

import (
	"testing"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// visible fails the test unless the directory shows the room as visibility says.
func (ts *testServer) visible(room matrix.RoomID, visibility string) {
	ts.t.Helper()
	if got, err := ts.anonymous().Visibility(ts.t.Context(), room); err != nil || got != visibility {
		ts.t.Errorf("the directory says %q of room %s, want %q: %v", got, room, visibility, err)
	}
}

// spec: client-server-api#put_matrixclientv3directorylistroomroomid
func TestVisibility(t *testing.T) {
	c := newTrio(t, `{"visibility":"public"}`)
	c.visible(c.room, "public")
	c.visible(c.createRoom(c.alice, `{"preset":"public_chat"}`), "private")
	c.visible(c.createRoom(c.alice, `{"preset":"public_chat","visibility":"private"}`), "private")
	path := wire.Path(v3+"/directory/list/room", string(c.room))
	for _, visibility := range []string{"private", "private", "public"} {
		must(t, c.alice.SetVisibility(t.Context(), c.room, visibility))
		c.visible(c.room, visibility)
	}
	must(t, c.alice.SetVisibility(t.Context(), c.room, "private"))
	c.want(c.alice, "PUT", path, `{}`, 200, "") // public is the default
	c.visible(c.room, "public")

	// Who may change the main alias may publish, and administrators.
	wantError(t, c.bob.SetVisibility(t.Context(), c.room, "private"), 403, matrix.MForbidden)
	wantError(t, c.carol.SetVisibility(t.Context(), c.room, "private"), 403, matrix.MForbidden)
	c.visible(c.room, "public")
	c.put(c.alice, "m.room.power_levels", "", `{"users":{"@bob:here.example":50}}`, 200, "")
	must(t, c.bob.SetVisibility(t.Context(), c.room, "private"))
	_, err := c.api.Accounts.Create(t.Context(), "admin", password, account.NewUser{Admin: true})
	must(t, err)
	must(t, c.login("admin", "").SetVisibility(t.Context(), c.room, "public"))
	must(t, c.bob.Leave(t.Context(), c.room))
	wantError(t, c.bob.SetVisibility(t.Context(), c.room, "private"), 403, matrix.MForbidden)

	c.want(c.alice, "PUT", path, `{"visibility":"secret"}`, 400, matrix.MBadJSON)
	c.want(c.alice, "PUT", path, `{"visibility":7}`, 400, matrix.MBadJSON)
	c.want(c.alice, "PUT", path, `[]`, 400, matrix.MBadJSON)
	c.want(c.anonymous(), "PUT", path, `{}`, 401, matrix.MMissingToken)
	for _, method := range []string{"GET", "PUT"} {
		c.want(c.alice, method, v3+"/directory/list/room/!unknown:here.example", "", 404, matrix.MNotFound)
		c.want(c.alice, method, v3+"/directory/list/room/nonsense", "", 400, matrix.MInvalidParam)
	}
}
