package clientapi

import (
	"fmt"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// hostileState is state whose content has the wrong shape, or is as large as it may be.
func hostileState() map[string]string {
	long := strings.Repeat("\u00e4\\u0000\\\"", 4_000)
	return map[string]string{
		"m.room.name":               `{"name":7}`,
		"m.room.topic":              `{"topic":{"a":[]},"m.topic":{"m.text":7}}`,
		"m.room.avatar":             `{"url":["mxc://x/y"],"info":7}`,
		"m.room.history_visibility": `{"history_visibility":{"shared":true}}`,
		"m.room.guest_access":       `{"guest_access":null}`,
		"m.room.join_rules":         `{"join_rule":"public","allow":{"type":7}}`,
		"m.room.encryption":         `{"algorithm":[[[[]]]],"rotation_period_ms":-9007199254740991}`,
		"m.room.server_acl":         `{"allow":["*",7],"deny":[7,{}],"allow_ip_literals":"no"}`,
		"m.room.pinned_events":      `{"pinned":["$unknown",7,{"a":"b"}]}`,
		"m.room.tombstone":          `{"replacement_room":"nonsense","body":[]}`,
		"m.space.child":             `{"via":7,"order":{}}`,
		"m.room.third_party_invite": `{"public_key":7,"public_keys":"x"}`,
		"x.deep":                    `{"a":` + strings.Repeat(`[`, 95) + strings.Repeat(`]`, 95) + `}`,
		"x.large":                   `{"a":"` + long + `"}`,
		"x.\u0000\"\\":              `{}`,
	}
}

// hostileMessages are contents that lie about what they are.
func hostileMessages(parent matrix.EventID) []string {
	out := []string{
		`{}`, `{"msgtype":7,"body":{}}`, `{"body":"x","formatted_body":[],"format":7,"m.mentions":{"user_ids":"all","room":"yes"}}`,
		`{"body":"x","m.mentions":7}`, `{"m.relates_to":[]}`, `{"m.relates_to":{"m.in_reply_to":{"event_id":7}}}`,
		`{"url":{"mxc":7},"info":[],"file":{"url":[]}}`, `{"n":-9007199254740991}`,
	}
	for _, relates := range []string{
		`"rel_type":"m.replace","event_id":%q},"m.new_content":"text"`, `"rel_type":"m.replace","event_id":%q},"m.new_content":{"body":7}`,
		`"rel_type":"m.annotation","event_id":%q,"key":{"a":7}}`, `"rel_type":"m.thread","event_id":%q,"is_falling_back":"no","m.in_reply_to":7}`,
		`"rel_type":"m.reference","event_id":%q}`, `"rel_type":{"a":1},"event_id":%q}`, `"rel_type":"","event_id":%q}`,
	} {
		out = append(out, `{"body":"x","m.relates_to":{`+fmt.Sprintf(relates, parent)+`}`)
	}
	return out
}

// A room full of nonsense harms none of those who are in it, and stops no sync.
// CVE-2024-52815, CVE-2025-30355
func TestHostileRoom(t *testing.T) {
	for _, version := range []string{"1", "9", "12"} {
		c := newTrio(t, fmt.Sprintf(`{"preset":"public_chat","room_version":%q}`, version))
		good := conversation(t, c.bob, c.alice)
		before, err := c.bob.Sync(t.Context(), wire.SyncOptions{})
		must(t, err)
		parent := say(t, c.alice, c.room, "x")
		for i, content := range hostileMessages(parent) {
			c.want(c.alice, "PUT", wire.RoomPath(c.room, "send", "m.room.message", fmt.Sprint("h", i)), content, 200, "")
		}
		for typ, content := range hostileState() {
			c.put(c.alice, typ, "", content, 200, "")
		}
		c.put(c.alice, "m.room.member", string(c.alice.User), `{"membership":"join","displayname":7,"avatar_url":{"a":[]}}`, 200, "")
		c.put(c.alice, "m.room.member", string(c.carol.User), `{"membership":"invite","displayname":["x"],"is_direct":"yes","third_party_invite":7}`, 403, matrix.MForbidden)
		c.put(c.alice, "m.room.member", string(c.carol.User), `{"membership":"invite","displayname":["x"],"is_direct":"yes","reason":7}`, 200, "")
		said := say(t, c.bob, good, "still here")

		for _, o := range []wire.SyncOptions{{}, {FullState: true}, {Since: before.NextBatch}, {Since: before.NextBatch, FullState: true}} {
			after, err := c.bob.Sync(t.Context(), o)
			if err != nil {
				t.Fatalf("version %s: %v", version, err)
			}
			events := after.Rooms.Join[good].Timeline.Events
			if len(events) == 0 || events[len(events)-1].ID != said {
				t.Errorf("version %s: the good room has %d events", version, len(events))
			}
		}
		invited, err := c.carol.Sync(t.Context(), wire.SyncOptions{})
		must(t, err)
		if _, ok := invited.Rooms.Invite[c.room]; !ok {
			t.Errorf("version %s: no invite", version)
		}
		for _, path := range []string{
			wire.RoomPath(c.room, "state"), wire.RoomPath(c.room, "members"), wire.RoomPath(c.room, "joined_members"), wire.RoomPath(c.room, "aliases"),
			wire.RoomPath(c.room, "messages") + "?dir=b&limit=1000", wire.RoomPath(c.room, "messages") + "?dir=f&limit=1000",
			wire.RoomPath(c.room, "context", string(parent)) + "?limit=1000", wire.RoomPath(c.room, "event", string(parent)),
			wire.Path(v3[:len(v3)-2]+"v1/rooms/"+string(c.room), "relations", string(parent)),
		} {
			c.want(c.bob, "GET", path, "", 200, "")
		}
		must(t, c.bob.Receipt(t.Context(), c.room, "m.read", parent, ""))
		if _, err := c.carol.Join(t.Context(), string(c.room)); err != nil {
			t.Errorf("version %s: %v", version, err)
		}
		say(t, c.carol, c.room, "unharmed")
		// Nor does it keep anybody from replacing it by a better one.
		for _, to := range []matrix.Version{"3", "7", "12"} {
			next, err := c.alice.Upgrade(t.Context(), c.room, to)
			must(t, err)
			if _, err := c.bob.Join(t.Context(), string(next)); err != nil {
				t.Errorf("version %s to %s: %v", version, to, err)
			}
			say(t, c.bob, next, "here")
		}
	}
}

// Bodies are limited before they are read as JSON, whatever the endpoint.
func TestHugeBodies(t *testing.T) {
	c := newTrio(t, "")
	huge := `{"user_id":"` + strings.Repeat("x", maxBody) + `"}`
	deep := `{"a":` + strings.Repeat(`{"a":`, 60_000) + `1` + strings.Repeat(`}`, 60_001)
	for _, e := range []string{
		"POST /createRoom", "POST /rooms/ROOM/invite", "POST /rooms/ROOM/join", "POST /join/ROOM", "POST /rooms/ROOM/leave", "POST /rooms/ROOM/kick",
		"POST /rooms/ROOM/ban", "POST /rooms/ROOM/unban", "PUT /rooms/ROOM/send/m.x/1", "PUT /rooms/ROOM/state/m.x/", "PUT /rooms/ROOM/redact/$x/1",
		"PUT /directory/room/%23a:here.example", "POST /knock/ROOM", "POST /rooms/ROOM/upgrade", "PUT /directory/list/room/ROOM",
	} {
		method, path, _ := strings.Cut(strings.ReplaceAll(e, "ROOM", string(c.room)), " ")
		c.want(c.alice, method, v3+path, huge, 413, matrix.MTooLarge)
		c.want(c.alice, method, v3+path, deep[:maxBody-1], 400, matrix.MBadJSON)
	}
}
