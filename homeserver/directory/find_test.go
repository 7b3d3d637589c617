package directory

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

func TestFold(t *testing.T) {
	f := newFolder()
	for text, want := range map[string]string{
		"": "", "Abc": "abc", "Ünïcode": "unicode", "u\u0308": "u", "STRASSE": "strasse", "Straße": "strasse", "Ægir Œuvre": "aegir oeuvre",
		"Łódź": "lodz", "Ελλάς": "ελλασ", "ЁЖ": "еж", "日本": "日本", "I": "i", "İ": "i",
	} {
		if got := f.fold(text); got != want {
			t.Errorf("%q folds to %q, want %q", text, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "one": "one", " one  two-three_4 ": "one|two|three|4", "日本go": "日|本|go", "a日b": "a|日|b", "🐒x": "x",
	} {
		if got := strings.Join(words(text), "|"); got != want {
			t.Errorf("the words of %q are %s, want %s", text, got, want)
		}
	}
}

func FuzzFold(f *testing.F) {
	f.Add("Ünïcode café")
	f.Add("\xff\u0308日本")
	folder := newFolder()
	f.Fuzz(func(t *testing.T, text string) {
		folded := folder.fold(text)
		if again := folder.fold(folded); again != folded {
			t.Errorf("%q folds to %q and then to %q", text, folded, again)
		}
		for _, w := range words(folded) {
			if w == "" || !strings.Contains(folded, w) {
				t.Errorf("%q has the word %q", folded, w)
			}
		}
	})
}

func TestPlainTopic(t *testing.T) {
	for content, want := range map[string]string{
		`{}`: "", `{"topic":"a"}`: "a", `{"topic":7}`: "", `{"topic":"a","m.topic":{"m.text":[{"mimetype":"text/html","body":"b"},{"body":"c"}]}}`: "c",
		`{"topic":"a","m.topic":{"m.text":[{"mimetype":"text/html","body":"b"}]}}`: "a", `{"topic":"a","m.topic":{"m.text":[7,{"mimetype":"text/plain","body":"d"}]}}`: "d",
		`{"topic":"a","m.topic":{"m.text":7}}`: "a", `{"topic":"a","m.topic":[]}`: "a", `{"m.topic":{"m.text":[{"body":7},{"body":"e"}]}}`: "e",
	} {
		if got := plainTopic([]byte(content)); got != want {
			t.Errorf("the topic of %s is %q, want %q", content, got, want)
		}
	}
}

func FuzzListToken(f *testing.F) {
	f.Add("n12_7")
	f.Add("p-1_0")
	f.Fuzz(func(t *testing.T, s string) {
		token, err := parseListToken(s)
		if err != nil || s == "" {
			return
		}
		if again, err := parseListToken(token.String()); err != nil || again != token {
			t.Errorf("%q reads as %v, then as %v, %v", s, token, again, err)
		}
		rooms := []*shelved{{room: 3, joined: 9}, {room: 1, joined: 5}, {room: 7, joined: 5}}
		if from, to := token.window(rooms, 2); from < 0 || from > to || to > len(rooms) {
			t.Errorf("the page at %q is from %d to %d", s, from, to)
		}
	})
}

func FuzzHierarchyToken(f *testing.F) {
	f.Add("h7_20_3_s") // the example in the comment
	f.Add("h7_-1_3_a")
	f.Fuzz(func(t *testing.T, s string) {
		token := hierarchyToken{7, 0, 3, true}
		offset, err := token.check(s)
		if token.offset = offset; err == nil && (token.String() != s || offset < 0) {
			t.Errorf("%q reads as %d", s, offset)
		}
	})
}

// The example of the specification.
// spec: client-server-api#ordering-of-children-within-a-space
func TestOrderOfChildren(t *testing.T) {
	var children []child
	for _, c := range []struct {
		room, content string
		time          int64
	}{
		{"!d:x", `{"via":["x"]}`, 1640741000000}, {"!c:x", `{"order":"first","via":["x"]}`, 1640841000000}, {"!e:x", `{"via":["x"]}`, 1640641000000},
		{"!a:x", `{"order":"aaaa","via":["x"]}`, 1640141000000}, {"!b:x", `{"order":" ","via":["x"]}`, 1640341000000},
		{"!g:x", `{"order":"first","via":["x"]}`, 1640841000000}, {"!f:x", `{"order":"first","via":["x"]}`, 1640841000001},
		{"!h:x", `{"order":"` + strings.Repeat("a", 51) + `","via":["x"]}`, 1640741000001}, {"!i:x", `{"order":7,"via":["x"]}`, 1640741000002},
		{"!none:x", `{}`, 0}, {"!empty:x", `{"via":[]}`, 0}, {"!bad:x", `{"via":[1]}`, 0}, {"!text:x", `{"via":"x"}`, 0}, {"room", `{"via":["x"]}`, 0},
	} {
		e := &store.Event{Event: &event.Event{Sender: "@a:x", StateKey: &c.room, Content: []byte(c.content), Time: c.time}}
		if read, ok := readChild(e, false); ok {
			children = append(children, read)
		}
	}
	var got []string
	for _, c := range sortChildren(children) {
		got = append(got, strings.TrimSuffix(string(c.room), ":x"))
	}
	if want := strings.Fields("!b !a !c !g !f !e !d !h !i"); !slices.Equal(got, want) {
		t.Errorf("the order is %q, want %q", got, want)
	}
}

func FuzzChild(f *testing.F) {
	f.Add("!r:x", `{"via":["x"],"order":"a","suggested":true}`)
	f.Fuzz(func(t *testing.T, key, content string) {
		canonical, err := matrix.Canonical([]byte(content))
		if err != nil || !matrix.IsObject(canonical) {
			return
		}
		e := &store.Event{Event: &event.Event{Sender: "@a:x", StateKey: &key, Content: canonical}}
		if c, ok := readChild(e, false); ok && (c.room == "" || len(c.order) > 50) {
			t.Errorf("read %+v", c)
		}
	})
}

// hostileSpace fills rooms with state that makes spaces of them, each of which holds all of them.
func hostileSpace(t testing.TB, d *Directory, spaces, bytes int) []*store.Room {
	t.Helper()
	v, _ := matrix.LookupVersion("11")
	rooms := make([]*store.Room, spaces)
	for i := range rooms {
		rooms[i] = &store.Room{Num: store.RoomNum(i + 1), ID: matrix.RoomID(fmt.Sprintf("!%d:x", i)), Version: v, Joined: 1}
	}
	for _, room := range rooms {
		draft := d.store.Draft()
		var entries []store.StateEntry
		var events []*store.Event
		put := func(typ, key, content string) {
			order := store.Order(len(events) + 1)
			json := fmt.Sprintf(`{"auth_events":[],"content":%s,"depth":1,"hashes":{},"origin_server_ts":1,"prev_events":[],"room_id":%q,"sender":"@a:x","state_key":%q,"type":%q}`, content, room.ID, key, typ)
			e, err := event.Load(v, matrix.EventID(fmt.Sprintf("$%d-%d", room.Num, order)), []byte(json))
			must(t, err)
			events = append(events, &store.Event{Event: e, Room: room.Num, Order: order})
			entries = append(entries, store.StateEntry{Key: event.Key{Type: typ, StateKey: key}, Order: order, ID: e.ID})
		}
		put("m.room.create", "", `{"type":"m.space"}`)
		put("m.room.join_rules", "", `{"join_rule":"public"}`)
		for _, other := range rooms {
			put("m.space.child", string(other.ID), `{"order":"`+strings.Repeat("x", bytes)+`","via":["x"]}`)
		}
		var err error
		room.State, err = draft.Set(t.Context(), room.State, entries...)
		must(t, err)
		_, err = d.store.Apply(t.Context(), func(tx *store.Tx) {
			tx.PutDraft(draft)
			tx.PutNewRoom(room)
			for _, e := range events {
				tx.PutEvent(e)
			}
		})
		must(t, err)
	}
	return rooms
}

// TestHostileSpaces: spaces that all hold each other are shown once each, and huge children are cut off (threat 7).
func TestHostileSpaces(t *testing.T) {
	d, _ := newDirectory(t)
	rooms := hostileSpace(t, d, 40, 20000)
	q := HierarchyRequest{MaxDepth: MaxSpaceDepth, Limit: 25}
	seen := make(map[matrix.RoomID]bool)
	for range 5 {
		page, next, err := d.Hierarchy(t.Context(), "", rooms[0].ID, q)
		must(t, err)
		for _, r := range page {
			if seen[r.Room.ID] {
				t.Errorf("%s comes twice", r.Room.ID)
			}
			seen[r.Room.ID] = true
			if len(r.Children) > maxChildrenBytes+100 {
				t.Errorf("%d bytes of children", len(r.Children))
			}
		}
		if q.From = next; next == "" {
			break
		}
	}
	if q.From != "" || len(seen) < 20 || len(seen) > len(rooms) {
		t.Errorf("%d rooms, then %q", len(seen), q.From)
	}
}
