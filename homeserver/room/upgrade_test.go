package room

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

func (w *world) upgrade(r *store.Room, u Upgrade) *store.Room {
	w.t.Helper()
	if u.Sender == "" {
		u.Sender = alice
	}
	id, err := w.rooms.Upgrade(w.t.Context(), r, u)
	if err != nil {
		w.t.Fatalf("upgrading %s to version %s: %v", r.ID, u.Version, err)
	}
	return w.room(id)
}

// Every version replaces every other, and both rooms obey their rules.
func TestUpgradeBetweenVersions(t *testing.T) {
	for _, from := range matrix.Versions() {
		for _, to := range matrix.Versions() {
			w := newWorld(t)
			name := "Club"
			old := w.create(Creation{Version: from.Version, Preset: "public_chat", Name: &name, Topic: &name, Content: []byte(`{"m.federate":false,"type":"x.club","x.more":1}`)})
			w.join(old, bob)
			if err := w.change(old, alice, carol, "ban"); err != nil {
				t.Fatal(err)
			}
			next := w.upgrade(old, Upgrade{Version: to.Version, Creators: []matrix.UserID{bob}})
			events := w.timeline(next)
			w.timeline(old)
			create := string(events[0].Content)
			tombstone := w.state(old, "m.room.tombstone", "")
			if field(t, tombstone, "replacement_room") != string(next.ID) || field(t, create, "predecessor", "room_id") != string(old.ID) {
				t.Errorf("%s to %s: tombstone %s, create %s", from.Version, to.Version, tombstone, create)
			}
			if field(t, create, "room_version") != string(to.Version) || field(t, create, "m.federate") != "false" || field(t, create, "type") != "x.club" || field(t, create, "x.more") != "" {
				t.Errorf("%s to %s: create %s", from.Version, to.Version, create)
			}
			if id := field(t, create, "predecessor", "event_id"); !to.RoomIDIsCreateHash && w.event(matrix.EventID(id)).Type != "m.room.tombstone" {
				t.Errorf("%s to %s: the predecessor's event is %s", from.Version, to.Version, id)
			}
			if got := field(t, create, "additional_creators"); (got == `["@bob:here.example"]`) != to.PrivilegedCreators {
				t.Errorf("%s to %s: creators %s", from.Version, to.Version, got)
			}
			want := "create, member alice, power_levels, join_rules, history_visibility, guest_access, name, topic, member carol"
			if got := types(events); got != want {
				t.Errorf("%s to %s: events %s, want %s", from.Version, to.Version, got, want)
			}
			for _, typ := range []string{"m.room.name", "m.room.topic", "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access"} {
				if a, b := w.state(old, typ, ""), w.state(next, typ, ""); a != b {
					t.Errorf("%s to %s: %s was %s and is %s", from.Version, to.Version, typ, a, b)
				}
			}
			// Who is no creator any more has the power of one still, and who is one needs no level.
			level := field(t, w.state(next, "m.room.power_levels", ""), "users", string(alice))
			if to.PrivilegedCreators && level != "" || !to.PrivilegedCreators && level != "100" && level != "150" {
				t.Errorf("%s to %s: alice's level is %q", from.Version, to.Version, level)
			}
			closed := w.state(old, "m.room.power_levels", "")
			if field(t, closed, "events_default") != "50" || field(t, closed, "invite") != "50" {
				t.Errorf("%s to %s: the old room's levels are %s", from.Version, to.Version, closed)
			}
			_, err := w.send(old, bob, "m.room.message", `{"body":"still here"}`)
			wantCode(t, err, matrix.MForbidden)
			w.setState(next, alice, "m.room.name", "", `{"name":"Next"}`)
			w.setState(next, alice, "m.room.power_levels", "", w.state(next, "m.room.power_levels", ""))
			w.join(next, bob)
			w.text(next, bob, "here")
			wantCode(t, w.change(next, carol, carol, "join"), matrix.MForbidden)
		}
	}
}

// Who may replace a room needs not have the power for all that it takes to make one.
func TestUpgradeWithLittlePower(t *testing.T) {
	for _, version := range []matrix.Version{"1", "6", "9", "11", "12"} {
		w := newWorld(t)
		old := w.create(Creation{Version: "10", Preset: "public_chat", PowerOverride: []byte(`{"users":{"@alice:here.example":200,"@bob:here.example":60},
			"events":{"m.room.tombstone":60,"m.room.name":150,"m.room.power_levels":120},"ban":140,"state_default":70,"x.other":"kept","notifications":{"room":30}}`)})
		w.join(old, bob)
		w.setState(old, alice, "m.room.name", "", `{"name":"Club"}`)
		if err := w.change(old, alice, carol, "ban"); err != nil {
			t.Fatal(err)
		}
		next := w.upgrade(old, Upgrade{Sender: bob, Version: version})
		w.timeline(next)
		w.timeline(old)
		levels := w.state(next, "m.room.power_levels", "")
		if field(t, levels, "users", string(alice)) != "200" || field(t, levels, "x.other") != "kept" || field(t, levels, "ban") != "140" || field(t, levels, "notifications", "room") != "30" {
			t.Errorf("version %s: levels %s", version, levels)
		}
		if bobs := field(t, levels, "users", string(bob)); version == "12" && bobs != "" || version != "12" && bobs != "60" {
			t.Errorf("version %s: bob's level is %q", version, bobs)
		}
		if field(t, w.state(next, "m.room.name", ""), "name") != "Club" || field(t, w.state(next, "m.room.member", string(carol)), "membership") != "ban" {
			t.Errorf("version %s: the new room lacks something", version)
		}
		if _, err := w.rooms.SetState(t.Context(), next, Message{Sender: bob, Type: "m.room.name", Content: []byte(`{"name":"Bob's"}`)}, ""); version == "12" {
			wantCode(t, err, "")
		} else {
			wantCode(t, err, matrix.MForbidden)
		}
		// He may not change the levels of the old room: it stays open.
		if got := field(t, w.state(old, "m.room.power_levels", ""), "events_default"); got != "0" {
			t.Errorf("version %s: the old room's events_default is %s", version, got)
		}
	}
}

// Levels that only old versions allow are read as they read them.
func TestUpgradeOfOldLevels(t *testing.T) {
	w := newWorld(t)
	old := w.create(Creation{Version: "1", Preset: "public_chat"})
	w.setState(old, alice, "m.room.power_levels", "", `{"users":{"@alice:here.example":"100","@bob:here.example":10.9},"events":{"m.room.name":" 50 ","x.low":-1e300},"users_default":"-5","redact":-1e300}`)
	for _, v := range []matrix.Version{"3", "6", "10", "11"} {
		next := w.upgrade(old, Upgrade{Version: v})
		w.timeline(next)
		got := w.state(next, "m.room.power_levels", "")
		want := `{"events":{"m.room.name":50,"x.low":-9007199254740991},"redact":-9007199254740991,"users":{"@alice:here.example":100,"@bob:here.example":10},"users_default":-5}`
		if got != want {
			t.Errorf("version %s: %s, want %s", v, got, want)
		}
	}
	next := w.upgrade(old, Upgrade{Version: "12", Creators: []matrix.UserID{bob}})
	if got := w.state(next, "m.room.power_levels", ""); field(t, got, "users") != "{}" || field(t, got, "events", "m.room.tombstone") != "150" {
		t.Errorf("version 12: %s", got)
	}
}

// A rule that the new version does not know would let nobody in.
func TestUpgradeOfJoinRules(t *testing.T) {
	for _, c := range []struct {
		from, to   matrix.Version
		rule, want string
	}{
		{"12", "10", "knock_restricted", "knock_restricted"}, {"12", "9", "knock_restricted", "restricted"}, {"12", "8", "restricted", "restricted"},
		{"12", "7", "restricted", "invite"}, {"12", "7", "knock_restricted", "invite"}, {"12", "7", "knock", "knock"}, {"12", "6", "knock", "invite"},
		{"12", "1", "public", "public"}, {"1", "12", "invite", "invite"}, {"6", "12", "strange", "strange"},
	} {
		w := newWorld(t)
		old := w.create(Creation{Version: c.from})
		w.setState(old, alice, "m.room.join_rules", "", fmt.Sprintf(`{"join_rule":%q,"allow":[]}`, c.rule))
		next := w.upgrade(old, Upgrade{Version: c.to})
		if got := w.state(next, "m.room.join_rules", ""); got != fmt.Sprintf(`{"allow":[],"join_rule":%q}`, c.want) {
			t.Errorf("%+v: %s", c, got)
		}
		w.timeline(next)
	}
}

// What an old version allows and the new one does not is left behind.
func TestUpgradeLeavesBehind(t *testing.T) {
	w := newWorld(t)
	old := w.create(Creation{Version: "5"})
	w.setState(old, alice, "m.room.topic", "", `{"topic":"x","n":1.5}`)
	w.setState(old, alice, "m.room.name", "", `{"name":"Club"}`)
	next := w.upgrade(old, Upgrade{Version: "12"})
	if w.state(next, "m.room.topic", "") != "" || w.state(next, "m.room.name", "") != `{"name":"Club"}` {
		t.Error("the wrong state was copied")
	}
	// Without power levels the creator has those of a new room.
	bare := w.create(Creation{Version: "11"})
	w.timeline(w.upgrade(bare, Upgrade{Version: "12"}))
}

func TestUpgradeOfSpace(t *testing.T) {
	for _, typ := range []string{"m.space", "x.other"} {
		w := newWorld(t)
		old := w.create(Creation{Content: fmt.Appendf(nil, `{"type":%q}`, typ)})
		w.setState(old, alice, "m.space.child", "!a:x", `{"via":["x"]}`)
		w.setState(old, alice, "m.space.child", "!b:x", `{}`) // taken away
		w.setState(old, alice, "m.space.parent", "!c:x", `{"via":["x"]}`)
		next := w.upgrade(old, Upgrade{Version: "11"})
		want := ""
		if typ == "m.space" {
			want = `{"via":["x"]}`
		}
		if got := w.state(next, "m.space.child", "!a:x"); got != want {
			t.Errorf("%s: child %q", typ, got)
		}
		for _, k := range []event.Key{{Type: "m.space.child", StateKey: "!b:x"}, {Type: "m.space.parent", StateKey: "!c:x"}} {
			if got := w.state(next, k.Type, k.StateKey); got != "" {
				t.Errorf("%s: %v is %s", typ, k, got)
			}
		}
	}
}

func TestUpgradeMovesAliases(t *testing.T) {
	w := newWorld(t)
	old := w.create(Creation{Alias: "#a:here.example"})
	w.setState(old, alice, "m.room.canonical_alias", "", `{"alias":"#a:here.example","alt_aliases":["#b:here.example","#far:there.example","#gone:here.example"],"x.more":1}`)
	next := w.upgrade(old, Upgrade{Version: "12", Aliases: []matrix.RoomAlias{"#a:here.example", "#b:here.example", "#c:here.example"}})
	if got := w.state(next, "m.room.canonical_alias", ""); got != `{"alias":"#a:here.example","alt_aliases":["#b:here.example"]}` {
		t.Errorf("moved %s", got)
	}
	if got := w.state(old, "m.room.canonical_alias", ""); got != `{"alt_aliases":["#far:there.example","#gone:here.example"],"x.more":1}` {
		t.Errorf("kept %s", got)
	}
	third := w.upgrade(next, Upgrade{Version: "12"}) // nothing moves
	if got := w.state(third, "m.room.canonical_alias", ""); got != "" {
		t.Errorf("moved %s", got)
	}
	for content, want := range map[string][2]string{
		`{}`: {`{}`, `{}`}, `{"alias":7,"alt_aliases":{"a":"#a:x"}}`: {`{"alias":7,"alt_aliases":{"a":"#a:x"}}`, `{}`},
		`{"alias":null,"alt_aliases":["#a:x",7]}`: {`{"alias":null}`, `{"alt_aliases":["#a:x"]}`},
	} {
		if kept, moved := splitAliases([]byte(content), []matrix.RoomAlias{"#a:x"}); string(kept) != want[0] || string(moved) != want[1] {
			t.Errorf("%s is split into %s and %s", content, kept, moved)
		}
	}
}

func TestUpgradeRefuses(t *testing.T) {
	w := newWorld(t)
	old := w.create(Creation{Preset: "public_chat"})
	w.join(old, bob)
	before := w.store.Durable()
	for _, c := range []struct {
		u    Upgrade
		code string
	}{
		{Upgrade{Sender: alice, Version: "99"}, matrix.MUnsupportedRoomVersion},
		{Upgrade{Sender: alice, Version: ""}, matrix.MUnsupportedRoomVersion},
		{Upgrade{Sender: bob, Version: "12"}, matrix.MForbidden},
		{Upgrade{Sender: bob, Version: "11"}, matrix.MForbidden},
		{Upgrade{Sender: carol, Version: "12"}, matrix.MForbidden},
		{Upgrade{Sender: alice, Version: "12", Creators: []matrix.UserID{"nobody"}}, matrix.MInvalidRoomState},
		{Upgrade{Sender: alice, Version: "12", Creators: []matrix.UserID{matrix.UserID("@" + strings.Repeat("x", 70_000) + ":x")}}, matrix.MTooLarge},
	} {
		_, err := w.rooms.Upgrade(t.Context(), old, c.u)
		wantCode(t, err, c.code)
	}
	if w.store.Durable() != before {
		t.Error("something was written")
	}
	w.timeline(old)
}

// Who asks again gets the same answer; who wants another version, or has left the new room, gets another room.
func TestUpgradeAgain(t *testing.T) {
	w := newWorld(t)
	old := w.create(Creation{})
	first := w.upgrade(old, Upgrade{Version: "12"})
	n := len(w.timeline(old))
	answers := make(chan matrix.RoomID)
	for range 4 {
		go func() {
			id, err := w.rooms.Upgrade(t.Context(), old, Upgrade{Sender: alice, Version: "12"})
			if err != nil {
				t.Error(err)
			}
			answers <- id
		}()
	}
	for range 4 {
		if id := <-answers; id != first.ID {
			t.Errorf("repeated: %s, first %s", id, first.ID)
		}
	}
	w.open()
	if again := w.upgrade(old, Upgrade{Version: "12"}); again.ID != first.ID || len(w.timeline(old)) != n {
		t.Errorf("after a restart: %s, first %s", again.ID, first.ID)
	}
	if other := w.upgrade(old, Upgrade{Version: "11"}); other.ID == first.ID {
		t.Error("another version is the same room")
	}
	// Whoever else may replace the room is led to the same one, and who may not learns nothing.
	shared := w.create(Creation{Preset: "public_chat", PowerOverride: []byte(`{"users":{"@bob:here.example":150}}`)})
	w.join(shared, bob)
	w.join(shared, carol)
	theirs := w.upgrade(shared, Upgrade{Version: "12"})
	if id, err := w.rooms.Upgrade(t.Context(), shared, Upgrade{Sender: bob, Version: "12"}); err != nil || id != theirs.ID {
		t.Errorf("bob is led to %s, %v; want %s", id, err, theirs.ID)
	}
	_, err := w.rooms.Upgrade(t.Context(), shared, Upgrade{Sender: carol, Version: "12"})
	wantCode(t, err, matrix.MForbidden)
	if err := w.change(theirs, alice, alice, "leave"); err != nil {
		t.Fatal(err)
	}
	if id, err := w.rooms.Upgrade(t.Context(), shared, Upgrade{Sender: bob, Version: "12"}); err != nil || id == theirs.ID {
		t.Errorf("bob is led into an empty room: %s, %v", id, err)
	}

	second := w.upgrade(old, Upgrade{Version: "12"})
	if err := w.change(second, alice, alice, "leave"); err != nil {
		t.Fatal(err)
	}
	if third := w.upgrade(old, Upgrade{Version: "12"}); third.ID == second.ID {
		t.Error("alice is sent back to a room that she has left")
	}
}

// banMany bans n users from a room, in one change.
func (w *world) banMany(r *store.Room, n int) {
	w.t.Helper()
	for i := 0; i < n; i += 50 {
		t, err := w.rooms.turn(w.t.Context(), r.Num, func(st *stage) error {
			for j := i; j < min(i+50, n); j++ {
				user := matrix.UserID(fmt.Sprintf("@spam%d:here.example", j))
				if _, err := st.change(w.t.Context(), Change{Sender: alice, Target: user, Membership: "ban", Reason: strings.Repeat("spam ", 100)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if err := t.Wait(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// However many writes succeed before the disk is full or the server dies, the old room was replaced or is as it was.
func TestUpgradeIsAtomic(t *testing.T) {
	for _, version := range []matrix.Version{"11", "12"} {
		for _, bans := range []int{0, copyPage + 1} {
			for good := 0; ; good++ {
				w := newWorld(t)
				old := w.create(Creation{Preset: "public_chat"})
				w.banMany(old, bans)
				before := w.timeline(old)
				also := func(tx *store.Tx, num store.RoomNum, id matrix.RoomID) { tx.Set("test", []byte(old.ID), []byte(id)) }
				left := good
				w.backend.set(func() error {
					if left--; left < 0 {
						return full()
					}
					return nil
				})
				id, err := w.rooms.Upgrade(t.Context(), old, Upgrade{Sender: alice, Version: version, Also: also})
				w.backend.set(nil)
				w.open() // as after a kill
				moved, rowErr := w.store.Row(t.Context(), "test", []byte(old.ID))
				if rowErr != nil {
					t.Fatal(rowErr)
				}
				if err == nil {
					next := w.room(id)
					if string(moved) != string(id) || field(t, w.state(old, "m.room.tombstone", ""), "replacement_room") != string(id) {
						t.Errorf("acknowledged and not there: %q", moved)
					}
					if n := len(w.timeline(next)); n < 6+bans {
						t.Errorf("the new room has %d events, with %d bans", n, bans)
					}
					break
				}
				if after := w.timeline(old); len(after) != len(before) || moved != nil {
					t.Fatalf("version %s, %d bans, %d writes: half done", version, bans, good)
				}
				w.text(old, alice, "still here")
				w.timeline(w.upgrade(old, Upgrade{Version: version, Also: also}))
				if good > 10 {
					t.Fatal("it never succeeds")
				}
			}
		}
	}
}

// While a room is replaced its members go on, names change, and the new room, which takes several changes to make, is
// found by who looks for it: nobody waits for ever, and each event follows the one before.
func TestUpgradeAmidOthers(t *testing.T) {
	for range 2 {
		w := newWorld(t)
		old := w.create(Creation{Version: "10", Preset: "public_chat"})
		w.join(old, bob)
		w.banMany(old, 3*copyPage)
		stop := make(chan struct{})
		var others sync.WaitGroup
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := w.send(old, bob, "m.room.message", `{"body":"x"}`)
				var refused *matrix.Error
				if err != nil && !errors.As(err, &refused) {
					t.Error(err)
				}
			}
		})
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := w.accounts.SetProfileField(t.Context(), alice, "displayname", fmt.Appendf(nil, `"alice %d"`, i)); err != nil {
					t.Error(err)
				}
				if err := w.rooms.ProfileChanged(t.Context(), alice); err != nil { // she is in the new room, too
					t.Error(err)
				}
			}
		})
		ids := make(chan matrix.RoomID, 2)
		for range 2 {
			others.Go(func() {
				id, err := w.rooms.Upgrade(t.Context(), old, Upgrade{Sender: alice, Version: "11"})
				if err != nil {
					t.Error(err)
				}
				ids <- id
			})
		}
		first, second := <-ids, <-ids
		close(stop)
		others.Wait()
		if first != second {
			t.Errorf("two replacements: %s and %s", first, second)
		}
		w.timeline(old)
		next := w.room(first)
		bans := 0
		for _, e := range w.timeline(next) {
			bans += int(count(e.Membership() == "ban"))
		}
		if bans != 3*copyPage {
			t.Errorf("%d bans", bans)
		}
	}
}
