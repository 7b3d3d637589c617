package push

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"hearth/matrix"
	"hearth/matrix/event"
)

// Outcome is what the rules say of an event.
type Outcome struct {
	Notify    bool
	Highlight bool
	Actions   []json.RawMessage
}

// Room is what conditions may ask of the room that an event is in.
type Room interface {
	// Joined returns the number of joined members.
	Joined() (int64, error)
	// DisplayName returns the name that a member has in the room, "" if none.
	DisplayName(u matrix.UserID) (string, error)
	// MayNotify reports whether the sender has the power level for notifications of a key ("room").
	MayNotify(sender matrix.UserID, key string) (bool, error)
}

// compiled is a rule ready to be evaluated.
type compiled struct {
	outcome    Outcome
	conditions []check
}

type check struct {
	kind    string
	path    []string
	key     string
	pattern string // of globs, in lower case
	value   string // canonical JSON
	count   func(n int64) bool
	body    bool // the glob is matched with words of content.body
	literal bool // the pattern has no wildcards
}

func compile(kind string, r *Rule) compiled {
	c := compiled{outcome: outcomeOf(r.Actions)}
	switch kind {
	case "content":
		pattern := ""
		if r.Pattern != nil {
			pattern = *r.Pattern
		}
		c.conditions = []check{compileCondition(&Condition{Kind: "event_match", Key: "content.body", Pattern: &pattern})}
	case "room":
		c.conditions = []check{exactly("room_id", r.ID)}
	case "sender":
		c.conditions = []check{exactly("sender", r.ID)}
	default:
		for i := range r.Conditions {
			c.conditions = append(c.conditions, compileCondition(&r.Conditions[i]))
		}
	}
	return c
}

func exactly(field, value string) check {
	return check{kind: "event_property_is", path: []string{field}, value: string(matrix.AppendString(nil, value))}
}

func compileCondition(c *Condition) check {
	k := check{kind: c.Kind, key: c.Key, path: splitPath(c.Key)}
	switch c.Kind {
	case "event_match":
		if c.Pattern == nil {
			k.kind = ""
			return k
		}
		k.pattern = strings.ToLower(*c.Pattern)
		k.body = c.Key == "content.body"
		k.literal = !strings.ContainsAny(k.pattern, "*?")
	case "event_property_is", "event_property_contains":
		value, err := matrix.Canonical(c.Value)
		if err != nil || len(value) == 0 || value[0] == '{' || value[0] == '[' {
			k.kind = ""
		}
		k.value = string(value)
	case "room_member_count":
		k.count = compileCount(c.Is)
		if k.count == nil {
			k.kind = ""
		}
	}
	return k
}

// compileCount reads a comparison: an operator (==, <, >, >=, <=; == if there is none) and a number.
func compileCount(is string) func(int64) bool {
	digits := strings.TrimLeft(is, "=<>")
	op := is[:len(is)-len(digits)]
	want, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return nil
	}
	switch op {
	case "", "==":
		return func(n int64) bool { return n == want }
	case "<":
		return func(n int64) bool { return n < want }
	case ">":
		return func(n int64) bool { return n > want }
	case "<=":
		return func(n int64) bool { return n <= want }
	case ">=":
		return func(n int64) bool { return n >= want }
	}
	return nil
}

// outcomeOf reads actions. Those from older specifications are understood.
// spec: client-server-api#actions
func outcomeOf(acts []json.RawMessage) Outcome {
	o := Outcome{Actions: acts}
	for _, a := range acts {
		if s, ok := matrix.String(a); ok {
			o.Notify = o.Notify || s == "notify" || s == "coalesce"
			continue
		}
		if tweak, _ := matrix.StringField(a, "set_tweak"); tweak == "highlight" {
			value, ok := matrix.BoolField(a, "value")
			o.Highlight = value || !ok
		}
	}
	return o
}

// Evaluate returns what the first rule says that matches an event. Events of the user's own never notify.
// spec: client-server-api#push-rules
func (rs *Ruleset) Evaluate(e *event.Event, room Room) (Outcome, error) {
	if e.Sender == rs.User {
		return Outcome{}, nil
	}
	m := matching{e: e, room: room, user: rs.User}
rules:
	for i := range rs.rules {
		for j := range rs.rules[i].conditions {
			ok, err := m.holds(&rs.rules[i].conditions[j])
			if err != nil {
				return Outcome{}, err
			}
			if !ok {
				continue rules
			}
		}
		return rs.rules[i].outcome, nil
	}
	return Outcome{}, nil
}

// matching is the evaluation of rules for one event.
type matching struct {
	e    *event.Event
	room Room
	user matrix.UserID
	body *string // content.body in lower case, once it was needed
}

func (m *matching) holds(k *check) (bool, error) {
	switch k.kind {
	case "event_match":
		return m.matches(k), nil
	case "event_property_is":
		raw, ok := m.field(k.path)
		return ok && string(raw) == k.value, nil
	case "event_property_contains":
		raw, ok := m.field(k.path)
		found := false
		if ok && matrix.IsArray(raw) {
			matrix.EachElement(raw, func(item []byte) bool {
				found = string(item) == k.value
				return !found
			})
		}
		return found, nil
	case "room_member_count":
		n, err := m.room.Joined()
		return err == nil && k.count(n), err
	case "sender_notification_permission":
		return m.room.MayNotify(m.e.Sender, k.key)
	case "contains_display_name":
		name, err := m.room.DisplayName(m.user)
		if err != nil || name == "" {
			return false, err
		}
		return containsWord(m.lowerBody(), strings.ToLower(name), true), nil
	}
	return false, nil // spec: unrecognised conditions never match
}

// field returns the raw value at a path of the event.
func (m *matching) field(path []string) ([]byte, bool) {
	if len(path) > 1 && path[0] == "content" {
		return matrix.Field(m.e.Content, path[1:]...)
	}
	if len(path) == 1 && path[0] == "room_id" { // events of room version 12's creation have none
		return matrix.AppendString(nil, string(m.e.RoomID)), true
	}
	return matrix.Field(m.e.JSON, path...)
}

func (m *matching) lowerBody() string {
	if m.body == nil {
		s, _ := matrix.StringField(m.e.Content, "body")
		s = strings.ToLower(s)
		m.body = &s
	}
	return *m.body
}

func (m *matching) matches(k *check) bool {
	if k.body {
		return containsWord(m.lowerBody(), k.pattern, k.literal)
	}
	if len(k.path) == 1 { // the fields that most rules look at need no search
		switch k.path[0] {
		case "type":
			return globFold(k, m.e.Type)
		case "state_key":
			return m.e.StateKey != nil && globFold(k, *m.e.StateKey)
		}
	}
	raw, ok := m.field(k.path)
	if !ok {
		return false
	}
	s, ok := matrix.String(raw)
	return ok && globFold(k, s)
}

func globFold(k *check, s string) bool {
	if k.literal {
		return len(s) == len(k.pattern) && (s == k.pattern || strings.ToLower(s) == k.pattern)
	}
	return glob(k.pattern, strings.ToLower(s))
}

// glob matches "*" against any characters and "?" against one, in at most len(pattern)*len(s) steps.
func glob(pattern, s string) bool {
	star, from := -1, 0
	p, i := 0, 0
	for i < len(s) {
		_, width := utf8.DecodeRuneInString(s[i:])
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && pattern[p] == '?':
			p++
			i += width
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			_, width := utf8.DecodeRuneInString(s[from:])
			from += width
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// containsWord reports whether body contains what the pattern matches, between word boundaries.
// spec: client-server-api#conditions-1 (event_match on content.body)
func containsWord(body, pattern string, literal bool) bool {
	if pattern == "" {
		return false
	}
	if literal {
		for at := 0; ; {
			i := strings.Index(body[at:], pattern)
			if i < 0 {
				return false
			}
			i += at
			if boundary(body, i) && boundary(body, i+len(pattern)) {
				return true
			}
			_, width := utf8.DecodeRuneInString(body[i:])
			at = i + width
		}
	}
	return globWord(body, pattern)
}

// globWord follows all places of the pattern at once, so that its cost is bounded by len(body)*len(pattern).
func globWord(body, pattern string) bool {
	pat := []rune(pattern)
	states := make([]bool, len(pat)+1)
	next := make([]bool, len(pat)+1)
	close := func(s []bool) {
		for i, c := range pat {
			if s[i] && c == '*' {
				s[i+1] = true
			}
		}
	}
	for i, c := range body {
		if boundary(body, i) {
			states[0] = true
		}
		close(states)
		if states[len(pat)] && boundary(body, i) {
			return true
		}
		clear(next)
		for j, p := range pat {
			if !states[j] {
				continue
			}
			if p == '*' {
				next[j] = true
			} else if p == '?' || p == c {
				next[j+1] = true
			}
		}
		states, next = next, states
	}
	close(states)
	return states[len(pat)]
}

// boundary reports whether position i of s, in bytes, has no word character on at least one of its sides.
func boundary(s string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	after, _ := utf8.DecodeRuneInString(s[i:])
	return i == 0 || i == len(s) || !isWord(before) || !isWord(after)
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// splitPath splits a dotted path; a backslash makes a dot or a backslash part of a name.
func splitPath(s string) []string {
	var out []string
	var part strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '.' || s[i+1] == '\\'):
			i++
			part.WriteByte(s[i])
		case s[i] == '.':
			out = append(out, part.String())
			part.Reset()
		default:
			part.WriteByte(s[i])
		}
	}
	return append(out, part.String())
}
