package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"hearth/matrix/wire"
)

// What a conversation may take.
const (
	requestTimeout = 30 * time.Second
	patience       = 10 * time.Second // until what a step waits for is there
	hurry          = 2 * time.Second  // in conversations that are made up
	askAgain       = 30 * time.Millisecond
	maxAnswer      = 16 << 20 // bytes
)

// A server is one of the two that are compared.
type server struct {
	name string
	base string // URL
	http *http.Client
}

func newServer(name, base string) *server {
	return &server{name: name, base: base, http: &http.Client{
		Timeout:       requestTimeout,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 8, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// An answer is what a server answered to a step.
type answer struct {
	path    string // that was asked for, escaped, without its query
	status  int
	kind    string // the media type
	body    any    // decoded JSON; a string if it is none; nil if there is nothing
	raw     []byte
	names   map[string]string // variables by value, as they were after the step
	failure string            // why the step could not be taken or did not keep what it should; "" if all is well
	skipped bool              // it was not taken
}

// code is the answer's errcode, "" for none.
func (a *answer) code() string {
	object, _ := a.body.(map[string]any)
	code, _ := object["errcode"].(string)
	return code
}

// play holds a conversation with a server. The answers are in the order of the steps.
func (s *server) play(ctx context.Context, c *conversation) ([]*answer, error) {
	v, err := s.cast(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("making the users of %s %q on %s: %w", c.area, c.title, s.name, err)
	}
	var answers []*answer
	for _, step := range c.steps {
		a, err := s.take(ctx, step, v)
		if err != nil {
			return nil, fmt.Errorf("asking %s for %s (%s): %w", s.name, step, step.where(), err)
		}
		answers = append(answers, a)
	}
	return answers, nil
}

// take takes a step, again and again if it waits for something.
func (s *server) take(ctx context.Context, step *step, v variables) (*answer, error) {
	deadline := time.Now().Add(patience)
	if step.conversation.hurried {
		deadline = time.Now().Add(hurry)
	}
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for {
		a, err := s.ask(ctx, step, v)
		if err != nil || a.skipped {
			return a, err
		}
		waiting := unmet(step, a, v)
		if waiting == "" || time.Now().After(deadline) {
			a.failure = waiting
			if waiting == "" {
				a.failure = keep(step, a, v)
			}
			a.names = v.names()
			return a, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// unmet says which condition of the step does not hold, "" if all do.
func unmet(step *step, a *answer, v variables) string {
	for _, c := range step.until {
		found, err := lookup(a.body, c.path, v)
		switch {
		case c.absent && err == nil:
			return fmt.Sprintf("there is still something at %s", c.path)
		case !c.absent && err != nil:
			return err.Error()
		case c.value != "" && text(found) != c.value:
			return fmt.Sprintf("%s is not %s", c.path, c.value)
		}
	}
	return ""
}

// keep sets the variables that the step keeps. It returns what could not be kept.
func keep(step *step, a *answer, v variables) string {
	var missing []string
	for _, k := range step.keep {
		value, err := lookup(a.body, k.path, v)
		switch {
		case err == nil:
			v[k.name] = text(value)
		case !k.optional:
			missing = append(missing, err.Error())
		}
	}
	return strings.Join(missing, "; ")
}

// ask sends a step's request once.
func (s *server) ask(ctx context.Context, step *step, v variables) (*answer, error) {
	r, err := s.request(ctx, step, v)
	if err != nil {
		return &answer{failure: "not asked: " + err.Error(), names: v.names(), skipped: true}, nil
	}
	response, err := s.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	a := &answer{path: r.URL.EscapedPath(), status: response.StatusCode}
	if a.raw, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer)); err != nil {
		return nil, err
	}
	a.kind, _, _ = mime.ParseMediaType(response.Header.Get("Content-Type"))
	a.body = decode(a.raw)
	return a, nil
}

// decode returns a body's JSON value, its text if it is no JSON, nil if it is empty.
func decode(raw []byte) any {
	if len(raw) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil || d.More() {
		return string(raw)
	}
	return value
}

func (s *server) request(ctx context.Context, step *step, v variables) (*http.Request, error) {
	target, err := v.target(step.path)
	if err != nil {
		return nil, err
	}
	body, err := v.expand(step.body, unescaped)
	if err != nil {
		return nil, err
	}
	token, err := v.token(step.actor)
	if err != nil {
		return nil, err
	}
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, step.method, s.base+target, content)
	if err != nil {
		return nil, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r, nil
}

// token returns the access token of an actor.
func (v variables) token(actor string) (string, error) {
	switch {
	case actor == "-":
		return "", nil
	case actor == "?":
		return "wrong", nil
	case strings.HasPrefix(actor, "="):
		return v.expand(actor[1:], unescaped)
	}
	return v.expand("$"+strings.ReplaceAll(actor, "/", "_")+"_token", unescaped)
}

// password is everybody's, quiet a filter of syncs without what the conversation is not about, and publicRoom makes a
// room whose first events are the same on every server.
const (
	password = "correct horse battery"
	quiet    = `{"presence":{"not_types":["*"]},"account_data":{"not_types":["*"]}}`

	publicRoom = `{"preset": "public_chat", "power_level_content_override": {"events": {"m.room.power_levels": 100, "m.room.tombstone": 150}}, ` +
		`"initial_state": [{"type": "m.room.guest_access", "content": {"guest_access": "can_join"}}]}`
)

// cast makes the users of a conversation.
func (s *server) cast(ctx context.Context, c *conversation) (variables, error) {
	v := variables{"server": serverName, "password": password, "quiet": quiet, "public": publicRoom, "walk": fmt.Sprintf("walk%dx", c.number)}
	for _, u := range c.users {
		name := fmt.Sprintf("%s.%s.%d", u.name, c.area, c.number)
		first := &wire.Client{Base: s.base, HTTP: s.http}
		if err := s.enrol(ctx, first, name, strings.ToUpper(u.name[:1])+u.name[1:], u.name == "admin"); err != nil {
			return nil, fmt.Errorf("%s: %w", u.name, err)
		}
		v[u.name], v[u.name+"_name"] = string(first.User), name
		v[u.name+"_token"], v[u.name+"_device"] = first.Token, first.Device
		for _, device := range u.devices {
			other := first.Other()
			if err := other.Login(ctx, name, password, ""); err != nil {
				return nil, fmt.Errorf("%s/%s: %w", u.name, device, err)
			}
			v[u.name+"_"+device+"_token"], v[u.name+"_"+device+"_device"] = other.Token, other.Device
		}
	}
	return v, nil
}
