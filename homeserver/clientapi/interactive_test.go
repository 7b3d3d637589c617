package clientapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/matrix"
)

// question is a challenge of two flows, one, two and one, three; stage one wants the answer "yes".
func question() challenge {
	return challenge{
		operation: "test",
		flows:     [][]string{{"one", "two"}, {"one", "three"}},
		stages: map[string]stage{
			"one": {params: map[string]string{"ask": "well?"}, check: func(_ context.Context, _ string, auth []byte) (string, error) {
				switch answer, _ := matrix.StringField(auth, "answer"); answer {
				case "yes":
					return "said yes", nil
				case "broken":
					return "", errors.New("the disk is gone")
				case "often":
					return "", matrix.Errorf(429, matrix.MLimitExceeded, "Wait a little")
				}
				return "", matrix.Errorf(401, matrix.MForbidden, "That is wrong")
			}},
			"two":   dummy(),
			"three": dummy(),
		},
	}
}

// walker takes requests through a challenge.
type walker struct {
	t       *testing.T
	i       *interactive
	now     time.Time
	session string
}

func newWalker(t *testing.T) *walker {
	return &walker{t: t, i: new(interactive), now: time.Unix(1_700_000_000, 0)}
}

// step sends an auth object, in which $ stands for the session, and returns "passed", or what was completed and
// what was wrong.
func (w *walker) step(auth string) string {
	w.t.Helper()
	return w.request(`{"what":1,"auth":` + auth + `}`)
}

func (w *walker) request(body string) string {
	w.t.Helper()
	body = strings.ReplaceAll(body, "$", w.session)
	passed, required, err := w.i.advance(context.Background(), w.now, []byte(body), question())
	switch {
	case err != nil:
		return err.Error()
	case passed != nil:
		if required != nil || passed.session != w.session || passed.kept["one"] != "said yes" {
			w.t.Errorf("passed with %+v, %+v", passed, required)
		}
		return "passed"
	}
	w.session = required.Session
	return strings.TrimSpace(strings.Join(required.Completed, ",") + " " + required.Message)
}

func TestInteractive(t *testing.T) {
	const ended = "This authentication session is unknown, or has ended"
	for name, steps := range map[string][][2]string{
		"first flow":          {{`{"session":""}`, ""}, {`{"type":"one","session":"$","answer":"yes"}`, "one"}, {`{"type":"two","session":"$"}`, "passed"}},
		"second flow":         {{`{"session":""}`, ""}, {`{"type":"one","session":"$","answer":"yes"}`, "one"}, {`{"type":"three","session":"$"}`, "passed"}},
		"no session at first": {{`{"type":"one","answer":"yes"}`, "one"}, {`{"type":"two","session":"$"}`, "passed"}},
		"wrong, then right":   {{`{"type":"one","answer":"no"}`, "That is wrong"}, {`{"type":"one","session":"$","answer":"yes"}`, "one"}, {`{"type":"two","session":"$"}`, "passed"}},
		"out of order":        {{`{"type":"two"}`, `"two" is not the next stage of any flow`}, {`{"type":"three","session":"$"}`, `"three" is not the next stage of any flow`}},
		"unknown stage":       {{`{"type":"four"}`, `"four" is not the next stage of any flow`}},
		"no type":             {{`{"type":"one","answer":"yes"}`, "one"}, {`{"session":"$"}`, "one"}, {`{"type":"two","session":"$"}`, "passed"}},
		"completed again":     {{`{"type":"one","answer":"yes"}`, "one"}, {`{"type":"one","session":"$","answer":"no"}`, "one"}, {`{"type":"two","session":"$"}`, "passed"}},
		// Threat 10: a session allows one request.
		"used again":         {{`{"type":"one","answer":"yes"}`, "one"}, {`{"type":"two","session":"$"}`, "passed"}, {`{"type":"two","session":"$"}`, ended}, {`{"session":"$"}`, ""}},
		"without a session":  {{`{"type":"one","answer":"yes"}`, "one"}, {`{"type":"two"}`, `"two" is not the next stage of any flow`}},
		"unknown session":    {{`{"type":"one","session":"guess","answer":"yes"}`, ended}, {`{"type":"one","session":"$","answer":"yes"}`, "one"}},
		"too often":          {{`{"type":"one","answer":"often"}`, "M_LIMIT_EXCEEDED: Wait a little"}},
		"an internal error":  {{`{"type":"one","answer":"broken"}`, "the disk is gone"}},
		"auth is no object":  {{`[]`, `M_BAD_JSON: "auth" must be an object`}, {`null`, `M_BAD_JSON: "auth" must be an object`}},
		"wrong kind of type": {{`{"type":{}}`, `M_BAD_JSON: "type" must be a string, not object`}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWalker(t)
			for n, s := range steps {
				if got := w.step(s[0]); got != s[1] {
					t.Fatalf("step %d, %s: %q, want %q", n, s[0], got, s[1])
				}
			}
		})
	}
}

// Threat 10: what was completed for one request opens no other.
func TestInteractiveIsForOneRequest(t *testing.T) {
	w := newWalker(t)
	w.request(`{"other":1}`)
	if got := w.request(`{"what":1,"auth":{"type":"one","session":"$","answer":"yes"}}`); got != "one" {
		t.Fatalf("parameters may change until a stage is completed: %q", got)
	}
	if got := w.request(`{"what":2,"auth":{"type":"two","session":"$"}}`); !strings.HasPrefix(got, matrix.MForbidden) {
		t.Errorf("another request: %q", got)
	}
	if got := w.request(`{"auth":{"type":"two","session":"$"},"what": 1}`); got != "passed" {
		t.Errorf("the same request, written otherwise: %q", got)
	}

	w = newWalker(t)
	w.step(`{"type":"one","answer":"yes"}`)
	other := question()
	other.operation = "other"
	passed, required, err := w.i.advance(context.Background(), w.now, []byte(`{"what":1,"auth":{"type":"two","session":"`+w.session+`"}}`), other)
	if err != nil || passed != nil || required == nil || len(required.Completed) > 0 || required.Session == w.session {
		t.Errorf("another operation: %+v, %v", required, err)
	}
}

func TestInteractiveSessionsEnd(t *testing.T) {
	w := newWalker(t)
	w.step(`{"type":"one","answer":"yes"}`)
	w.now = w.now.Add(authLifetime + time.Second)
	if got := w.step(`{"type":"two","session":"$"}`); !strings.Contains(got, "has ended") {
		t.Errorf("an old session: %q", got)
	}
	for range maxAttempts {
		if got := w.step(`{"type":"one","session":"$","answer":"no"}`); got != "That is wrong" {
			t.Fatalf("a wrong answer: %q", got)
		}
	}
	if got := w.step(`{"type":"one","session":"$","answer":"yes"}`); !strings.Contains(got, "has ended") {
		t.Errorf("after too many attempts: %q", got)
	}
}

// Threat 12: sessions are bounded; the newest stay.
func TestInteractiveSessionsAreBounded(t *testing.T) {
	w := newWalker(t)
	for range 3 * maxAuths {
		w.request(`{}`)
	}
	if n := len(w.i.sessions); n > maxAuths || len(w.i.oldest) > maxAuths {
		t.Errorf("%d sessions are kept", n)
	}
	if got := w.step(`{"type":"one","session":"$","answer":"yes"}`); got != "one" {
		t.Errorf("the newest session: %q", got)
	}
}

func TestInteractivePassesOnce(t *testing.T) {
	w := newWalker(t)
	w.step(`{"type":"one","answer":"yes"}`)
	body := fmt.Sprintf(`{"what":1,"auth":{"type":"two","session":%q}}`, w.session)
	var wg sync.WaitGroup
	passed := make(chan bool, 16)
	for range cap(passed) {
		wg.Go(func() {
			done, _, err := w.i.advance(context.Background(), w.now, []byte(body), question())
			passed <- done != nil && err == nil
		})
	}
	wg.Wait()
	close(passed)
	count := 0
	for p := range passed {
		if p {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d requests passed", count)
	}
}

// The answers, as clients see them.
func TestInteractiveAnswers(t *testing.T) {
	ts := newServer(t)
	first := ts.want(ts.anonymous(), "POST", v3+"/register", `{}`, 401, "")
	session, _ := matrix.StringField([]byte(first), "session")
	if want := fmt.Sprintf(`{"flows":[{"stages":["m.login.dummy"]}],"params":{},"session":%q}`, session); first != want {
		t.Errorf("answered %s, want %s", first, want)
	}
	again := ts.want(ts.anonymous(), "POST", v3+"/register", `{"auth":{"type":"m.login.sso","session":"`+session+`"}}`, 401, matrix.MForbidden)
	if same, _ := matrix.StringField([]byte(again), "session"); same != session {
		t.Errorf("the session changed: %s", again)
	}
	body := `{"username":"alice","password":"x","auth":{"type":"m.login.dummy","session":"` + session + `"}}`
	ts.want(ts.anonymous(), "POST", v3+"/register", body, 200, "")
	body = strings.Replace(body, "alice", "bob", 1)
	ts.want(ts.anonymous(), "POST", v3+"/register", body, 401, matrix.MForbidden)
}

func FuzzInteractive(f *testing.F) {
	f.Add(`{"auth":{"type":"one","session":"x","answer":"yes"}}`)
	f.Add(`{"auth":{}}`)
	i := new(interactive)
	f.Fuzz(func(t *testing.T, body string) {
		if !json.Valid([]byte(body)) {
			return
		}
		passed, required, err := i.advance(context.Background(), time.Unix(0, 0), []byte(body), question())
		if passed != nil || err == nil && required == nil {
			t.Errorf("%q passed at once", body)
		}
	})
}
