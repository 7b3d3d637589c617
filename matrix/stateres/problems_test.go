package stateres

import (
	"fmt"
	"maps"
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
)

// The cases that led to algorithm 2.1: state resets that happen although nobody's rights were revoked, after a
// server has been told an outdated state (/state_ids of a faulty server). MSC4297 describes both.

// powerContent gives levels to users; the creator of a room before version 12 needs one too.
func powerContent(v *matrix.RoomVersion, users string) string {
	if !v.PrivilegedCreators {
		users = `"@creator:x":100,` + users
	}
	return fmt.Sprintf(`{"users":{%s}}`, users)
}

var (
	joinRules   = event.Key{Type: event.TypeJoinRules}
	powerLevels = event.Key{Type: event.TypePowerLevels}
)

// Problem A: conflicting events are not authorised by the unconflicted state, because it is newer than they are.
// Alice made the room invite-only and left. One state still has the join rules from before.
func TestProblemA(t *testing.T) {
	for version, want := range map[matrix.Version]matrix.EventID{"10": "", "11": "", "12": "$invite-only"} {
		w := newWorld(t, version)
		state := w.create("@creator:x")
		w.send(state, "$power", "@creator:x", event.TypePowerLevels, "", powerContent(w.v, `"@alice:x":100`))
		w.send(state, "$public", "@creator:x", event.TypeJoinRules, "", `{"join_rule":"public"}`)
		w.join(state, "@alice:x")
		w.send(state, "$public-again", "@alice:x", event.TypeJoinRules, "", `{"join_rule":"public"}`)
		w.join(state, "@bob:x")
		outdated := state[joinRules]
		w.send(state, "$invite-only", "@alice:x", event.TypeJoinRules, "", `{"join_rule":"invite"}`)
		w.send(state, "$alice-leaves", "@alice:x", event.TypeMember, "@alice:x", `{"membership":"leave"}`)
		wrong := maps.Clone(state)
		wrong[joinRules] = outdated
		w.send(state, "$topic", "@creator:x", "m.room.topic", "", `{}`)

		got := w.resolve(t, state, wrong)
		if got[joinRules] != want {
			t.Errorf("room version %s: the join rules are %q, not %q", version, got[joinRules], want)
		}
		if ref := newReference(t, w, []stateMap{state, wrong}).resolve(); !maps.Equal(got, ref) {
			t.Errorf("room version %s: %v is not what the reference has, %v", version, got, ref)
		}
	}
}

// Problem B: conflicting events need events between them that all forks have seen. Alice promotes Bob, who promotes
// Charlie. One state still has the power levels from before, though its members have seen the new ones.
func TestProblemB(t *testing.T) {
	for version, want := range map[matrix.Version]matrix.EventID{"10": "$power1", "11": "$power1", "12": "$power3"} {
		w := newWorld(t, version)
		state := w.create("@creator:x")
		w.send(state, "$public", "@creator:x", event.TypeJoinRules, "", `{"join_rule":"public"}`)
		w.send(state, "$power1", "@creator:x", event.TypePowerLevels, "", powerContent(w.v, `"@alice:x":100`))
		for _, user := range []matrix.UserID{"@alice:x", "@bob:x", "@charlie:y"} {
			w.join(state, user)
		}
		w.send(state, "$power2", "@alice:x", event.TypePowerLevels, "",
			powerContent(w.v, `"@alice:x":100,"@bob:x":50`))
		w.send(state, "$power3", "@bob:x", event.TypePowerLevels, "",
			powerContent(w.v, `"@alice:x":100,"@bob:x":50,"@charlie:y":50`))
		w.join(state, "@eve:y")
		wrong := maps.Clone(state)
		wrong[powerLevels] = "$power1"
		w.join(state, "@zara:x")
		wrong[event.Key{Type: event.TypeMember, StateKey: "@eve:y"}] = w.send(maps.Clone(state), "$eve-renamed", "@eve:y",
			event.TypeMember, "@eve:y", `{"displayname":"Eve 1","membership":"join"}`)

		got := w.resolve(t, state, wrong)
		if got[powerLevels] != want {
			t.Errorf("room version %s: the power levels are %q, not %q", version, got[powerLevels], want)
		}
		if ref := newReference(t, w, []stateMap{state, wrong}).resolve(); !maps.Equal(got, ref) {
			t.Errorf("room version %s: %v is not what the reference has, %v", version, got, ref)
		}
	}
}

// Without any outdated state, the two algorithms agree: a ban wins over what the banned user does at the same time.
func TestBanWins(t *testing.T) {
	for _, version := range []matrix.Version{"2", "6", "11", "12"} {
		w := newWorld(t, version)
		base := w.create("@creator:x")
		w.send(base, "$public", "@creator:x", event.TypeJoinRules, "", `{"join_rule":"public"}`)
		w.send(base, "$power", "@creator:x", event.TypePowerLevels, "", powerContent(w.v, `"@bob:x":50`))
		w.join(base, "@bob:x")
		theirs := maps.Clone(base)
		w.send(theirs, "$bobs-topic", "@bob:x", "m.room.topic", "", `{}`)
		w.send(theirs, "$bobs-rules", "@bob:x", event.TypeJoinRules, "", `{"join_rule":"invite"}`)
		ours := maps.Clone(base)
		w.send(ours, "$ban", "@creator:x", event.TypeMember, "@bob:x", `{"membership":"ban"}`)

		got := w.resolve(t, theirs, ours)
		want := maps.Clone(base)
		want[event.Key{Type: event.TypeMember, StateKey: "@bob:x"}] = "$ban"
		if !maps.Equal(got, want) {
			t.Errorf("room version %s: resolved to %v, not to %v", version, got, want)
		}
	}
}
