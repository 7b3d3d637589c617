package clientapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
	"hearth/storage/blobtest"
)

// foundEvents is as much of an answer of /search as these tests look at.
type foundEvents struct {
	Count      int
	Highlights []string
	Next       string `json:"next_batch"`
	Results    []struct {
		Rank    float64
		Result  wire.Event
		Context *struct {
			Start, End string
			Before     []wire.Event                        `json:"events_before"`
			After      []wire.Event                        `json:"events_after"`
			Profiles   map[matrix.UserID]map[string]string `json:"profile_info"`
		}
	}
	State  map[matrix.RoomID][]wire.Event
	Groups map[string]map[string]struct {
		Next    string `json:"next_batch"`
		Order   int
		Results []matrix.EventID
	}
}

// find searches; criteria are what room_events holds beside the term, as JSON members.
func find(ts *testServer, c *wire.Client, term, criteria, next string) *foundEvents {
	ts.t.Helper()
	query := ""
	if next != "" {
		query = "?next_batch=" + url.QueryEscape(next)
	}
	text, _ := json.Marshal(term)
	if criteria != "" {
		criteria = "," + criteria
	}
	var out struct {
		Categories struct {
			Events foundEvents `json:"room_events"`
		} `json:"search_categories"`
	}
	body := fmt.Sprintf(`{"search_categories":{"room_events":{"search_term":%s%s}}}`, text, criteria)
	must(ts.t, json.Unmarshal([]byte(ts.want(c, "POST", v3+"/search"+query, body, 200, "")), &out))
	return &out.Categories.Events
}

func (f *foundEvents) ids() []matrix.EventID {
	out := []matrix.EventID{}
	for i := range f.Results {
		out = append(out, f.Results[i].Result.ID)
	}
	return out
}

// wantFound searches for the most recent and fails the test unless these events, newest first, are found.
func wantFound(ts *testServer, c *wire.Client, term string, want ...matrix.EventID) *foundEvents {
	ts.t.Helper()
	f := find(ts, c, term, `"order_by":"recent"`, "")
	if got := f.ids(); !slices.Equal(got, want) {
		ts.t.Errorf("%q: found %q, want %q", term, got, want)
	}
	return f
}

// spec: client-server-api#server-side-search
func TestSearch(t *testing.T) {
	backend := blobtest.NewMemory()
	ts := newServerOver(t, backend)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	first := say(t, alice, room, "The Café is closed; see you at eight o'clock")
	second := say(t, bob, room, "café CAFE coffee")
	chinese := say(t, bob, room, "我们明天去猫咖啡馆")
	wantFound(ts, alice, "cafe", second, first)
	wantFound(ts, alice, "the closed café", first)
	wantFound(ts, alice, `"is closed"`, first)
	wantFound(ts, alice, `"closed is"`)
	wantFound(ts, alice, "o'clock", first)
	wantFound(ts, alice, "cafe -coffee", first)
	wantFound(ts, alice, `cafe -"closed is"`, second, first)
	wantFound(ts, alice, "caf")
	wantFound(ts, alice, "明天", chinese)
	wantFound(ts, alice, "猫", chinese)
	wantFound(ts, alice, "馆", chinese)
	wantFound(ts, alice, "天明")
	wantFound(ts, alice, "!?")
	f := wantFound(ts, bob, "CAFÉ closed", first)
	if f.Count != 1 || !slices.Equal(f.Highlights, []string{"café", "closed"}) || f.Results[0].Rank <= 0 || f.Next != "" {
		t.Errorf("found %+v", f)
	}
	// By rank, which is the default, the text that says it more often and little else comes first.
	say(t, alice, room, "a cafe among very many other words that do not matter to anybody who looks for it, or to anybody else at all")
	f = find(ts, alice, "cafe", "", "")
	if len(f.Results) != 3 || f.Results[0].Result.ID != second || f.Results[0].Rank <= f.Results[2].Rank || f.Results[0].Context != nil {
		t.Errorf("by rank: %+v", f.Results)
	}
	again := newServerOver(t, backend) // what was not written is indexed again
	alice.Base, alice.HTTP = again.base, again.http
	wantFound(again, alice, "明天", chinese)
}

func TestSearchKeys(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	message := say(t, alice, room, "garden")
	named := name(t, alice, room, "Garden club")
	topic, err := alice.SendState(t.Context(), room, "m.room.topic", "", map[string]any{
		"topic": "flowers", "m.topic": map[string]any{"m.text": []map[string]string{
			{"mimetype": "text/html", "body": "<b>hedges</b>"}, {"body": "our garden"},
		}},
	})
	must(t, err)
	_, err = alice.SendState(t.Context(), room, "m.room.topic", "other", map[string]any{"topic": "garden"})
	must(t, err)
	_, err = alice.Send(t.Context(), room, "org.example.message", "x", map[string]string{"body": "garden"})
	must(t, err)
	wantFound(ts, alice, "garden", topic, named, message)
	wantFound(ts, alice, "flowers", topic)
	wantFound(ts, alice, "hedges")
	for keys, want := range map[string][]matrix.EventID{
		`"content.body"`: {message}, `"content.name"`: {named}, `"content.topic"`: {topic},
		`"content.name","content.body"`: {named, message}, ``: {topic, named, message},
	} {
		if got := find(ts, alice, "garden", `"order_by":"recent","keys":[`+keys+`]`, "").ids(); !slices.Equal(got, want) {
			t.Errorf("keys %s: %q, want %q", keys, got, want)
		}
	}
}

// TestSearchShowsOnlyWhatOneMaySee: threat 6.
func TestSearchShowsOnlyWhatOneMaySee(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob)
	before := say(t, alice, room, "secret one")
	wantFound(ts, carol, "secret")
	must(t, bob.Leave(t.Context(), room))
	after := say(t, alice, room, "secret two")
	wantFound(ts, bob, "secret", before)
	wantFound(ts, alice, "secret", after, before)
	_, err := alice.SendState(t.Context(), room, "m.room.history_visibility", "", map[string]string{"history_visibility": "joined"})
	must(t, err)
	hidden := say(t, alice, room, "secret three")
	_, err = carol.Join(t.Context(), string(room))
	must(t, err)
	last := say(t, alice, room, "secret four")
	wantFound(ts, carol, "secret", last, after, before) // shared until it was not
	ts.want(carol, "PUT", v3+"/user/"+string(carol.User)+"/account_data/m.ignored_user_list", `{"ignored_users":{"@alice:here.example":{}}}`, 200, "")
	wantFound(ts, carol, "secret")
	_, err = alice.Redact(t.Context(), room, hidden, "redact", "")
	must(t, err)
	wantFound(ts, alice, "secret", last, after, before)
	must(t, bob.Forget(t.Context(), room))
	wantFound(ts, bob, "secret")
	wantFound(ts, alice, "three") // not a trace
}

// TestSearchOfErasedUsers: only who was there when they wrote it finds it still.
func TestSearchOfErasedUsers(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob)
	written := say(t, bob, room, "secret")
	_, err := carol.Join(t.Context(), string(room))
	must(t, err)
	wantFound(ts, carol, "secret", written)
	deactivate(t, bob, true)
	wantFound(ts, alice, "secret", written)
	wantFound(ts, carol, "secret")
}

// TestSearchOfEncryptedRooms: what is sent in the clear there is not searched either.
func TestSearchOfEncryptedRooms(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	clear := say(t, alice, room, "words before")
	_, err := alice.SendState(t.Context(), room, "m.room.encryption", "", map[string]string{"algorithm": "m.megolm.v1.aes-sha2"})
	must(t, err)
	say(t, alice, room, "words behind")
	name(t, alice, room, "words of a name")
	wantFound(ts, alice, "words", clear)
}

func TestSearchOfEdits(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	message := say(t, alice, room, "meet on monday")
	must(t, bob.Leave(t.Context(), room))
	edit := func(text string) matrix.EventID {
		t.Helper()
		id, err := alice.Send(t.Context(), room, "m.room.message", text, map[string]any{
			"body": "* " + text, "msgtype": "m.text", "m.new_content": map[string]string{"body": text, "msgtype": "m.text"},
			"m.relates_to": map[string]string{"rel_type": "m.replace", "event_id": string(message)},
		})
		must(t, err)
		return id
	}
	edit("meet on tuesday")
	second := edit("meet on friday")
	wantFound(ts, alice, "friday", message)
	wantFound(ts, alice, "monday")
	wantFound(ts, alice, "tuesday")
	wantFound(ts, alice, "meet", message)
	wantFound(ts, bob, "monday", message) // he left before the edit, and reads what was there
	wantFound(ts, bob, "friday")
	_, err := alice.Redact(t.Context(), room, second, "redact", "")
	must(t, err)
	wantFound(ts, alice, "friday")
	wantFound(ts, alice, "tuesday", message)
	_, err = alice.Redact(t.Context(), room, message, "all", "")
	must(t, err)
	wantFound(ts, alice, "tuesday")
	wantFound(ts, bob, "monday")
}

func TestSearchContext(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	must(t, alice.SetProfileField(t.Context(), "displayname", "Alice"))
	room := conversation(t, alice, bob)
	for i := range 8 {
		say(t, bob, room, fmt.Sprint("before ", i))
	}
	needle := say(t, alice, room, "needle")
	for i := range 8 {
		say(t, bob, room, fmt.Sprint("after ", i))
	}
	must(t, alice.SetProfileField(t.Context(), "displayname", "Alicia")) // later than what is found
	f := find(ts, alice, "needle", `"event_context":{"before_limit":2,"after_limit":1,"include_profile":true},"include_state":true`, "")
	if len(f.Results) != 1 || f.Results[0].Context == nil {
		t.Fatalf("found %+v", f)
	}
	c := f.Results[0].Context
	wantBrief(t, "before", c.Before, "before 7", "before 6")
	wantBrief(t, "after", c.After, "after 0")
	if len(c.Profiles) != 2 || c.Profiles[alice.User]["displayname"] != "Alice" || c.Start == "" || c.End == "" {
		t.Errorf("context %+v", c)
	}
	var page struct{ Chunk []wire.Event }
	must(t, alice.Do(t.Context(), "GET", v3+"/rooms/"+url.PathEscape(string(room))+"/messages", url.Values{"dir": {"b"}, "limit": {"1"}, "from": {c.Start}}, nil, &page))
	wantBrief(t, "on from start", page.Chunk, "before 5")
	if len(f.State) != 1 || len(f.State[room]) < 6 {
		t.Errorf("state %+v", f.State)
	}
	f = find(ts, alice, "needle", `"event_context":{}`, "")
	if c := f.Results[0].Context; len(c.Before) != 5 || len(c.After) != 5 || c.Profiles != nil || f.State != nil || f.Results[0].Result.ID != needle {
		t.Errorf("by default: %+v", c)
	}
	f = find(ts, alice, "needle", `"event_context":{"before_limit":0,"after_limit":0}`, "")
	if c := f.Results[0].Context; len(c.Before)+len(c.After) > 0 {
		t.Errorf("of none: %+v", c)
	}
}

func TestSearchFilter(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, other := conversation(t, alice, bob), conversation(t, alice, bob)
	one, two := say(t, alice, room, "word one"), say(t, bob, room, "word two")
	three := say(t, alice, other, "word three")
	picture, err := alice.Send(t.Context(), other, "m.room.message", "p", map[string]string{"msgtype": "m.image", "body": "word.png", "url": "mxc://x/y"})
	must(t, err)
	for filter, want := range map[string][]matrix.EventID{
		`{}`:                                     {picture, three, two, one},
		`{"rooms":["` + string(room) + `"]}`:     {two, one},
		`{"not_rooms":["` + string(room) + `"]}`: {picture, three},
		`{"senders":["@bob:here.example"]}`:      {two},
		`{"not_senders":["@bob:here.example"],"contains_url":false}`: {three, one},
		`{"contains_url":true}`:                  {picture},
		`{"types":["m.room.name"]}`:              {},
		`{"not_types":["m.room.*"]}`:             {},
		`{"types":["m.room.message"],"limit":2}`: {picture, three},
		`{"rooms":[]}`:                           {},
	} {
		if got := find(ts, alice, "word", `"order_by":"recent","filter":`+filter, "").ids(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
}

// TestSearchOfUpgradedRooms finds what was said in a room's predecessors.
func TestSearchOfUpgradedRooms(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	old := conversation(t, alice)
	inOld := say(t, alice, old, "history")
	room, err := alice.CreateRoom(t.Context(), wire.CreateRoom{Preset: "public_chat", CreationContent: map[string]any{
		"predecessor": map[string]string{"room_id": string(old), "event_id": string(inOld)},
	}})
	must(t, err)
	inNew := say(t, alice, room, "history")
	_, err = bob.Join(t.Context(), string(room))
	must(t, err)
	search := func(c *wire.Client, filter string) []matrix.EventID {
		t.Helper()
		return find(ts, c, "history", `"order_by":"recent","filter":`+filter, "").ids()
	}
	if got := search(alice, `{"rooms":["`+string(room)+`"]}`); !slices.Equal(got, []matrix.EventID{inNew, inOld}) {
		t.Errorf("found %q", got)
	}
	if got := search(alice, `{"rooms":["`+string(room)+`"],"not_rooms":["`+string(old)+`"]}`); !slices.Equal(got, []matrix.EventID{inNew}) {
		t.Errorf("without the old room: found %q", got)
	}
	if got := search(bob, `{"rooms":["`+string(room)+`"]}`); !slices.Equal(got, []matrix.EventID{inNew}) {
		t.Errorf("bob, who was not in the old room: found %q", got)
	}
}

func TestPagesOfSearch(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, other := conversation(t, alice, bob), conversation(t, alice, bob)
	want := map[string]int{}
	for i := range 23 {
		text := fmt.Sprint("page ", strings.Repeat("page ", i%3), i)
		want[text]++
		c, in := alice, room
		if i%2 == 1 {
			c = bob
		}
		if i%5 == 0 {
			in = other
		}
		say(t, c, in, text)
	}
	for _, order := range []string{"rank", "recent"} {
		criteria := `"order_by":"` + order + `","filter":{"limit":5},"groupings":{"group_by":[{"key":"room_id"},{"key":"sender"}]}`
		got, pages, first, sent := map[string]int{}, 0, (*foundEvents)(nil), []string{}
		for next := ""; pages == 0 || next != ""; pages++ {
			f := find(ts, alice, "page", criteria, next)
			if first == nil {
				first = f
			}
			if f.Count < 23 {
				t.Errorf("%s: count %d", order, f.Count)
			}
			for i := range f.Results {
				body, _ := matrix.StringField(f.Results[i].Result.Content, "body")
				got[body]++
			}
			text := fmt.Sprint("page between pages ", order, pages)
			say(t, alice, room, text)
			sent = append(sent, text)
			next = f.Next
		}
		if pages != (len(want)+4)/5 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: in %d pages %v, want %v", order, pages, got, want)
		}
		for _, text := range sent {
			want[text]++
		}
		ids := 0
		for room, g := range first.Groups["room_id"] {
			ids += len(g.Results)
			more := find(ts, alice, "page", criteria, g.Next)
			for i := range more.Results {
				if string(more.Results[i].Result.RoomID) != room {
					t.Errorf("%s: the group of %s goes on with %s", order, room, more.Results[i].Result.RoomID)
				}
			}
		}
		for sender, g := range first.Groups["sender"] {
			more := find(ts, alice, "page", criteria, g.Next)
			if len(more.Results) == 0 {
				t.Errorf("%s: the group of %s does not go on", order, sender)
			}
			for i := range more.Results {
				if string(more.Results[i].Result.Sender) != sender {
					t.Errorf("%s: the group of %s goes on with %s", order, sender, more.Results[i].Result.Sender)
				}
			}
		}
		if ids != 5 {
			t.Errorf("%s: %d results in groups by room", order, ids)
		}
		// A token is good for its own search, and for who made it.
		body := `{"search_categories":{"room_events":{"search_term":"other",` + criteria + `}}}`
		ts.want(alice, "POST", v3+"/search?next_batch="+first.Next, body, 400, matrix.MInvalidParam)
		body = strings.Replace(body, "other", "page", 1)
		ts.want(bob, "POST", v3+"/search?next_batch="+first.Next, body, 400, matrix.MInvalidParam)
		ts.want(alice, "POST", v3+"/search?next_batch="+first.Next[1:], body, 400, matrix.MInvalidParam)
	}
}

func TestSearchFaults(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	for _, c := range []struct{ body, code string }{
		{`{}`, matrix.MMissingParam},
		{`{"search_categories":1}`, matrix.MMissingParam},
		{`{"search_categories":{"room_events":{}}}`, matrix.MMissingParam},
		{`{"search_categories":{"room_events":{"search_term":1}}}`, matrix.MBadJSON},
		{`{"search_categories":{"room_events":[]}}`, matrix.MBadJSON},
		{`{"search_categories":{"room_events":{"search_term":"x","order_by":"beauty"}}}`, matrix.MInvalidParam},
		{`{"search_categories":{"room_events":{"search_term":"x","keys":["content.url"]}}}`, matrix.MInvalidParam},
		{`{"search_categories":{"room_events":{"search_term":"x","groupings":{"group_by":[{"key":"type"}]}}}}`, matrix.MInvalidParam},
		{`{"search_categories":{"room_events":{"search_term":"x","event_context":{"before_limit":-1}}}}`, matrix.MInvalidParam},
		{`{"search_categories":{"room_events":{"search_term":"` + strings.Repeat("x", 1025) + `"}}}`, matrix.MInvalidParam},
		{`{"search_categories":{"room_events":{"search_term":"` + strings.Repeat("x ", 17) + `"}}}`, matrix.MInvalidParam},
	} {
		ts.want(alice, "POST", v3+"/search", c.body, 400, c.code)
	}
	body := `{"search_categories":{"room_events":{"search_term":"x"}}}`
	ts.want(alice, "POST", v3+"/search?next_batch=x", body, 400, matrix.MInvalidParam)
	ts.want(ts.anonymous(), "POST", v3+"/search", body, 401, matrix.MMissingToken)
	if got := ts.want(alice, "POST", v3+"/search", `{"search_categories":{"users":{"search_term":"x"}}}`, 200, ""); got != `{"search_categories":{}}` {
		t.Errorf("an unknown category: %s", got)
	}
	if got := ts.want(alice, "POST", v3+"/search", body, 200, ""); got != `{"search_categories":{"room_events":{"count":0,"highlights":[],"results":[]}}}` {
		t.Errorf("nothing to find: %s", got)
	}
}
