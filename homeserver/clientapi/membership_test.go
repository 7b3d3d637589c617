package clientapi

import (
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// trio is three users and a room of alice's in which bob is, and carol is not.
type trio struct {
	*testServer
	alice, bob, carol *wire.Client
	room              matrix.RoomID
}

// newTrio makes the room from the body of createRoom, "" for a public one.
func newTrio(t testing.TB, body string) *trio {
	t.Helper()
	ts := newServer(t)
	c := &trio{testServer: ts, alice: ts.register("alice"), bob: ts.register("bob"), carol: ts.register("carol")}
	if body == "" {
		body = `{"preset":"public_chat"}`
	}
	c.room = ts.createRoom(c.alice, body)
	if stringField(t, ts.state(c.alice, c.room, "m.room.join_rules", ""), "join_rule") != "public" {
		must(t, c.alice.Invite(t.Context(), c.room, c.bob.User))
	}
	if _, err := c.bob.Join(t.Context(), string(c.room)); err != nil {
		t.Fatal(err)
	}
	return c
}

// post calls an endpoint of the room.
func (c *trio) post(who *wire.Client, verb, body string, status int, code string) string {
	c.t.Helper()
	return c.want(who, "POST", wire.RoomPath(c.room, verb), body, status, code)
}

// wantMember fails the test unless a user's member event, as alice sees it, has this content; "" for none.
func (c *trio) wantMember(user matrix.UserID, want string) {
	c.t.Helper()
	if got := c.state(c.alice, c.room, "m.room.member", string(user)); got != want {
		c.t.Errorf("%s is %s, want %s", user, got, want)
	}
}

// What the endpoints share: bodies, rooms and users that cannot be.
func TestMembershipBodies(t *testing.T) {
	c := newTrio(t, "")
	for _, verb := range []string{"invite", "kick", "ban", "unban"} {
		for body, code := range map[string]string{
			``:                     matrix.MNotJSON,
			`{"user_id"`:           matrix.MNotJSON,
			`[]`:                   matrix.MBadJSON,
			`{}`:                   matrix.MMissingParam,
			`{"user_id":7}`:        matrix.MBadJSON,
			`{"user_id":"carol"}`:  matrix.MInvalidParam,
			`{"user_id":"@carol"}`: matrix.MInvalidParam,
			`{"user_id":"@carol:here.example","reason":{}}`:                   matrix.MBadJSON,
			`{"user_id":"@carol:here.example","user_id":"@bob:here.example"}`: matrix.MBadJSON,
		} {
			c.post(c.alice, verb, body, 400, code)
		}
		body := `{"user_id":"@carol:here.example"}`
		c.want(c.alice, "POST", v3+"/rooms/nonsense/"+verb, body, 400, matrix.MInvalidParam)
		c.want(c.alice, "POST", v3+"/rooms/!unknown:here.example/"+verb, body, 403, matrix.MForbidden)
		c.post(c.carol, verb, body, 403, matrix.MForbidden)
	}
	c.wantMember(c.carol.User, "")
	for _, verb := range []string{"join", "leave"} {
		c.post(c.carol, verb, `[]`, 400, matrix.MBadJSON)
		c.post(c.carol, verb, `{"reason":7}`, 400, matrix.MBadJSON)
		c.want(c.carol, "POST", v3+"/rooms/nonsense/"+verb, `{}`, 400, matrix.MInvalidParam)
	}
}
