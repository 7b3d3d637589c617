package authrules

import (
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
)

func TestCreateRule(t *testing.T) {
	// Wants are those of room versions 1 to 10, 11, and 12.
	for _, tt := range []struct {
		name   string
		change func(e *event.Event)
		wants  [3]string
	}{
		{"usual", func(*event.Event) {}, [3]string{"ok", "ok", "ok"}},
		{"it follows an event", func(e *event.Event) { e.PrevEvents = []matrix.EventID{"$a"} }, [3]string{"1.1", "1.1", "1.1"}},
		{"the room is of another server", func(e *event.Event) {
			e.RoomID, e.JSON = "!room:y", []byte(`{"room_id":"!room:y"}`)
		}, [3]string{"1.2", "1.2", "1.2"}},
		{"it names its room", func(e *event.Event) { e.JSON = []byte(`{"room_id":"!room:x"}`) }, [3]string{"ok", "ok", "1.2"}},
		{"unknown version", func(e *event.Event) { e.Content = []byte(`{"creator":"@a:x","room_version":"99"}`) },
			[3]string{"1.3", "1.3", "1.3"}},
		{"the version is no string", func(e *event.Event) { e.Content = []byte(`{"creator":"@a:x","room_version":1}`) },
			[3]string{"1.3", "1.3", "1.3"}},
		{"known version", func(e *event.Event) { e.Content = []byte(`{"creator":"@a:x","room_version":"12"}`) },
			[3]string{"ok", "ok", "ok"}},
		{"no creator", func(e *event.Event) { e.Content = []byte(`{}`) }, [3]string{"1.4", "ok", "ok"}},
		{"creators are no array", func(e *event.Event) {
			e.Content = []byte(`{"additional_creators":"@a:x","creator":"@a:x"}`)
		}, [3]string{"ok", "ok", "1.4"}},
		{"creators are no strings", func(e *event.Event) {
			e.Content = []byte(`{"additional_creators":["@a:x",42],"creator":"@a:x"}`)
		}, [3]string{"ok", "ok", "1.4"}},
		{"creators are no user ids", func(e *event.Event) {
			e.Content = []byte(`{"additional_creators":["@a:x","b"],"creator":"@a:x"}`)
		}, [3]string{"ok", "ok", "1.4"}},
		{"a creator of no server", func(e *event.Event) {
			e.Content = []byte(`{"additional_creators":["@invalid:dom$ain$.com"],"creator":"@a:x"}`)
		}, [3]string{"ok", "ok", "1.4"}},
		{"more creators", func(e *event.Event) {
			e.Content = []byte(`{"additional_creators":["@a:x","@b:y.org:8448"],"creator":"@a:x"}`)
		}, [3]string{"ok", "ok", "ok"}},
	} {
		for _, v := range matrix.Versions() {
			want := tt.wants[0]
			if v.CreatorIsSender {
				want = tt.wants[1]
			}
			if v.RoomIDIsCreateHash {
				want = tt.wants[2]
			}
			e := newCreate(v, `{"creator":"@creator:x"}`)
			if tt.change(e); v.RoomIDIsCreateHash && tt.name == "it follows an event" {
				e.JSON = []byte(`{}`)
			}
			if got := ruleOf(t, Check(e, plain{})); got != want {
				t.Errorf("%s: room version %s: %s, not %s", tt.name, v.Version, got, want)
			}
		}
	}
}

// The creator's own join needs nothing but the create event, which it must follow directly.
func TestFirstJoin(t *testing.T) {
	for _, v := range matrix.Versions() {
		state := plain{{Type: event.TypeCreate}: newCreate(v, `{"creator":"@founder:x"}`)}
		creator := matrix.UserID("@founder:x")
		if v.CreatorIsSender {
			creator = "@creator:x"
		}
		refused := map[string]string{"3": "5.2.6", "6": "4.2.6", "8": "4.3.7", "12": "5.3.7"}
		want := refused[string(v.Version)]
		for _, tt := range []struct {
			user matrix.UserID
			prev []matrix.EventID
			ok   bool
		}{
			{creator, []matrix.EventID{"$create"}, true},
			{creator, []matrix.EventID{"$create", "$other"}, false},
			{creator, []matrix.EventID{"$other"}, false},
			{creator, nil, false},
			{"@user:x", []matrix.EventID{"$create"}, false},
		} {
			e := newEvent(v, string(tt.user)+` m.room.member `+string(tt.user)+` {"membership":"join"}`)
			e.PrevEvents = tt.prev
			got := ruleOf(t, Check(e, state))
			if (got == "ok") != tt.ok || want != "" && !tt.ok && got != want {
				t.Errorf("room version %s: %s after %v: %s", v.Version, tt.user, tt.prev, got)
			}
		}
	}
}

func TestRoomIDRule(t *testing.T) {
	v, _ := matrix.LookupVersion("12")
	for room, want := range map[matrix.RoomID]string{
		"!create": "ok", "!other": "2", "!room:x": "2", "$create": "2", "": "2", "!": "2",
	} {
		e := newEvent(v, `@user:x m.room.message - {}`)
		e.RoomID = room
		if got := ruleOf(t, Check(e, newState(v, ""))); got != want {
			t.Errorf("in room %q: %s, not %s", room, got, want)
		}
	}
}
