package event

import (
	"errors"
	"math"
	"testing"

	"hearth/matrix"
)

// A value of a property, the versions that accept it, and the level it is.
// spec: rooms/v1#deprecated-event-content-schemas, rooms/v10#authorisation-rules
func TestPowerLevelNumbers(t *testing.T) {
	for _, c := range []struct {
		value string
		last  int // the last version that accepts it
		level int64
	}{
		{`50`, 12, 50},
		{`-50`, 12, -50},
		{`9007199254740991`, 12, 1<<53 - 1},
		{`"100"`, 9, 100},
		{`"000100"`, 9, 100},
		{`"+100"`, 9, 100},
		{`"-100"`, 9, -100},
		{`" 100 "`, 9, 100},
		{`" 00100 "`, 9, 100},
		{`" +100 "`, 9, 100},
		{`" -100\t\n"`, 9, -100},
		{`"99999999999999999999"`, 9, math.MaxInt64},
		{`"-99999999999999999999"`, 9, math.MinInt64},
		{`""`, 0, 0},
		{`" "`, 0, 0},
		{`"+"`, 0, 0},
		{`"+-1"`, 0, 0},
		{`"1 0"`, 0, 0},
		{`"1_0"`, 0, 0},
		{`"50.5"`, 0, 0},
		{`"1e2"`, 0, 0},
		{`"0x10"`, 0, 0},
		{`"ten"`, 0, 0},
		{`50.57`, 5, 50},
		{`-50.57`, 5, -50},
		{`5.114698E4`, 5, 51146},
		{`1e2`, 5, 100},
		{`-0.0`, 5, 0},
		{`99999999999999999999`, 5, math.MaxInt64},
		{`-1e300`, 5, math.MinInt64},
		{`1e309`, 0, 0},
		{`true`, 0, 0},
		{`[50]`, 0, 0},
		{`{}`, 0, 0},
	} {
		for i, v := range matrix.Versions() {
			want := i+1 <= c.last
			for content, property := range map[string]string{
				`{"ban":` + c.value + `}`:                    "ban",
				`{"users":{"@a:b":` + c.value + `}}`:         "users",
				`{"events":{"m.x":` + c.value + `}}`:         "events",
				`{"notifications":{"room":` + c.value + `}}`: "notifications",
			} {
				p, err := ParsePowerLevels(v, []byte(content))
				var bad *LevelError
				if (err == nil) != want || err != nil && (!errors.As(err, &bad) || bad.Property != property) {
					t.Errorf("version %s: %s: %v", v.Version, content, err)
					continue
				}
				if err != nil {
					continue
				}
				got := map[string]int64{
					"ban": p.BanLevel(), "users": p.User("@a:b"), "events": p.Event("m.x", false), "notifications": p.Notification("room"),
				}[property]
				if got != c.level {
					t.Errorf("version %s: %s is %d", v.Version, content, got)
				}
			}
		}
	}
}

func TestPowerLevelShapes(t *testing.T) {
	for _, c := range []struct {
		content     string
		first, last int
	}{
		{`{}`, 1, 12},
		{`{"users":{}}`, 1, 12},
		{`{"x":"y","events":{}}`, 1, 12},
		{`{"ban":null}`, 1, 9},
		{`{"users":null}`, 0, 0},
		{`{"users":[]}`, 0, 0},
		{`{"events":[]}`, 0, 0},
		{`{"notifications":1}`, 0, 0},
		{`{"users":{"@a:b":null}}`, 0, 0},
		{`{"users":{"alice":1}}`, 0, 0},
		{`{"users":{"@alice":1}}`, 0, 0},
		{`{"users":{"@ä:b":1}}`, 1, 12},
	} {
		for i, v := range matrix.Versions() {
			if _, err := ParsePowerLevels(v, []byte(c.content)); (err == nil) != in(i+1, c.first, c.last) {
				t.Errorf("version %s: %s: %v", v.Version, c.content, err)
			}
		}
	}
}

// spec: client-server-api#mroompower_levels
func TestPowerLevelDefaults(t *testing.T) {
	empty, err := ParsePowerLevels(version(t, "12"), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*PowerLevels{nil, empty} {
		got := [...]int64{
			p.User("@a:b"), p.Event("m.room.message", false), p.Event("m.room.name", true), p.Notification("room"),
			p.BanLevel(), p.KickLevel(), p.RedactLevel(), p.InviteLevel(),
		}
		if want := [...]int64{0, 0, 50, 50, 50, 50, 50, 0}; got != want {
			t.Errorf("defaults are %v", got)
		}
	}
	set, err := ParsePowerLevels(version(t, "12"), []byte(`{"ban":1,"events":{"z":9,"a":8},"events_default":2,"invite":3,"kick":4,
		"notifications":{"room":5},"redact":6,"state_default":7,"users":{"@b:c":11,"@a:c":10},"users_default":12}`))
	if err != nil {
		t.Fatal(err)
	}
	got := [...]int64{
		set.BanLevel(), set.Event("x", false), set.InviteLevel(), set.KickLevel(), set.Notification("room"), set.RedactLevel(),
		set.Event("x", true), set.Event("a", true), set.Event("z", false), set.User("@a:c"), set.User("@b:c"), set.User("@c:c"),
		set.Notification("other"),
	}
	if want := [...]int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 50}; got != want {
		t.Errorf("levels are %v", got)
	}
	if set.Ban != (Level{1, true}) || empty.Ban.Set {
		t.Error("wrong presence of ban")
	}
}
