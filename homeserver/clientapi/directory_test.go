package clientapi

import (
	"fmt"
	"strings"
	"testing"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func aliasPath(alias string) string { return wire.Path(v3+"/directory/room", alias) }

// spec: client-server-api#room-aliases
func TestAliases(t *testing.T) {
	c := newTrio(t, "")
	body := fmt.Sprintf(`{"room_id":%q}`, c.room)
	const alias = "#monkeys & ünïcode/🐒:here.example"
	c.want(c.bob, "PUT", aliasPath(alias), body, 200, "")
	want := fmt.Sprintf(`{"room_id":%q,"servers":["here.example"]}`, c.room)
	if got := c.want(c.anonymous(), "GET", aliasPath(alias), "", 200, ""); got != want {
		t.Errorf("answer %s, want %s", got, want)
	}
	c.want(c.alice, "PUT", aliasPath(alias), body, 409, matrix.MUnknown)
	c.want(c.alice, "PUT", aliasPath("#a:here.example"), body, 200, "")
	list := wire.RoomPath(c.room, "aliases")
	if got := c.want(c.bob, "GET", list, "", 200, ""); got != `{"aliases":["#a:here.example","`+alias+`"]}` {
		t.Errorf("answer %s", got)
	}
	c.want(c.carol, "GET", list, "", 403, matrix.MForbidden)
	_, err := c.alice.SendState(t.Context(), c.room, "m.room.history_visibility", "", map[string]string{"history_visibility": "world_readable"})
	must(t, err)
	c.want(c.carol, "GET", list, "", 200, "")
	c.want(c.alice, "DELETE", aliasPath(alias), "", 200, "")
	c.want(c.alice, "DELETE", aliasPath(alias), "", 404, matrix.MNotFound)
	c.want(c.anonymous(), "GET", aliasPath(alias), "", 404, matrix.MNotFound)
	c.want(c.alice, "DELETE", aliasPath("#a:here.example"), "", 200, "")
	if got := c.want(c.bob, "GET", list, "", 200, ""); got != `{"aliases":[]}` {
		t.Errorf("answer %s", got)
	}
}

// Who may remove an alias.
func TestDeleteAlias(t *testing.T) {
	for _, version := range []string{"9", "12"} {
		override := `{"users":{"@alice:here.example":100,"@mod:here.example":"50"}}`
		if version == "12" {
			override = `{"users":{"@mod:here.example":50}}`
		}
		c := newTrio(t, fmt.Sprintf(`{"preset":"public_chat","room_version":%q,"power_level_content_override":%s}`, version, override))
		mod := c.register("mod")
		for _, who := range []*wire.Client{c.carol, mod} {
			_, err := who.Join(t.Context(), string(c.room))
			must(t, err)
		}
		admin := c.anonymous()
		_, err := c.api.Accounts.Create(t.Context(), "admin", password, account.NewUser{Admin: true})
		must(t, err)
		must(t, admin.Login(t.Context(), "admin", password, ""))
		for _, r := range []struct {
			who    *wire.Client
			status int
			code   string
		}{{c.carol, 403, matrix.MForbidden}, {c.bob, 200, ""}, {mod, 200, ""}, {c.alice, 200, ""}, {admin, 200, ""}} {
			c.want(c.bob, "PUT", aliasPath("#x:here.example"), fmt.Sprintf(`{"room_id":%q}`, c.room), 200, "")
			c.want(r.who, "DELETE", aliasPath("#x:here.example"), "", r.status, r.code)
			if r.status != 200 {
				c.want(c.bob, "DELETE", aliasPath("#x:here.example"), "", 200, "")
			}
		}
		// Power is a member's: who has left has none, but may remove what they made.
		c.want(mod, "PUT", aliasPath("#x:here.example"), fmt.Sprintf(`{"room_id":%q}`, c.room), 200, "")
		c.want(c.bob, "PUT", aliasPath("#y:here.example"), fmt.Sprintf(`{"room_id":%q}`, c.room), 200, "")
		must(t, mod.Leave(t.Context(), c.room))
		c.want(mod, "DELETE", aliasPath("#y:here.example"), "", 403, matrix.MForbidden)
		c.want(mod, "DELETE", aliasPath("#x:here.example"), "", 200, "")
	}
}

func TestAliasesRefuse(t *testing.T) {
	c := newTrio(t, "")
	body := fmt.Sprintf(`{"room_id":%q}`, c.room)
	for _, r := range []struct {
		who         *wire.Client
		alias, body string
		status      int
		code        string
	}{
		{c.bob, "nonsense", body, 400, matrix.MInvalidParam},
		{c.bob, "#nonsense", body, 400, matrix.MInvalidParam},
		{c.bob, "#:here.example", body, 400, matrix.MInvalidParam},
		{c.bob, "#a\x00b:here.example", body, 400, matrix.MInvalidParam},
		{c.bob, "#" + strings.Repeat("x", 250) + ":here.example", body, 400, matrix.MInvalidParam},
		{c.bob, "#a:there.example", body, 400, matrix.MInvalidParam},
		{c.bob, "#a:here.example:443", body, 400, matrix.MInvalidParam},
		{c.bob, "#a:here.example", ``, 400, matrix.MNotJSON},
		{c.bob, "#a:here.example", `{}`, 400, matrix.MMissingParam},
		{c.bob, "#a:here.example", `{"room_id":7}`, 400, matrix.MBadJSON},
		{c.bob, "#a:here.example", `{"room_id":"#a:b"}`, 400, matrix.MInvalidParam},
		{c.bob, "#a:here.example", `{"room_id":"!unknown:here.example"}`, 403, matrix.MForbidden},
		{c.carol, "#a:here.example", body, 403, matrix.MForbidden},
	} {
		c.want(r.who, "PUT", aliasPath(r.alias), r.body, r.status, r.code)
	}
	c.want(c.anonymous(), "GET", aliasPath("nonsense"), "", 400, matrix.MInvalidParam)
	c.want(c.anonymous(), "GET", aliasPath("#a:here.example"), "", 404, matrix.MNotFound)
	c.want(c.anonymous(), "GET", aliasPath("#a:there.example"), "", 404, matrix.MNotFound)
	c.want(c.bob, "DELETE", aliasPath("nonsense"), "", 400, matrix.MInvalidParam)
	c.want(c.bob, "DELETE", aliasPath("#a:here.example"), "", 404, matrix.MNotFound)
	c.want(c.anonymous(), "PUT", aliasPath("#a:here.example"), body, 401, matrix.MMissingToken)
	c.want(c.anonymous(), "DELETE", aliasPath("#a:here.example"), "", 401, matrix.MMissingToken)
	c.want(c.bob, "GET", wire.RoomPath("!unknown:here.example", "aliases"), "", 403, matrix.MForbidden)
	c.want(c.bob, "GET", wire.RoomPath("nonsense", "aliases"), "", 400, matrix.MInvalidParam)
}

// A room does not go on naming an alias that is gone, if whoever removed it may say so.
// spec: client-server-api#delete_matrixclientv3directoryroomroomalias
func TestDeletedAliasIsNamedNoMore(t *testing.T) {
	c := newTrio(t, `{"preset":"public_chat","room_alias_name":"main"}`)
	body := fmt.Sprintf(`{"room_id":%q}`, c.room)
	for alias, who := range map[string]*wire.Client{"#one:here.example": c.bob, "#two:here.example": c.alice} {
		c.want(who, "PUT", aliasPath(alias), body, 200, "")
	}
	c.put(c.alice, "m.room.canonical_alias", "", `{"alias":"#main:here.example","alt_aliases":["#one:here.example","#two:here.example"],"x":1}`, 200, "")
	named := func(want string) {
		t.Helper()
		if got := c.state(c.alice, c.room, "m.room.canonical_alias", ""); got != want {
			t.Errorf("the room names %s, want %s", got, want)
		}
	}
	c.want(c.bob, "DELETE", aliasPath("#one:here.example"), "", 200, "") // his own; but he may not change the room
	named(`{"alias":"#main:here.example","alt_aliases":["#one:here.example","#two:here.example"],"x":1}`)
	c.want(c.alice, "DELETE", aliasPath("#two:here.example"), "", 200, "")
	named(`{"alias":"#main:here.example","alt_aliases":["#one:here.example"],"x":1}`)
	c.want(c.alice, "DELETE", aliasPath("#main:here.example"), "", 200, "")
	named(`{"alt_aliases":["#one:here.example"],"x":1}`)
	c.want(c.alice, "PUT", aliasPath("#three:here.example"), body, 200, "")
	c.want(c.alice, "DELETE", aliasPath("#three:here.example"), "", 200, "")
	named(`{"alt_aliases":["#one:here.example"],"x":1}`)
	for _, alias := range []string{"#main:here.example", "#one:here.example", "#two:here.example", "#three:here.example"} {
		c.want(c.alice, "GET", aliasPath(alias), "", 404, matrix.MNotFound)
	}
	// An administrator may name and unname rooms that they are not in; the room's own state is its members'.
	_, err := c.api.Accounts.Create(t.Context(), "root", password, account.NewUser{Admin: true})
	must(t, err)
	root := c.login("root", "")
	c.want(root, "PUT", aliasPath("#admins:here.example"), body, 200, "")
	c.want(root, "PUT", aliasPath("#none:here.example"), `{"room_id":"!unknown:here.example"}`, 403, matrix.MForbidden)
	c.put(c.alice, "m.room.canonical_alias", "", `{"alias":"#admins:here.example"}`, 200, "")
	c.want(root, "DELETE", aliasPath("#admins:here.example"), "", 200, "")
	named(`{"alias":"#admins:here.example"}`)
}
