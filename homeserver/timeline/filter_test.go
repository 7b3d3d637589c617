package timeline

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false}, {"*", "", true}, {"*", "m.room.message", true},
		{"m.room.*", "m.room.message", true}, {"m.room.*", "m.room.", true}, {"m.room.*", "m.room", false},
		{"*.message", "m.room.message", true}, {"*.message", "m.room.messages", false}, {"m.*.name", "m.room.name", true},
		{"m.*.name", "m.name", false}, {"**a**", "banana", true}, {"a*a", "a", false}, {"*ana", "banana", true},
		{"m.room.name", "m.room_name", false}, {"?", "a", false}, {"[a]", "a", false}, {"*é", "café", true},
	} {
		if got := glob(c.pattern, c.s); got != c.want {
			t.Errorf("glob(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

// TestGlobIsBounded would not end if the time were exponential.
func TestGlobIsBounded(t *testing.T) {
	if glob(strings.Repeat("*a", 1000)+"b", strings.Repeat("a", 4000)) {
		t.Error("it matched")
	}
}

func TestSelects(t *testing.T) {
	e := &store.Event{Event: &event.Event{Type: "m.room.message", Sender: "@a:x", Content: []byte(`{"url":"mxc://x/y"}`)}}
	for filter, want := range map[string]bool{
		``: true, `{}`: true, `{"types":[]}`: false, `{"types":["m.room.*"]}`: true, `{"types":["m.x","*message"]}`: true,
		`{"types":["m.room.name"]}`: false, `{"types":["*"],"not_types":["m.room.message"]}`: false, `{"not_types":["m.x*"]}`: true,
		`{"senders":[]}`: false, `{"senders":["@a:x"]}`: true, `{"senders":["@a:x"],"not_senders":["@a:x"]}`: false,
		`{"senders":["@*:x"]}`: false, `{"contains_url":true}`: true, `{"contains_url":false}`: false,
	} {
		f, err := ParseEventFilter(filter)
		if err != nil {
			t.Fatal(err)
		}
		if f.Selects(e) != want {
			t.Errorf("%s selects %v", filter, !want)
		}
	}
	e.Content = []byte(`{"url":1}`)
	f, err := ParseEventFilter(`{"contains_url":true}`)
	if err != nil || f.Selects(e) {
		t.Errorf("a url that is no string: %v", err)
	}
}

func TestFilterRoomsAndLimits(t *testing.T) {
	f, err := ParseEventFilter(`{"rooms":["!a:x","!b:x"],"not_rooms":["!b:x"],"limit":50}`)
	if err != nil {
		t.Fatal(err)
	}
	if !f.Room("!a:x") || f.Room("!b:x") || f.Room("!c:x") {
		t.Error("rooms are selected wrongly")
	}
	if f.Max(10, 100) != 50 || f.Max(10, 20) != 20 || new(EventFilter).Max(10, 20) != 10 {
		t.Error("limits are wrong")
	}
}

func TestBadFilters(t *testing.T) {
	many := `["` + strings.Repeat(`a","`, maxFilterItems) + `a"]`
	for _, text := range []string{
		`{`, `[]`, `1`, `{"types":"m.x"}`, `{"limit":"1"}`, `{"limit":1.5}`, `{"types":` + many + `}`, `{"not_types":` + many + `}`,
		`{"senders":` + many + `}`, `{"rooms":` + many + `}`, `{"related_by_rel_types":` + many + `}`,
	} {
		_, err := ParseEventFilter(text)
		var m *matrix.Error
		if !errors.As(err, &m) || m.Status != 400 || m.Code != matrix.MInvalidParam {
			t.Errorf("%.40s: %v", text, err)
		}
	}
}

func FuzzEventFilter(f *testing.F) {
	f.Add(`{"types":["m.room.*"],"not_types":["*e"],"limit":5}`, "m.room.name")
	f.Add(`{"senders":["@a:x"],"contains_url":true}`, "m")
	f.Add(`{"types":["**","a*b*c"]}`, "abc")
	f.Fuzz(func(t *testing.T, text, typ string) {
		filter, err := ParseEventFilter(text)
		if err != nil {
			return
		}
		want := filter.Types == nil
		if !want {
			for _, p := range *filter.Types {
				want = want || globByRegexp(p, typ)
			}
		}
		for _, p := range filter.NotTypes {
			want = want && !globByRegexp(p, typ)
		}
		if len(text)+len(typ) < 1000 && filter.Type(typ) != want {
			t.Errorf("%q selects %q: %v", text, typ, !want)
		}
		if n := filter.Max(10, 100); n < 0 || n > 100 {
			t.Errorf("limit %d", n)
		}
	})
}

func globByRegexp(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	re, err := regexp.Compile(`(?s)\A` + strings.Join(parts, ".*") + `\z`)
	return err != nil && glob(pattern, s) || err == nil && re.MatchString(s)
}
