package clientapi

import (
	"fmt"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// wantPeople searches as a user and compares who is found, in order.
func wantPeople(t testing.TB, c *wire.Client, term string, want ...string) {
	t.Helper()
	users, limited, err := c.SearchUsers(t.Context(), term, 0)
	must(t, err)
	var got []string
	for _, u := range users {
		got = append(got, u.UserID.Localpart())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") || limited {
		t.Errorf("%q finds %q, want %q; limited %v", term, got, want, limited)
	}
}

func displayName(t testing.TB, ts *testServer, c *wire.Client, name string) {
	t.Helper()
	ts.want(c, "PUT", wire.Path(v3+"/profile", string(c.User), "displayname"), fmt.Sprintf(`{"displayname":%q}`, name), 200, "")
}

func TestSearchUsers(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.SearchAllUsers = true })
	alice := ts.register("alice")
	for _, name := range []string{"bob", "bobby", "bob_smith", "carol", "zoe", "smith"} {
		c := ts.register(name)
		if name == "carol" {
			displayName(t, ts, c, "Bób Émile O'Neill")
		}
		if name == "zoe" {
			displayName(t, ts, c, "李小龍 Straße")
		}
	}
	wantPeople(t, alice, "bob", "bob", "carol", "bob_smith", "bobby")
	for term, want := range map[string]string{
		"BOB": "bob carol bob_smith bobby", "smith bo": "bob_smith", "bob_s": "bob_smith", "emile": "carol", "neill bob": "carol", "Bób Émile O'Neill": "carol",
		"@bob": "bob carol bob_smith bobby", "@bob:here": "bob carol bob_smith bobby", "@bob:there": "", "@zoe:here.example": "zoe", "ob": "",
		"小": "zoe", "李小": "zoe", "strasse": "zoe", "alice": "", "": "", " ": "", "!?": "", "zoe nothing": "",
	} {
		wantPeople(t, alice, term, strings.Fields(want)...)
	}
	users, limited, err := alice.SearchUsers(t.Context(), "bob", 2)
	must(t, err)
	if len(users) != 2 || !limited || users[1].DisplayName != "Bób Émile O'Neill" || users[1].UserID != "@carol:here.example" {
		t.Errorf("found %+v, limited %v", users, limited)
	}
	wantPeople(t, ts.login("bob", ""), "alice", "alice")
}

// TestSearchUsersFollowsChanges: new names, users who are ignored, locked and deactivated.
func TestSearchUsersFollowsChanges(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.SearchAllUsers = true })
	alice, bob := ts.register("alice"), ts.register("bob")
	displayName(t, ts, bob, "Old Name")
	wantPeople(t, alice, "old", "bob")
	displayName(t, ts, bob, "New Name")
	wantPeople(t, alice, "old")
	wantPeople(t, alice, "new", "bob")
	ts.want(bob, "DELETE", wire.Path(v3+"/profile", string(bob.User), "displayname"), "", 200, "")
	wantPeople(t, alice, "new")
	wantPeople(t, alice, "bob", "bob")
	must(t, alice.Ignore(t.Context(), bob.User))
	wantPeople(t, alice, "bob")
	must(t, alice.Ignore(t.Context()))
	wantPeople(t, alice, "bob", "bob")
	must(t, ts.api.Accounts.SetLocked(t.Context(), bob.User, true))
	wantPeople(t, alice, "bob")
	must(t, ts.api.Accounts.SetLocked(t.Context(), bob.User, false))
	wantPeople(t, alice, "bob", "bob")
	must(t, ts.api.Accounts.Deactivate(t.Context(), bob.User, false))
	wantPeople(t, alice, "bob")
}

// TestSearchUsersOneMayKnow: where not all users of the server are found, those are who share a room or are in one that
// everybody may join or read.
func TestSearchUsersOneMayKnow(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	wantPeople(t, alice, "bob")
	private, err := alice.CreateRoom(t.Context(), wire.CreateRoom{Preset: "private_chat", Invite: []matrix.UserID{bob.User}})
	must(t, err)
	wantPeople(t, alice, "bob")
	_, err = bob.Join(t.Context(), string(private))
	must(t, err)
	wantPeople(t, alice, "bob", "bob")
	carol := ts.register("carol")
	wantPeople(t, carol, "bob")
	visibility(t, alice, private, "world_readable")
	wantPeople(t, carol, "bob", "bob")
	visibility(t, alice, private, "shared")
	wantPeople(t, carol, "bob")
	must(t, bob.Leave(t.Context(), private))
	wantPeople(t, alice, "bob")
	conversation(t, bob) // which is public
	wantPeople(t, carol, "bob", "bob")
}

func TestSearchUsersErrors(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	const path = v3 + "/user_directory/search"
	ts.want(alice, "POST", path, `{}`, 400, matrix.MMissingParam)
	ts.want(alice, "POST", path, `{"search_term":7}`, 400, matrix.MBadJSON)
	ts.want(alice, "POST", path, `{"search_term":"a","limit":-1}`, 400, matrix.MInvalidParam)
	ts.want(alice, "POST", path, `{"search_term":"`+strings.Repeat("a", maxTerm+1)+`"}`, 400, matrix.MInvalidParam)
	ts.want(alice, "POST", path, `{"search_term":"`+strings.Repeat("é", maxTerm/2)+`","limit":100000}`, 200, "")
	ts.want(ts.anonymous(), "POST", path, `{}`, 401, matrix.MMissingToken)
}
