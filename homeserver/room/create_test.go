package room

import (
	"strings"
	"testing"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// types returns the types of events in order, with the state keys that are not "".
func types(events []*store.Event) string {
	var out []string
	for _, e := range events {
		typ := strings.TrimPrefix(e.Type, "m.room.")
		if e.StateKey != nil && *e.StateKey != "" {
			key, _, _ := strings.Cut(*e.StateKey, ":")
			typ += " " + strings.TrimPrefix(key, "@")
		}
		out = append(out, typ)
	}
	return strings.Join(out, ", ")
}

// A room of every version begins as the specification says, and every other server would accept it.
// spec: client-server-api#post_matrixclientv3createroom
func TestCreateEveryVersion(t *testing.T) {
	w := newWorld(t)
	for _, v := range matrix.Versions() {
		t.Run(string(v.Version), func(t *testing.T) {
			w.t = t
			name, topic := "N", "T"
			r := w.create(Creation{Version: v.Version, Preset: "trusted_private_chat", Name: &name, Topic: &topic, Invite: []matrix.UserID{bob}, Direct: true})
			if r.Version != v {
				t.Errorf("version %s", r.Version.Version)
			}
			events := w.timeline(r)
			want := "create, member alice, power_levels, join_rules, history_visibility, guest_access, name, topic, member bob"
			if got := types(events); got != want {
				t.Errorf("events %s, want %s", got, want)
			}
			create := string(events[0].Content)
			if field(t, create, "room_version") != string(v.Version) {
				t.Errorf("create event %s", create)
			}
			if hasCreator := field(t, create, "creator") == string(alice); hasCreator == v.CreatorIsSender {
				t.Errorf("create event %s", create)
			}
			power := w.state(r, "m.room.power_levels", "")
			if v.PrivilegedCreators {
				if field(t, create, "additional_creators") != `["@bob:here.example"]` || field(t, power, "users") != "{}" || field(t, power, "events", "m.room.tombstone") != "150" {
					t.Errorf("create event %s, power levels %s", create, power)
				}
				if r.ID.Server() != "" || string(r.ID)[1:] != string(events[0].ID)[1:] {
					t.Errorf("room id %s, create event %s", r.ID, events[0].ID)
				}
			} else {
				if field(t, power, "users", string(alice)) != "100" || field(t, power, "users", string(bob)) != "100" || field(t, power, "events", "m.room.tombstone") != "100" {
					t.Errorf("power levels %s", power)
				}
				if r.ID.Server() != "here.example" {
					t.Errorf("room id %s", r.ID)
				}
			}
			if m := w.state(r, "m.room.member", string(bob)); field(t, m, "is_direct") != "true" || field(t, m, "membership") != "invite" {
				t.Errorf("invite %s", m)
			}
			w.join(r, bob)
			w.text(r, bob, "hello")
			w.setState(r, bob, "m.room.name", "", `{"name":"by bob"}`)
			w.timeline(r)
		})
	}
}

// spec: client-server-api#post_matrixclientv3createroom (the table of presets)
func TestPresets(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		preset             string
		public             bool
		join, guest, level string
	}{
		{"private_chat", false, "invite", "can_join", "0"},
		{"trusted_private_chat", true, "invite", "can_join", "0"},
		{"public_chat", false, "public", "forbidden", "50"},
		{"", false, "invite", "can_join", "0"},
		{"", true, "public", "forbidden", "50"},
	} {
		r := w.create(Creation{Preset: c.preset, Public: c.public})
		if got := field(t, w.state(r, "m.room.join_rules", ""), "join_rule"); got != c.join {
			t.Errorf("%+v: join rule %s", c, got)
		}
		if got := field(t, w.state(r, "m.room.guest_access", ""), "guest_access"); got != c.guest {
			t.Errorf("%+v: guest access %s", c, got)
		}
		if got := field(t, w.state(r, "m.room.history_visibility", ""), "history_visibility"); got != "shared" {
			t.Errorf("%+v: history visibility %s", c, got)
		}
		if got := field(t, w.state(r, "m.room.power_levels", ""), "invite"); got != c.level {
			t.Errorf("%+v: level to invite %s", c, got)
		}
	}
}

func TestCreationParameters(t *testing.T) {
	w := newWorld(t)
	name := "given"
	r := w.create(Creation{
		Version: "11", Name: &name, Alias: "#a:here.example",
		Content:       []byte(`{"creator":"@mallory:x","room_version":"1","m.federate":false,"type":"m.space"}`),
		PowerOverride: []byte(`{"invite":7,"users":{"@alice:here.example":100,"@bob:here.example":60}}`),
		InitialState: []InitialState{
			{Type: "m.room.name", Content: []byte(`{"name":"overridden"}`)},
			{Type: "m.room.join_rules", Content: []byte(`{"join_rule":"knock"}`)},
			{Type: "x.test", StateKey: "k", Content: []byte(`{"a":1}`)},
		},
		Invite: []matrix.UserID{alice, bob, bob, "@dave:there.example"},
	})
	events := w.timeline(r)
	want := "create, member alice, power_levels, canonical_alias, history_visibility, guest_access, join_rules, x.test k, name, member bob, member dave"
	if got := types(events); got != want {
		t.Errorf("events %s, want %s", got, want)
	}
	if got := string(events[0].Content); got != `{"m.federate":false,"room_version":"11","type":"m.space"}` {
		t.Errorf("create event %s", got)
	}
	power := w.state(r, "m.room.power_levels", "")
	if field(t, power, "invite") != "7" || field(t, power, "users", string(bob)) != "60" || field(t, power, "ban") != "50" {
		t.Errorf("power levels %s", power)
	}
	if m := w.membership("@dave:there.example", r); m.Room != 0 {
		t.Errorf("a membership of another server's user is kept: %+v", m)
	}
}

func TestRefusedCreations(t *testing.T) {
	w := newWorld(t)
	many := make([]matrix.UserID, MaxInvites+1)
	for _, c := range []struct {
		what string
		c    Creation
		code string
	}{
		{"version", Creation{Version: "99"}, matrix.MUnsupportedRoomVersion},
		{"preset", Creation{Preset: "party"}, matrix.MBadJSON},
		{"too many invites", Creation{Invite: many}, matrix.MTooLarge},
		{"too much state", Creation{InitialState: make([]InitialState, MaxInitialState+1)}, matrix.MTooLarge},
		{"creator without power", Creation{Version: "11", PowerOverride: []byte(`{"users":{}}`)}, matrix.MInvalidRoomState},
		{"creator listed", Creation{PowerOverride: []byte(`{"users":{"@alice:here.example":100}}`)}, matrix.MInvalidRoomState},
		{"levels of the wrong shape", Creation{PowerOverride: []byte(`{"users_default":"ten"}`)}, matrix.MInvalidRoomState},
		{"additional creators of the wrong shape", Creation{Content: []byte(`{"additional_creators":["nobody"]}`)}, matrix.MInvalidRoomState},
		{"second create event", Creation{InitialState: []InitialState{{Type: "m.room.create", Content: []byte("{}")}}}, matrix.MInvalidRoomState},
		{"member", Creation{InitialState: []InitialState{{Type: "m.room.member", StateKey: string(bob), Content: []byte(`{"membership":"invite"}`)}}}, matrix.MInvalidRoomState},
		{"another's state key", Creation{InitialState: []InitialState{{Type: "x", StateKey: string(bob), Content: []byte("{}")}}}, matrix.MInvalidRoomState},
		{"large event", Creation{InitialState: []InitialState{{Type: "x", Content: []byte(`{"a":"` + strings.Repeat("x", 70_000) + `"}`)}}}, matrix.MTooLarge},
		{"long type", Creation{InitialState: []InitialState{{Type: strings.Repeat("x", 256), Content: []byte("{}")}}}, matrix.MTooLarge},
		{"fraction", Creation{InitialState: []InitialState{{Type: "x", Content: []byte(`{"a":1.5}`)}}}, matrix.MBadJSON},
	} {
		c.c.Creator = alice
		_, err := w.rooms.Create(t.Context(), c.c)
		if err == nil {
			t.Errorf("%s: created", c.what)
			continue
		}
		wantCode(t, err, c.code)
	}
	for r := range w.store.Rooms(t.Context(), 0) {
		t.Errorf("room %s was made", r.ID)
	}
}

// Rooms that are alike in all but their time, made in the same millisecond or with a clock that was set back, are
// different rooms.
func TestRoomsAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	seen := make(map[matrix.RoomID]bool)
	ids := make(chan matrix.RoomID)
	for range 4 {
		go func() {
			for range 5 {
				id, err := w.rooms.Create(t.Context(), Creation{Creator: alice})
				if err != nil {
					t.Error(err)
				}
				ids <- id
			}
		}()
	}
	for range 20 {
		seen[<-ids] = true
	}
	w.pass(-10 * time.Millisecond)
	w.open()
	for range 30 {
		r := w.create(Creation{})
		seen[r.ID] = true
		w.timeline(r)
	}
	if len(seen) != 50 {
		t.Errorf("%d rooms, want 50", len(seen))
	}
}

// A room and what its creation adds are there together or not at all.
func TestCreationIsAtomic(t *testing.T) {
	w := newWorld(t)
	w.backend.set(full)
	also := func(tx *store.Tx, num store.RoomNum, id matrix.RoomID) { tx.Set("test", []byte(id), []byte{byte(num)}) }
	if _, err := w.rooms.Create(t.Context(), Creation{Creator: alice, Also: also}); err == nil {
		t.Fatal("created on a full disk")
	}
	w.backend.set(nil)
	for r := range w.store.Rooms(t.Context(), 0) {
		t.Errorf("room %s was made", r.ID)
	}
	r := w.create(Creation{Also: also})
	if v, err := w.store.Row(t.Context(), "test", []byte(r.ID)); err != nil || len(v) != 1 || v[0] != byte(r.Num) {
		t.Errorf("added %v, %v", v, err)
	}
	w.timeline(r)
}

// The largest room that may be asked for fits one change.
func TestLargestCreation(t *testing.T) {
	w := newWorld(t)
	c := Creation{Creator: alice}
	for i := range MaxInitialState {
		c.InitialState = append(c.InitialState, InitialState{Type: "x", StateKey: strings.Repeat("k", i), Content: []byte(`{"a":"` + strings.Repeat("x", 2_000) + `"}`)})
	}
	for i := range MaxInvites {
		c.Invite = append(c.Invite, matrix.UserID("@"+strings.Repeat("u", 100+i)+":here.example"))
	}
	r := w.create(c)
	if n := len(w.timeline(r)); n != 6+MaxInitialState+MaxInvites {
		t.Errorf("%d events", n)
	}
}
