package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// walkAlone makes up the steps of a seed, as if both servers did everything that they are asked.
func walkAlone(t *testing.T, seed uint64, steps int) []string {
	t.Helper()
	known := [2]variables{{"walk": "walk1x"}, {"walk": "walk1x"}}
	w := newWalk(seed, known)
	c := &conversation{area: walksArea}
	var lines []string
	for range steps {
		m := w.next()
		lines = append(lines, m.line)
		if err := c.parseLine(line{len(lines), m.line}); err != nil {
			t.Fatal(err)
		}
		for _, k := range c.steps[len(c.steps)-1].keep {
			for i := range known {
				known[i][k.name] = fmt.Sprint("$of ", i, " ", k.name)
			}
		}
		if m.learn != nil {
			m.learn(&answer{status: 200})
		}
	}
	return lines
}

// TestWalksAreRepeated makes up the same steps from the same seed, and comes by everything.
func TestWalksAreRepeated(t *testing.T) {
	var all []string
	for seed := range uint64(20) {
		lines := walkAlone(t, seed, 200)
		if !slices.Equal(lines, walkAlone(t, seed, 200)) {
			t.Errorf("the walk of seed %d is another the second time", seed)
		}
		all = append(all, lines...)
	}
	text := strings.Join(all, "\n")
	for _, want := range strings.Fields("/createRoom /upgrade /join /leave /invite /kick /ban /unban /knock /forget /redact/ /receipt/ /read_markers " +
		"/typing/ /account_data/ /tags/ /filter /sync?filter= /sync?since= full_state=true /messages /context/ /relations/ /threads /members " +
		"/joined_members /state /event/ /timestamp_to_event /search /notifications /hierarchy /publicRooms /room_summary/ /mutual_rooms " +
		"m.replace m.annotation m.thread m.reference m.room.power_levels m.room.history_visibility m.ignored_user_list lazy_load_members") {
		if !strings.Contains(text, want) {
			t.Errorf("no walk comes by %s", want)
		}
	}
}

func TestSeeds(t *testing.T) {
	for text, want := range map[string][]uint64{"": nil, "7": {7}, "1-3,9": {1, 2, 3, 9}, "5-4": nil} {
		if got, err := parseSeeds(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "1-", "-1", "1-x"} {
		if got, err := parseSeeds(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestNeeded keeps of a walk what its last step depends on.
func TestNeeded(t *testing.T) {
	lines := []string{
		"alice POST /createRoom {} -> room1?=room_id",
		"alice POST /createRoom {} -> room2?=room_id",
		"alice GET /sync -> s3?=next_batch",
		"alice GET /rooms/$room1/state",
		"bob POST /rooms/$room2/join {}",
		"bob POST /rooms/$room1/join {}",
		"alice GET /sync?since=$s3&filter={\"rooms\":[\"$room1\"]}",
	}
	for strictly, want := range map[bool][]int{true: {0, 2, 5, 6}, false: {0, 1, 2, 4, 5, 6}} {
		var kept []string
		for _, i := range want {
			kept = append(kept, lines[i])
		}
		if got := needed(lines, strictly); !slices.Equal(got, kept) {
			t.Errorf("strictly %t: %q, want %q", strictly, got, kept)
		}
	}
}

// TestLiberties compares syncs without what Synapse may do and we do not.
func TestLiberties(t *testing.T) {
	c := &conversation{area: walksArea, hurried: true}
	s := &step{conversation: c, actor: "bob", method: "GET", path: "/sync?since=$s1"}
	names := map[string]string{"@bob:judge.test": "$bob"}
	const creation, message = `{"type":"m.room.create","state_key":""}`, `{"type":"m.room.message"}`
	own := func(was string) string {
		return `{"type":"m.room.member","state_key":"@bob:judge.test","unsigned":{"prev_content":{"membership":"` + was + `"}}}`
	}
	room := func(part, limited, events string) string {
		return `{"rooms":{"` + part + `":{"r":{"timeline":{"limited":` + limited + `,"events":[` + events + `]}}}}}`
	}
	for _, c := range []struct{ reference, ours, want string }{
		{room("join", "true", creation), room("join", "false", creation), ""},
		{room("join", "true", message), room("join", "false", message), "rooms.join.r.timeline.limited true | false"},
		{room("leave", "false", own("join")), `{}`, `rooms {"leave":{"r":{"timeline":{"events":[{"state_key":"$bob","type":"m.room.member","unsigned":{"prev_content":{"membership":"join"}}}],"limited":false}}}} | nothing`},
		{room("leave", "false", message+","+own("invite")), room("leave", "false", own("invite")), ""},
		{room("leave", "false", own("")), `{}`, ""},
		{`{"rooms":{"invite":{"r":{"a":1}},"leave":{"r":{"b":1}}}}`, `{"rooms":{"invite":{"r":{"a":1}}}}`, ""},
	} {
		var got []string
		for _, d := range compare(s, &answer{status: 200, body: decode([]byte(c.reference)), names: names}, &answer{status: 200, body: decode([]byte(c.ours)), names: names}) {
			got = append(got, d.String())
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s and %s\ngot  %s\nwant %s", c.reference, c.ours, strings.Join(got, "; "), c.want)
		}
	}
}
