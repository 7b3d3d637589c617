package authrules

import (
	"slices"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
)

func TestNeeded(t *testing.T) {
	const create, power, rules = "m.room.create ", "m.room.power_levels ", "m.room.join_rules "
	member := func(user string) string { return "m.room.member " + user }
	for _, tt := range []struct {
		name, event string
		want        []string
		from        int // the first room version of which this is true
	}{
		{"create", `@a:x m.room.create "" {}`, nil, 1},
		{"message", `@a:x m.room.message - {}`, []string{create, power, member("@a:x")}, 1},
		{"state", `@a:x m.room.topic "" {}`, []string{create, power, member("@a:x")}, 1},
		{"join", `@a:x m.room.member @a:x {"membership":"join"}`, []string{create, power, member("@a:x"), rules}, 1},
		{"invite", `@a:x m.room.member @b:x {"membership":"invite"}`,
			[]string{create, power, member("@a:x"), member("@b:x"), rules}, 1},
		{"knock", `@a:x m.room.member @a:x {"membership":"knock"}`, []string{create, power, member("@a:x"), rules}, 1},
		{"leave", `@a:x m.room.member @a:x {"membership":"leave"}`, []string{create, power, member("@a:x")}, 1},
		{"kick", `@a:x m.room.member @b:x {"membership":"leave"}`,
			[]string{create, power, member("@a:x"), member("@b:x")}, 1},
		{"ban", `@a:x m.room.member @b:x {"membership":"ban"}`,
			[]string{create, power, member("@a:x"), member("@b:x")}, 1},
		{"no membership", `@a:x m.room.member @b:x {}`, []string{create, power, member("@a:x"), member("@b:x")}, 1},
		{"member without a state key", `@a:x m.room.member - {"membership":"join"}`,
			[]string{create, power, member("@a:x")}, 1},
		{"third-party invite", `@a:x m.room.member @b:x {"membership":"invite","third_party_invite":{"signed":{"token":"t"}}}`,
			[]string{create, power, member("@a:x"), member("@b:x"), rules, "m.room.third_party_invite t"}, 1},
		{"third-party invite without a token", `@a:x m.room.member @b:x {"membership":"invite","third_party_invite":{}}`,
			[]string{create, power, member("@a:x"), member("@b:x"), rules}, 1},
		{"third-party part of a join", `@a:x m.room.member @a:x {"membership":"join","third_party_invite":{"signed":{"token":"t"}}}`,
			[]string{create, power, member("@a:x"), rules}, 1},
		{"restricted join", `@a:x m.room.member @a:x {"join_authorised_via_users_server":"@c:x","membership":"join"}`,
			[]string{create, power, member("@a:x"), rules, member("@c:x")}, 8},
		{"authorised leave", `@a:x m.room.member @a:x {"join_authorised_via_users_server":"@c:x","membership":"leave"}`,
			[]string{create, power, member("@a:x")}, 1},
	} {
		for i, v := range matrix.Versions() {
			want := slices.Clone(tt.want)
			if i+1 < tt.from {
				want = slices.DeleteFunc(want, func(k string) bool { return k == member("@c:x") })
			}
			if v.RoomIDIsCreateHash {
				want = slices.DeleteFunc(want, func(k string) bool { return k == create })
			}
			e := newEvent(v, tt.event)
			var got []string
			for _, k := range Needed(v, e.Type, e.Sender, e.StateKey, e.Content) {
				got = append(got, k.Type+" "+k.StateKey)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: room version %s: %q, not %q", tt.name, v.Version, got, want)
			}
		}
	}
}

// recorder notes what Check asks for.
type recorder struct {
	plain
	asked []event.Key
}

func (r *recorder) Event(k event.Key) (*event.Event, error) {
	r.asked = append(r.asked, k)
	return r.plain.Event(k)
}

// Check asks for nothing but what Needed names and the create event, so auth_events are enough to decide.
func TestCheckAsksForWhatIsNeeded(t *testing.T) {
	state := `@creator:x m.room.join_rules "" {"join_rule":"restricted"}` + "\n" + `@user:x m.room.third_party_invite abc {}`
	for _, notation := range []string{
		`@user:x m.room.message - {}`, `@admin:x m.room.power_levels "" {}`, `@admin:x m.room.topic "" {}`,
		`@out:y m.room.member @out:y {"membership":"join"}`, `@mod:x m.room.member @far:y {"membership":"leave"}`,
		`@other:x m.room.member @other:x {"join_authorised_via_users_server":"@mod:x","membership":"join"}`,
		`@mod:x m.room.member @far:y {"membership":"ban"}`, `@mod:x m.room.member @out:y {"membership":"invite"}`,
		`@out:y m.room.member @out:y {"membership":"knock"}`, `@user:x m.room.third_party_invite t {}`,
		`@user:x m.room.member @out:y {"membership":"invite","third_party_invite":{"signed":{"mxid":"@out:y","token":"abc"}}}`,
	} {
		for _, v := range matrix.Versions() {
			e := newEvent(v, notation)
			needed := append(Needed(v, e.Type, e.Sender, e.StateKey, e.Content), event.Key{Type: event.TypeCreate})
			r := &recorder{plain: newState(v, state)}
			ruleOf(t, Check(e, r))
			for _, k := range r.asked {
				if !slices.Contains(needed, k) && (v.Restricted || !strings.Contains(notation, "authorised")) {
					t.Errorf("room version %s: %s: asks for %v", v.Version, notation, k)
				}
			}
		}
	}
}

func TestCheckAuthEvents(t *testing.T) {
	// The auth events of a message by @user:x; the numbers are below rule 2, or 3 from room version 12 on.
	const create, power, sender = `@creator:x m.room.create "" {}`, `@creator:x m.room.power_levels "" {}`, `@user:x m.room.member @user:x {}`
	for _, tt := range []struct {
		name, auth string // one a line; "rejected " and "elsewhere " before it say what is wrong with it
		old, v12   string
	}{
		{"all", create + "\n" + power + "\n" + sender, "ok", "3.2"},
		{"without create", power + "\n" + sender, "2.4", "ok"},
		{"none", "", "2.4", "ok"},
		{"two for one key", create + "\n" + power + "\n" + power, "2.1", "3.1"},
		{"one too many", create + "\n" + `@creator:x m.room.join_rules "" {}`, "2.2", "3.2"},
		{"another member", create + "\n" + `@mod:x m.room.member @mod:x {}`, "2.2", "3.2"},
		{"a message", create + "\n" + `@user:x m.room.message - {}`, "2.2", "3.2"},
		{"rejected", create + "\n" + "rejected " + power, "2.3", "3.2"},
		{"rejected, otherwise fine", "rejected " + power, "2.3", "3.3"},
		{"of another room", create + "\n" + "elsewhere " + power, "2.5", "3.2"},
		{"of another room, otherwise fine", "elsewhere " + power, "2.4", "3.5"},
	} {
		for _, v := range matrix.Versions() {
			e := newEvent(v, `@user:x m.room.message - {}`)
			var auth []*event.Event
			bad := map[matrix.EventID]bool{}
			for line := range strings.Lines(tt.auth) {
				line, rejected := strings.CutPrefix(strings.TrimSpace(line), "rejected ")
				line, elsewhere := strings.CutPrefix(line, "elsewhere ")
				a := newEvent(v, line)
				if a.ID += matrix.EventID(rune('a' + len(auth))); rejected {
					bad[a.ID] = true
				}
				if elsewhere {
					a.RoomID = "!elsewhere:x"
				}
				auth = append(auth, a)
				e.AuthEvents = append(e.AuthEvents, a.ID)
			}
			want := tt.old
			if v.RoomIDIsCreateHash {
				want = tt.v12
			}
			slices.Reverse(auth)
			got := ruleOf(t, CheckAuthEvents(e, auth, func(id matrix.EventID) bool { return bad[id] }))
			if got != want {
				t.Errorf("%s: room version %s: %s, not %s", tt.name, v.Version, got, want)
			}
		}
	}
}

func TestCheckAuthEventsNeedsThemAll(t *testing.T) {
	v, _ := matrix.LookupVersion("12")
	e := newEvent(v, `@user:x m.room.message - {}`)
	e.AuthEvents = []matrix.EventID{"$unknown"}
	never := func(matrix.EventID) bool { return false }
	for _, auth := range [][]*event.Event{nil, {nil}, {newEvent(v, `@a:x m.room.topic "" {}`)}} {
		err := CheckAuthEvents(e, auth, never)
		if _, refused := err.(*Error); err == nil || refused {
			t.Errorf("an event that is not given: %v", err)
		}
	}
	if err := CheckAuthEvents(newCreate(v, `{}`), nil, never); err != nil {
		t.Errorf("a create event: %v", err)
	}
}
