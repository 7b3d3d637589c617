package clientapi

import (
	"fmt"
	"strings"
	"testing"

	"hearth/homeserver/report"
	"hearth/matrix"
)

// reported lists what is kept, the newest first.
func (ts *testServer) reported() string {
	ts.t.Helper()
	var all []string
	for r, err := range ts.api.Reports.Newest(ts.t.Context(), 0) {
		must(ts.t, err)
		all = append(all, fmt.Sprintf("%s: %s%s%s %q", r.Reporter, r.Room, r.Event, r.User, r.Reason))
	}
	return strings.Join(all, "; ")
}

func TestReport(t *testing.T) {
	c := newTrio(t, "")
	id, err := c.alice.SendText(t.Context(), c.room, "1", "hello")
	must(t, err)
	room := v3 + "/rooms/" + string(c.room)
	for _, q := range []struct{ path, body string }{
		{room + "/report/" + string(id), `{"reason":"rude","score":-100}`},
		{room + "/report/" + string(id), `{}`},
		{room + "/report", `{"reason":""}`},
		{v3 + "/users/@alice:here.example/report", `{"reason":"loud"}`},
	} {
		if got := c.want(c.bob, "POST", q.path, q.body, 200, ""); got != "{}" {
			t.Errorf("answered %s", got)
		}
	}
	want := fmt.Sprintf(`@bob:here.example: @alice:here.example "loud"; @bob:here.example: %s ""; @bob:here.example: %s%s ""; @bob:here.example: %s%s "rude"`, c.room, c.room, id, c.room, id)
	if got := c.reported(); got != want {
		t.Errorf("kept %s\nwant %s", got, want)
	}
}

// Who is not in the room, an event of another room, one that does not exist and a room that does not exist look the
// same; whether a room or a user exists cannot be told at all.
func TestReportTellsNothing(t *testing.T) {
	c := newTrio(t, "")
	id, err := c.alice.SendText(t.Context(), c.room, "1", "hello")
	must(t, err)
	elsewhere, err := c.alice.SendText(t.Context(), c.createRoom(c.alice, `{}`), "1", "hello")
	must(t, err)
	hidden := c.createRoom(c.alice, `{"preset":"public_chat","initial_state":[{"type":"m.room.history_visibility","content":{"history_visibility":"joined"}}]}`)
	early, err := c.alice.SendText(t.Context(), hidden, "1", "hello")
	must(t, err)
	_, err = c.carol.Join(t.Context(), string(hidden))
	must(t, err)
	answers := map[string]bool{}
	for _, path := range []string{
		string(c.room) + "/report/" + string(id),
		"!nothing:here.example/report/" + string(id),
		string(hidden) + "/report/" + string(early), // from before carol's time
		string(hidden) + "/report/" + string(elsewhere),
		string(hidden) + "/report/$nothing",
	} {
		answers[c.want(c.carol, "POST", v3+"/rooms/"+path, `{"reason":"x"}`, 404, matrix.MNotFound)] = true
	}
	if len(answers) != 1 {
		t.Errorf("the answers differ: %v", answers)
	}
	if got := c.reported(); got != "" {
		t.Errorf("kept %s", got)
	}
	c.want(c.carol, "POST", v3+"/rooms/"+string(c.room)+"/report", `{"reason":"x"}`, 200, "")
	c.want(c.carol, "POST", v3+"/rooms/!nothing:here.example/report", `{"reason":"x"}`, 200, "")
	c.want(c.carol, "POST", v3+"/users/@nobody:here.example/report", `{"reason":"x"}`, 200, "")
	c.want(c.carol, "POST", v3+"/users/@alice:elsewhere.example/report", `{"reason":"x"}`, 200, "")
}

func TestReportRefuses(t *testing.T) {
	c := newTrio(t, "")
	room, user := v3+"/rooms/"+string(c.room)+"/report", v3+"/users/@alice:here.example/report"
	for _, q := range []struct {
		path, body string
		status     int
		code       string
	}{
		{room, `{}`, 400, matrix.MMissingParam},
		{user, `{}`, 400, matrix.MMissingParam},
		{user, `{"reason":null}`, 400, matrix.MMissingParam},
		{user, `{"reason":1}`, 400, matrix.MBadJSON},
		{room + "/$x", `{"reason":[]}`, 400, matrix.MBadJSON},
		{user, `{`, 400, matrix.MNotJSON},
		{user, ``, 400, matrix.MNotJSON},
		{user, `{"reason":"` + strings.Repeat("x", report.MaxReason+1) + `"}`, 413, matrix.MTooLarge},
		{v3 + "/users/alice/report", `{"reason":"x"}`, 400, matrix.MInvalidParam},
		{v3 + "/rooms/room/report", `{"reason":"x"}`, 400, matrix.MInvalidParam},
	} {
		c.want(c.bob, "POST", q.path, q.body, q.status, q.code)
		c.want(c.anonymous(), "POST", q.path, q.body, 401, matrix.MMissingToken)
	}
	if got := c.reported(); got != "" {
		t.Errorf("kept %s", got)
	}
}

// Threat 12.
func TestReportsAreLimited(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.Limits.Reports = once() })
	alice := ts.register("alice")
	ts.want(alice, "POST", v3+"/users/@bob:here.example/report", `{"reason":"x"}`, 200, "")
	ts.want(alice, "POST", v3+"/rooms/!r:here.example/report", `{"reason":"x"}`, 429, matrix.MLimitExceeded)
}
