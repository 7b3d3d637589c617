package main

import (
	"slices"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	s := &step{conversation: &conversation{area: "x"}, actor: "alice", method: "GET", path: "/x"}
	names := map[string]string{"$eventeventevent": "$event"}
	for _, c := range []struct{ reference, ours, want string }{
		{`{"a":1}`, `{"a":1}`, ""},
		{`{"a":1}`, `{"a":2}`, "a 1 | 2"},
		{`{"a":1}`, `{"b":{"c":1}}`, `a 1 | nothing; b nothing | {"c":1}`},
		{`{"a":null}`, `{}`, "a null | nothing"},
		{`{"next_batch":"x"}`, `{"next_batch":"y"}`, ""},
		{`{"next_batch":"x"}`, `{"next_batch":1}`, "next_batch a string | a number"},
		{`{"id":"$eventeventevent"}`, `{"id":"$othereventother"}`, `id "$event" | "$…"`},
		{`{"$onceonceonceonce":1}`, `{"$twicetwicetwice":1}`, ""},
		{`{"chunk":[{"type":"a"},{"type":"b"}]}`, `{"chunk":[{"type":"b"}]}`, `chunk[0] {"type":"a"} | nothing`},
		{`{"chunk":[{"type":"a"},{"type":"b"}]}`, `{"chunk":[{"type":"b"},{"type":"a"}]}`, `chunk[0] {"type":"a"} | nothing; chunk[2] nothing | {"type":"a"}`},
		{`{"state":{"events":[{"type":"a"},{"type":"b"}]}}`, `{"state":{"events":[{"type":"b"},{"type":"a"}]}}`, ""},
		{
			`{"state":{"events":[{"type":"a","state_key":""}]},"timeline":{"events":[{"type":"a","state_key":""}]}}`,
			`{"state":{"events":[]},"timeline":{"events":[{"type":"a","state_key":""}]}}`, "",
		},
		{
			`{"ephemeral":{"events":[{"type":"m.receipt","content":{"e":{"m.read":{"u":{"ts":1}}}}},{"type":"m.receipt","content":{"f":{"m.read":{"u":{"ts":1,"thread_id":"main"}}}}}]}}`,
			`{"ephemeral":{"events":[{"type":"m.receipt","content":{"e":{"m.read":{"u":{"ts":2}}},"f":{"m.read":{"u":{"ts":2}}}}}]}}`,
			`ephemeral.events[0].content.f.m.read.u.thread: nothing | {"ts":"a number"}; ephemeral.events[0].content.f.m.read.u.thread:main {"thread_id":"main","ts":"a number"} | nothing`,
		},
		{`{"l":["a","b"]}`, `{"l":["a","c"]}`, `l[1] "b" | nothing; l[2] nothing | "c"`},
		{`{"errcode":"M_X","error":"One"}`, `{"errcode":"M_X","error":"Two"}`, ""},
		{`{"errcode":"M_X","error":"One"}`, `{"errcode":"M_Y"}`, "errcode M_X | M_Y"},
		{`[]`, `{}`, "body [] | {}"},
		{`text`, `{}`, `body "text" | {}`},
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

func TestCompareWhatWasNotAsked(t *testing.T) {
	s := &step{conversation: &conversation{area: "x"}}
	got := compare(s, &answer{status: 200}, &answer{failure: "not asked: $x is not known", skipped: true})
	if len(got) != 1 || got[0].String() != "step well | not asked: $x is not known" {
		t.Errorf("got %v", got)
	}
	if got := compare(s, &answer{failure: "x"}, &answer{failure: "x"}); len(got) != 1 || got[0].path != "script" {
		t.Errorf("a script that fails on both servers: %v", got)
	}
	if got := compare(s, &answer{status: 404, kind: "text/plain"}, &answer{status: 403, kind: "application/json"}); len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

func TestExceptions(t *testing.T) {
	all, err := parseExceptions("x", "== Why\nstep x: * GET /a/*\ndiffers status 404 | 403\ndiffers b.*\nspec f.yaml \"words of it\"\n")
	if err != nil {
		t.Fatal(err)
	}
	s := &step{conversation: &conversation{area: "x"}, actor: "alice", method: "GET", path: "/a/b"}
	if explain(all, s, &difference{"status", "404", "403"}, true) == nil || explain(all, s, &difference{"status", "404", "400"}, true) != nil {
		t.Error("the exception is not matched as it is written")
	}
	s.path = "/b"
	if explain(all, s, &difference{"status", "404", "403"}, true) != nil {
		t.Error("the exception explains other steps")
	}
	if got := stale(all); !slices.Equal(got, []string{"exceptions/x.txt:4: b.*"}) {
		t.Errorf("stale: %q", got)
	}
	for _, text := range []string{"step x", "== a\nstep x\ndiffers y", "== a\nstep x\ndiffers y\nspec f", "== a\nother x"} {
		if _, err := parseExceptions("x", text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestVerdict(t *testing.T) {
	c := &conversation{area: "x", title: "T"}
	s := &step{conversation: c, actor: "alice", method: "GET", path: "/a"}
	all, err := parseExceptions("x", "== Why\nstep *\ndiffers a 1 | 2\nspec f.yaml \"words\"\n")
	if err != nil {
		t.Fatal(err)
	}
	r := &report{exceptions: all, whole: true}
	one, two := &answer{status: 200, body: decode([]byte(`{"a":1}`))}, &answer{status: 200, body: decode([]byte(`{"a":2}`))}
	r.judge(s, one, one)
	if err := r.verdict(); err == nil || !strings.Contains(err.Error(), "0 steps differ without an explanation, and 2 exceptions") {
		t.Errorf("with an exception that is not needed: %v", err)
	}
	r.judge(s, one, two)
	if err := r.verdict(); err != nil {
		t.Errorf("with an exception: %v", err)
	}
	r.judge(s, two, one)
	if err := r.verdict(); err == nil {
		t.Error("with a difference all is well")
	}
	var out strings.Builder
	r.print(&out)
	for _, want := range []string{"| x ", "x.txt:0  T\n  alice GET /a\n  Synapse  200", "differs  a 2 | 1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}
