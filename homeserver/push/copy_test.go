package push

import (
	"encoding/json"
	"fmt"
	"testing"

	"hearth/matrix"
)

func TestCopyRules(t *testing.T) {
	w := memory(t)
	const user, from, to = matrix.UserID("@ann:x"), matrix.RoomID("!from:x"), matrix.RoomID("!to:x")
	put := func(kind string, r Rule) {
		t.Helper()
		r.Enabled = true
		r.Actions = []json.RawMessage{[]byte(`"notify"`)}
		if err := w.push.Put(t.Context(), user, kind, r, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	in := func(room matrix.RoomID) []Condition {
		pattern := string(room)
		return []Condition{{Kind: "event_match", Key: "room_id", Pattern: &pattern}, {Kind: "contains_display_name"}}
	}
	before := w.store.Durable()
	if err := w.push.CopyRules(t.Context(), user, from, to); err != nil || w.store.Durable() != before {
		t.Errorf("nothing to copy: %v, and something was written", err)
	}
	put("room", Rule{ID: "!other:x"})
	put("room", Rule{ID: string(from)})
	put("override", Rule{ID: string(from), Conditions: in(from)})
	put("underride", Rule{ID: "mine", Conditions: in(from)})
	put("sender", Rule{ID: "@ben:x"})
	if err := w.push.SetEnabled(t.Context(), user, "room", string(from), false); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time nothing changes
		if err := w.push.CopyRules(t.Context(), user, from, to); err != nil {
			t.Fatal(err)
		}
		rs, err := w.push.Rules(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"room": "[!from:x !to:x !other:x]", "override": "[!from:x !to:x]", "underride": "[mine !to:x]", "sender": "[@ben:x]"}
		for kind, ids := range want {
			var own []string
			for _, r := range rs.Global()[kind] {
				if !r.Default {
					own = append(own, r.ID)
				}
			}
			if got := fmt.Sprint(own); got != ids {
				t.Errorf("%s rules %s, want %s", kind, got, ids)
			}
		}
		for _, kind := range []string{"override", "underride"} {
			r, err := rs.Find(kind, string(to))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(r.Conditions)
			if err != nil || string(got) != `[{"kind":"event_match","key":"room_id","pattern":"!to:x"},{"kind":"contains_display_name"}]` {
				t.Errorf("%s conditions %s, %v", kind, got, err)
			}
		}
		if r, err := rs.Find("room", string(to)); err != nil || r.Enabled {
			t.Errorf("the copy of a rule that is off: %+v, %v", r, err)
		}
	}
	// What the user says of the new room stays, and a rule with a room's id in another key is not about the room.
	if err := w.push.Delete(t.Context(), user, "room", string(to)); err != nil {
		t.Fatal(err)
	}
	put("room", Rule{ID: string(to)})
	if err := w.push.CopyRules(t.Context(), user, from, to); err != nil {
		t.Fatal(err)
	}
	rs, err := w.push.Rules(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := rs.Find("room", string(to)); err != nil || !r.Enabled {
		t.Errorf("the user's own rule: %+v, %v", r, err)
	}
}
