package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestMessageIsReadBack(t *testing.T) {
	want := []message{{3, 0, 17, 1500 * time.Microsecond}, {3, 7, 0, 0}}
	answer := []byte(`{"timeline":{"events":[`)
	for _, m := range want {
		answer = append(append(append(answer, `{"content":`...), m.appendContent(nil)...), "},"...)
	}
	var got []message
	if err := eachMessage(answer, func(m message) error { got = append(got, m); return nil }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := eachMessage([]byte(`{"body":"load 1 x"}`), nil); err == nil {
		t.Error("a changed message was read")
	}
}

func TestFollowerChecks(t *testing.T) {
	f := &follower{run: 1, seen: make([]int64, 2)}
	for _, c := range []struct {
		m  message
		ok bool
	}{
		{message{1, 0, 0, 0}, true},
		{message{1, 1, 0, 0}, true},
		{message{1, 0, 1, 0}, true},
		{message{1, 0, 1, 0}, false}, // twice
		{message{1, 1, 2, 0}, false}, // before its turn
		{message{2, 0, 2, 0}, false}, // of another conversation
		{message{1, 2, 0, 0}, false}, // from nobody
		{message{1, 0, 2, 0}, true},
	} {
		if err := f.take(c.m, time.Second); c.ok != (err == nil) {
			t.Errorf("%v: %v", c.m, err)
		}
	}
	if f.hasAll([]int64{3, 2}) || !f.hasAll([]int64{3, 1}) {
		t.Errorf("seen %v", f.seen)
	}
}

// A limited timeline is completed from /messages, in order.
func TestFollowerFillsGaps(t *testing.T) {
	event := func(n int64) string {
		return `{"content":` + string(message{1, 0, n, 0}.appendContent(nil)) + `}`
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/sync"):
			io.WriteString(w, `{"next_batch":"s2","timeline":{"limited":true,"prev_batch":"p1","events":[`+event(3)+`]}}`)
		case r.URL.Query().Get("from") == "p1":
			io.WriteString(w, `{"chunk":[`+event(2)+`,`+event(1)+`],"start":"p1","end":"p2"}`)
		default:
			io.WriteString(w, `{"chunk":[`+event(0)+`],"start":"p2"}`)
		}
	}))
	defer s.Close()
	c, err := dial(strings.TrimPrefix(s.URL, "http://"), "token")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	f := &follower{conn: c, room: "!r", run: 1, since: "s1", seen: make([]int64, 1), start: time.Now()}
	if err := f.poll(0); err != nil || f.seen[0] != 4 || f.since != "s2" || f.gaps != 1 {
		t.Errorf("seen %v since %s with %d gaps, %v", f.seen, f.since, f.gaps, err)
	}
}

func TestConn(t *testing.T) {
	large := strings.Repeat("x", 100000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/chunks":
			for range 3 {
				io.WriteString(w, large)
				w.(http.Flusher).Flush()
			}
		case "/echo":
			fmt.Fprintf(w, "%s %s %s", r.Method, r.Header.Get("Authorization"), body)
		default:
			http.Error(w, "no", 404)
		}
	}))
	defer s.Close()
	c, err := dial(strings.TrimPrefix(s.URL, "http://"), "tok")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for range 2 {
		if got, err := c.do("PUT", "/echo", []byte(`{"a":1}`)); err != nil || string(got) != `PUT Bearer tok {"a":1}` {
			t.Errorf("echo: %s, %v", got, err)
		}
		if got, err := c.do("GET", "/chunks", nil); err != nil || string(got) != large+large+large {
			t.Errorf("chunks: %d bytes, %v", len(got), err)
		}
		if _, err := c.do("GET", "/nothing", nil); err == nil || !strings.Contains(err.Error(), "404: no") {
			t.Errorf("nothing: %v", err)
		}
	}
}

func TestLatencies(t *testing.T) {
	var l latencies
	for i := 100; i > 0; i-- {
		l = append(l, time.Duration(i))
	}
	if l.at(0.5) != 50 || l.at(0.99) != 99 || l.at(1) != 100 || l.at(0) != 1 || latencies(nil).at(0.5) != 0 {
		t.Errorf("got %d, %d, %d, %d", l.at(0.5), l.at(0.99), l.at(1), l.at(0))
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	tab := &table{out: &out}
	tab.heading("h")
	tab.row("a", "b", "%d", 3)
	tab.note("n")
	tab.finish()
	lines := strings.Split(out.String(), "\n")
	if strings.LastIndex(lines[2], "|") != strings.LastIndex(lines[3], "|") || !strings.Contains(out.String(), "conversation 1: n") {
		t.Errorf("got:\n%s", out.String())
	}
}
