package clientapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// The limits of interactive authentication.
const (
	authLifetime = 15 * time.Minute // of a session, from its first request
	maxAuths     = 2000             // sessions at once; the oldest make room
	maxAttempts  = 10               // failed attempts in one session
)

// stageDummy always succeeds.
// spec: client-server-api#dummy-auth
const stageDummy = "m.login.dummy"

// stage is one step of authentication.
type stage struct {
	params any // what a client must know to take it, nil for nothing
	// check returns no error if what the client submits (a JSON object) in a session completes the stage, and what is
	// to be known of it in the end. A *matrix.Error of status 401 or 403 is shown to the client, who may try again.
	check func(ctx context.Context, session string, auth []byte) (kept string, err error)
}

// outcome is what is known when a session is complete.
type outcome struct {
	session string
	kept    map[string]string // of stages, by their type
}

// challenge is the authentication that one request needs.
type challenge struct {
	// operation names what would be allowed, and for whom: a session is good for nothing else.
	operation string
	flows     [][]string       // each a list of stages, to be completed in order
	stages    map[string]stage // by their type
}

// dummy is a stage without a question.
func dummy() stage {
	return stage{check: func(context.Context, string, []byte) (string, error) { return "", nil }}
}

// interactive holds the sessions of User-Interactive Authentication, in memory: after a restart clients begin again.
//
// A session goes through these states: new; some stages completed, always the beginning of a flow; complete. It is
// removed when it is complete, so it allows one request; when it is too old; and after too many failed attempts.
// With the first stage that is completed, the request's parameters are settled: other ones are refused from then on.
//
// The zero value is ready for use.
// spec: client-server-api#user-interactive-authentication-api
type interactive struct {
	mu       sync.Mutex // guards the fields below, and what is in the sessions
	sessions map[string]*authSession
	oldest   []*authSession // all sessions and some that were removed, by age
}

type authSession struct {
	id        string
	challenge challenge // as it was when the session began
	began     time.Time
	completed []string
	kept      map[string]string // see outcome
	request   [sha256.Size]byte // the digest of the parameters once a stage is completed
	failed    int
}

// authRequired is the answer of a request that needs more authentication.
type authRequired struct {
	Code      string         `json:"errcode,omitempty"`
	Message   string         `json:"error,omitempty"`
	Completed []string       `json:"completed,omitzero"`
	Flows     []authFlow     `json:"flows"`
	Params    map[string]any `json:"params"`
	Session   string         `json:"session"`
}

type authFlow struct {
	Stages []string `json:"stages"`
}

// interact returns the outcome if the request whose body this is has passed the challenge. If it has not, the outcome
// is nil and the answer was written, or the error says why it cannot go on.
func (a *API) interact(w http.ResponseWriter, r *http.Request, body []byte, c challenge) (*outcome, error) {
	passed, required, err := a.interactive.advance(r.Context(), a.Now(), body, c)
	if err != nil || required == nil {
		return passed, err
	}
	return nil, wire.AnswerStatus(w, http.StatusUnauthorized, required)
}

// authData is what a client says of its authentication.
type authData struct {
	Type    string `json:"type"`
	Session string `json:"session"`
}

// advance takes one request through the challenge. It returns the outcome if the request may proceed, and otherwise
// what to ask of the client.
func (i *interactive) advance(ctx context.Context, now time.Time, body []byte, c challenge) (*outcome, *authRequired, error) {
	raw, given := matrix.Field(body, "auth")
	var auth authData
	if given {
		if !matrix.IsObject(raw) {
			return nil, nil, matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "\"auth\" must be an object")
		}
		if err := wire.Decode(raw, &auth); err != nil {
			return nil, nil, err
		}
	}
	s := i.find(auth.Session, now)
	switch {
	case (s == nil || s.challenge.operation != c.operation) && auth.Session != "":
		s = i.begin(now, c)
		return nil, i.ask(s, c, errAuthEnded()), nil
	case s == nil:
		s = i.begin(now, c)
	}
	if auth.Type != "" {
		refused, err := i.attempt(ctx, s, auth.Type, raw, c)
		if err != nil {
			return nil, nil, err
		}
		if refused != nil {
			return nil, i.ask(s, c, refused), nil
		}
	}
	return i.settle(s, digest(body), c)
}

// find returns the session of an id if it has not ended.
func (i *interactive) find(id string, now time.Time) *authSession {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.sessions[id]
	if s == nil || now.Sub(s.began) > authLifetime {
		return nil
	}
	return s
}

func (i *interactive) begin(now time.Time, c challenge) *authSession {
	s := &authSession{id: rand.Text(), challenge: c, began: now, kept: make(map[string]string)}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.sessions == nil {
		i.sessions = make(map[string]*authSession)
	}
	for len(i.oldest) > 0 && (len(i.oldest) >= maxAuths || now.Sub(i.oldest[0].began) > authLifetime) {
		delete(i.sessions, i.oldest[0].id)
		i.oldest[0] = nil
		i.oldest = i.oldest[1:]
	}
	i.sessions[s.id] = s
	i.oldest = append(i.oldest, s)
	return s
}

// attempt tries to complete one stage. Refused is why the client did not succeed.
func (i *interactive) attempt(ctx context.Context, s *authSession, typ string, auth []byte, c challenge) (refused *matrix.Error, err error) {
	i.mu.Lock()
	done, next := slices.Contains(s.completed, typ), follows(c.flows, s.completed, typ)
	i.mu.Unlock()
	if done {
		return nil, nil // spec: completed stages cannot be retried
	}
	if !next {
		return matrix.Errorf(http.StatusUnauthorized, matrix.MForbidden, "%q is not the next stage of any flow", shorten(typ)), nil
	}
	kept, err := c.stages[typ].check(ctx, s.id, auth)
	i.mu.Lock()
	defer i.mu.Unlock()
	if errors.As(err, &refused) {
		if refused.Status != http.StatusUnauthorized && refused.Status != http.StatusForbidden {
			return nil, err // what is malformed or must wait is no attempt
		}
		if s.failed++; s.failed >= maxAttempts {
			delete(i.sessions, s.id)
		}
		return refused, nil
	}
	if err == nil && follows(c.flows, s.completed, typ) {
		s.completed = append(s.completed, typ)
		s.kept[typ] = kept
	}
	return nil, err
}

// settle decides whether a session is complete. Only one request can complete it.
func (i *interactive) settle(s *authSession, request [sha256.Size]byte, c challenge) (*outcome, *authRequired, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(s.completed) > 0 && s.request == ([sha256.Size]byte{}) {
		s.request = request
	}
	if len(s.completed) > 0 && s.request != request {
		return nil, nil, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "The request has changed since its authentication began")
	}
	complete := slices.ContainsFunc(c.flows, func(flow []string) bool { return slices.Equal(flow, s.completed) })
	switch {
	case !complete:
		return nil, s.ask(c, nil), nil
	case i.sessions[s.id] != s:
		return nil, s.ask(c, errAuthEnded()), nil
	}
	delete(i.sessions, s.id)
	return &outcome{s.id, s.kept}, nil, nil
}

func errAuthEnded() *matrix.Error {
	return matrix.Errorf(http.StatusUnauthorized, matrix.MForbidden, "This authentication session is unknown, or has ended")
}

func (i *interactive) ask(s *authSession, c challenge, refused *matrix.Error) *authRequired {
	i.mu.Lock()
	defer i.mu.Unlock()
	return s.ask(c, refused)
}

func (s *authSession) ask(c challenge, refused *matrix.Error) *authRequired {
	out := &authRequired{Completed: slices.Clone(s.completed), Params: map[string]any{}, Session: s.id}
	for _, flow := range c.flows {
		out.Flows = append(out.Flows, authFlow{flow})
	}
	for name, st := range c.stages {
		if st.params != nil {
			out.Params[name] = st.params
		}
	}
	if refused != nil {
		out.Code, out.Message = refused.Code, refused.Message
		out.Completed = append([]string{}, s.completed...) // said after an attempt, also if it is nothing
	}
	return out
}

// follows reports whether a stage comes next, after those completed, in one of the flows.
func follows(flows [][]string, completed []string, typ string) bool {
	for _, flow := range flows {
		if n := len(completed); n < len(flow) && slices.Equal(flow[:n], completed) && flow[n] == typ {
			return true
		}
	}
	return false
}

// digest is the hash of a request's parameters, without what authenticates it.
func digest(body []byte) [sha256.Size]byte {
	var members []string
	matrix.EachField(body, func(name string, raw []byte) bool {
		if name != "auth" {
			value := raw
			if canonical, err := matrix.CanonicalLoose(raw); err == nil {
				value = canonical
			}
			key, _ := json.Marshal(name)
			members = append(members, string(key)+string(value))
		}
		return true
	})
	slices.Sort(members)
	return sha256.Sum256([]byte(strings.Join(members, ",")))
}

// shorten bounds what is repeated of a client's words.
func shorten(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
