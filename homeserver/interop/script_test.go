package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestTheExampleIsRead reads the example of the package comment.
func TestTheExampleIsRead(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	var example strings.Builder
	for line := range strings.Lines(string(source)) {
		if l, ok := strings.CutPrefix(line, "//\t"); ok && !strings.Contains(l, " | ") {
			example.WriteString(l)
		}
	}
	a, err := parse("example", example.String())
	if err != nil {
		t.Fatal(err)
	}
	c := a.conversations[0]
	if !c.short || c.title != "A message is read by its id" || c.flavour != "open" || len(c.steps) != 6 {
		t.Errorf("read %+v", c)
	}
	if len(c.users) != 2 || c.users[1].name != "bob" || !slices.Equal(c.users[1].devices, []string{"phone"}) {
		t.Errorf("the users are %+v", c.users)
	}
	first, last := c.steps[0], c.steps[5]
	if first.body != `{"preset": "public_chat"}` || first.keep[0] != (capture{name: "room", path: "room_id"}) || first.where() != "example.txt:3" {
		t.Errorf("the first step is %+v", first)
	}
	if last.until[0] != (condition{"rooms.join.$room.timeline.events[0]", false, ""}) || last.actor != "bob/phone" {
		t.Errorf("the last step is %+v", last)
	}
}

func TestConditions(t *testing.T) {
	a, err := parse("x", "== t\nalice GET /x -> until a==1 until !b")
	if err != nil {
		t.Fatal(err)
	}
	s := a.conversations[0].steps[0]
	for body, want := range map[string]string{
		`{"a":1}`: "", `{"a":2}`: "a is not 1", `{}`: "there is nothing at a", `{"a":1,"b":null}`: "there is still something at b",
	} {
		if got := unmet(s, &answer{body: decode([]byte(body))}, nil); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestScriptsThatAreNone(t *testing.T) {
	for _, text := range []string{
		"alice GET /x", "== t\nalice /x", "== t\nalice FETCH /x", "== t\nalice GET x", "== t ; long",
		"== t\nalice GET /x -> nonsense", "== t\nalice GET /x -> until",
	} {
		if _, err := parse("x", text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestVariables(t *testing.T) {
	v := variables{"room": "!r/:x", "alice_token": "secret", "event": "$abcdefghi", "short": "1"}
	for path, want := range map[string]string{
		"/rooms/$room/state":      "/_matrix/client/v3/rooms/%21r%2F:x/state",
		"/v1/rooms/${room}":       "/_matrix/client/v1/rooms/%21r%2F:x",
		"/versions":               "/_matrix/client/versions",
		"/_synapse/x?a={\"b\":1}": "/_synapse/x?a=%7B%22b%22:1%7D",
		"/x?from=$event&$$a":      "/_matrix/client/v3/x?from=%24abcdefghi&%24a",
		"/${ab*3}":                "/_matrix/client/v3/ababab",
	} {
		if got, err := v.target(path); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", path, got, err, want)
		}
	}
	if _, err := v.target("/$nothing"); err == nil {
		t.Error("an unknown variable was expanded")
	}
	for actor, want := range map[string]string{"-": "", "?": "wrong", "alice": "secret", "=$event": "$abcdefghi"} {
		if got, err := v.token(actor); err != nil || got != want {
			t.Errorf("the token of %s is %q, %v", actor, got, err)
		}
	}
	if names := v.names(); names["$abcdefghi"] != "$event" || names["1"] != "" {
		t.Errorf("names %v", names)
	}
}

func TestLookup(t *testing.T) {
	body := decode([]byte(`{"a":{"!r.x":[{"b":1},{"b":"two"}],"m.c":null}}`))
	v := variables{"room": "!r.x"}
	for path, want := range map[string]string{"a.$room[1].b": "two", "a.$room[-2].b": "1", `a["m.c"]`: "null"} {
		if got, err := lookup(body, path, v); err != nil || text(got) != want {
			t.Errorf("%s: %v %v, want %s", path, got, err, want)
		}
	}
	for _, path := range []string{"b", "a.$room[2]", "a[0]", "a.$other", "a.$room[x]"} {
		if got, err := lookup(body, path, v); err == nil {
			t.Errorf("%s: found %v", path, got)
		}
	}
}
