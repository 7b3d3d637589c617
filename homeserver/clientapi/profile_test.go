package clientapi

import (
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func TestProfile(t *testing.T) {
	ts := newServer(t)
	alice, stranger := ts.register("alice"), ts.anonymous()
	path := v3 + "/profile/@alice:here.example"
	ts.want(stranger, "GET", path, "", 404, matrix.MNotFound)
	ts.want(stranger, "GET", path+"/displayname", "", 404, matrix.MNotFound)
	must(t, alice.SetProfileField(t.Context(), "displayname", "Alice <3"))
	must(t, alice.SetProfileField(t.Context(), "avatar_url", "mxc://here.example/abc"))
	must(t, alice.SetProfileField(t.Context(), "org.example.job", map[string]any{"title": "Cook"}))
	for p, want := range map[string]string{
		path:                      `{"avatar_url":"mxc://here.example/abc","displayname":"Alice <3","org.example.job":{"title":"Cook"}}`,
		path + "/displayname":     `{"displayname":"Alice <3"}`,
		path + "/org.example.job": `{"org.example.job":{"title":"Cook"}}`,
	} {
		if got := ts.want(stranger, "GET", p, "", 200, ""); got != want {
			t.Errorf("%s answered %s, want %s", p, got, want)
		}
	}
	ts.want(alice, "DELETE", path+"/org.example.job", "", 200, "")
	ts.want(alice, "DELETE", path+"/org.example.job", "", 200, "")
	ts.want(alice, "GET", path+"/org.example.job", "", 404, matrix.MNotFound)
	must(t, alice.SetProfileField(t.Context(), "avatar_url", ""))
	if got := ts.want(stranger, "GET", path, "", 200, ""); got != `{"displayname":"Alice <3"}` {
		t.Errorf("answered %s", got)
	}
}

func TestProfileRefuses(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	ts.register("bob")
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"PUT", "/@bob:here.example/displayname", `{"displayname":"x"}`, 403, matrix.MForbidden},
		{"DELETE", "/@bob:here.example/displayname", ``, 403, matrix.MForbidden},
		{"PUT", "/@alice:here.example/displayname", `{}`, 400, matrix.MMissingParam},
		{"PUT", "/@alice:here.example/displayname", `{"avatar_url":"mxc://a/b"}`, 400, matrix.MMissingParam},
		{"PUT", "/@alice:here.example/displayname", `{"displayname":7}`, 400, matrix.MBadJSON},
		{"PUT", "/@alice:here.example/displayname", `{"displayname":`, 400, matrix.MNotJSON},
		{"PUT", "/@alice:here.example/avatar_url", `{"avatar_url":"http://x"}`, 400, matrix.MInvalidParam},
		{"PUT", "/@alice:here.example/no-namespace", `{"no-namespace":1}`, 400, matrix.MInvalidParam},
		{"DELETE", "/@alice:here.example/no-namespace", ``, 400, matrix.MInvalidParam},
		{"PUT", "/@alice:here.example/a." + strings.Repeat("x", 254), `{}`, 400, matrix.MKeyTooLarge},
		{"PUT", "/@alice:here.example/m.big", `{"m.big":"` + strings.Repeat("x", 64<<10) + `"}`, 400, matrix.MProfileTooLarge},
		{"PUT", "/@alice:here.example/m.big", `{"m.big":"` + strings.Repeat("x", maxBody) + `"}`, 413, matrix.MTooLarge},
		{"GET", "/alice", ``, 400, matrix.MInvalidParam},
		{"GET", "/@nobody:here.example", ``, 404, matrix.MNotFound},
		{"GET", "/@alice:there.example", ``, 404, matrix.MNotFound},
	} {
		ts.want(alice, c.method, v3+"/profile"+c.path, c.body, c.status, c.code)
	}
}

// A new name is seen in the rooms that the user is in.
func TestProfileReachesRooms(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, err := alice.CreateRoom(t.Context(), wire.CreateRoom{Preset: "public_chat"})
	must(t, err)
	_, err = bob.Join(t.Context(), string(room))
	must(t, err)
	must(t, alice.SetProfileField(t.Context(), "displayname", "Alice"))
	must(t, alice.SetProfileField(t.Context(), "avatar_url", "mxc://here.example/abc"))
	var member struct {
		Membership  string `json:"membership"`
		DisplayName string `json:"displayname"`
		AvatarURL   string `json:"avatar_url"`
	}
	must(t, bob.State(t.Context(), room, "m.room.member", string(alice.User), &member))
	if member.Membership != "join" || member.DisplayName != "Alice" || member.AvatarURL != "mxc://here.example/abc" {
		t.Errorf("bob sees %+v", member)
	}
}
