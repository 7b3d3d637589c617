package room

import (
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// Whatever the state of an old room says, what a new one is given of it is JSON, and levels mean what they meant.
func FuzzUpgradeContent(f *testing.F) {
	for _, seed := range []string{
		`{"alias":"#a:x","alt_aliases":["#a:x","#b:x",7]}`, `{"join_rule":"knock_restricted","allow":[{"type":"m.room_membership"}]}`,
		`{"users":{"@a:x":"100","@b:x":10.5},"events":{"m.room.name":1e9},"ban":50,"invite":-1e300,"notifications":{"room":" 7 "}}`,
		`{"events_default":9007199254740991,"users_default":1e18}`, `{"alias":[],"alt_aliases":{},"join_rule":{}}`,
	} {
		f.Add(seed, uint8(0))
		f.Add(seed, uint8(11))
	}
	versions := matrix.Versions()
	f.Fuzz(func(t *testing.T, content string, n uint8) {
		from := versions[int(n)%len(versions)]
		canonical, err := from.Canonical([]byte(content))
		if err != nil || !matrix.IsObject(canonical) {
			return
		}
		kept, moved := splitAliases(canonical, []matrix.RoomAlias{"#a:x"})
		wantJSON(t, kept)
		wantJSON(t, moved)
		for _, to := range versions {
			wantJSON(t, joinRulesFor(to, canonical))
		}
		p, err := event.ParsePowerLevels(from, canonical)
		if err != nil {
			return
		}
		e := &store.Event{Event: &event.Event{Version: from, Content: canonical}}
		if closed, err := closedLevels(e); err == nil {
			wantJSON(t, closed)
		}
		levels := withLevels(canonical, p)
		wantJSON(t, levels)
		again, err := event.ParsePowerLevels(versions[11], levels)
		if err != nil {
			t.Fatalf("%s became %s: %v", canonical, levels, err)
		}
		for i, s := range scalars(again) {
			if was := scalars(p)[i].level; s.level.Set != was.Set || s.level.Value != min(max(was.Value, -matrix.MaxInt), matrix.MaxInt) {
				t.Errorf("%s of %s became %d", s.name, canonical, s.level.Value)
			}
		}
		if len(again.Users) != len(p.Users) || len(again.Events) != len(p.Events) {
			t.Errorf("%s became %s", canonical, levels)
		}
	})
}

func wantJSON(t *testing.T, raw []byte) {
	t.Helper()
	if _, err := matrix.CanonicalLoose(raw); err != nil || !matrix.IsObject(raw) {
		t.Errorf("%s: %v", raw, err)
	}
}
