package push

import (
	"encoding/json"
	"strconv"
	"strings"

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

// check is a condition ready to be evaluated.
type check struct {
	kind  string // "" never holds
	path  []string
	key   string
	glob  *pattern
	value string // canonical JSON
	count func(n int64) bool
	body  bool // the glob is matched with words of content.body
}

func compile(kind string, r *Rule) compiled {
	c := compiled{outcome: outcomeOf(r.Actions)}
	switch kind {
	case "content":
		c.conditions = []check{compileCondition(&Condition{Kind: "event_match", Key: "content.body", Pattern: r.Pattern})}
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
	k := check{kind: c.Kind, key: c.Key, path: matrix.SplitPath(c.Key)}
	never := false
	switch c.Kind {
	case "event_match":
		if never = c.Pattern == nil; !never {
			k.glob = newPattern(*c.Pattern)
			k.body = c.Key == "content.body"
		}
	case "event_property_is", "event_property_contains":
		value, err := matrix.Canonical(c.Value)
		never = err != nil || len(value) == 0 || value[0] == '{' || value[0] == '['
		k.value = string(value)
	case "room_member_count":
		k.count = compileCount(c.Is)
		never = k.count == nil
	}
	if never {
		k.kind = ""
	}
	return k
}

// compileCount reads a comparison: an operator (==, <, >, >=, <=; == if there is none) and a number.
func compileCount(is string) func(int64) bool {
	digits := strings.TrimLeft(is, "=<>")
	op := is[:len(is)-len(digits)]
	want, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || strings.ContainsAny(digits, "+-") {
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

// outcomeOf reads actions. Those of older specifications, dont_notify and coalesce, count as absent.
// spec: client-server-api#actions, #historical-actions
func outcomeOf(acts []json.RawMessage) Outcome {
	o := Outcome{Actions: acts}
	for _, a := range acts {
		if s, ok := matrix.String(a); ok {
			o.Notify = o.Notify || s == "notify"
			continue
		}
		if tweak, _ := matrix.StringField(a, "set_tweak"); tweak == "highlight" {
			value, ok := matrix.BoolField(a, "value")
			o.Highlight = value || !ok
		}
	}
	return o
}

// budget bounds the work for one event, in steps of about a nanosecond, whatever rules a user has made and whatever
// others send: when it is used up no further condition holds.
const budget = 1 << 22

// Evaluate returns what the first rule says that matches an event. Events of the user's own never notify.
// spec: client-server-api#push-rules
func (rs *Ruleset) Evaluate(e *event.Event, room Room) (Outcome, error) {
	if e.Sender == rs.User {
		return Outcome{}, nil
	}
	m := matching{e: e, room: room, user: rs.User, left: budget}
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
	e       *event.Event
	room    Room
	user    matrix.UserID
	left    int    // of the budget
	body    string // content.body in lower case, once it was needed
	hasBody bool
	read    bool // body was looked for
}

// spend takes steps from the budget and reports whether there were as many.
func (m *matching) spend(steps int) bool {
	m.left -= steps
	return m.left >= 0
}

// spec: client-server-api#conditions-1
func (m *matching) holds(k *check) (bool, error) {
	switch k.kind {
	case "event_match":
		return m.matches(k), nil
	case "event_property_is":
		raw, ok := m.field(k.path)
		return ok && string(raw) == k.value, nil
	case "event_property_contains":
		return m.contains(k), nil
	case "room_member_count":
		n, err := m.room.Joined()
		return err == nil && k.count(n), err
	case "sender_notification_permission":
		return m.room.MayNotify(m.e.Sender, k.key)
	case "contains_display_name":
		name, err := m.room.DisplayName(m.user)
		if err != nil || name == "" || !m.findBody() {
			return false, err
		}
		return literal(name).word(m.body, &m.left), nil
	}
	return false, nil // spec: unrecognised conditions never match
}

func (m *matching) contains(k *check) bool {
	raw, ok := m.field(k.path)
	if !ok || !matrix.IsArray(raw) || !m.spend(len(raw)) {
		return false
	}
	found := false
	matrix.EachElement(raw, func(item []byte) bool {
		found = string(item) == k.value
		return !found
	})
	return found
}

// field returns the raw value at a path of the event.
func (m *matching) field(path []string) ([]byte, bool) {
	switch {
	case len(path) > 1 && path[0] == "content":
		if !m.spend(len(m.e.Content) + 20) {
			return nil, false
		}
		return matrix.Field(m.e.Content, path[1:]...)
	case len(path) == 1 && path[0] == "room_id": // the creation event of room version 12 has none
		return matrix.AppendString(nil, string(m.e.RoomID)), true
	case len(path) == 1 && path[0] == "event_id": // nor have events of most versions this one
		return matrix.AppendString(nil, string(m.e.ID)), true
	}
	if !m.spend(len(m.e.JSON) + 20) {
		return nil, false
	}
	return matrix.Field(m.e.JSON, path...)
}

// findBody reads content.body and reports whether it is a string.
func (m *matching) findBody() bool {
	if !m.read {
		m.read = true
		m.spend(2 * len(m.e.Content))
		m.body, m.hasBody = matrix.StringField(m.e.Content, "body")
		m.body = strings.ToLower(m.body)
	}
	return m.hasBody
}

func (m *matching) matches(k *check) bool {
	if k.body {
		return m.findBody() && k.glob.word(m.body, &m.left)
	}
	if len(k.path) == 1 { // the fields that most rules look at need no search
		switch k.path[0] {
		case "type":
			return k.glob.whole(m.e.Type, &m.left)
		case "state_key":
			return m.e.StateKey != nil && k.glob.whole(*m.e.StateKey, &m.left)
		}
	}
	raw, ok := m.field(k.path)
	if !ok {
		return false
	}
	s, ok := matrix.String(raw)
	return ok && k.glob.whole(s, &m.left)
}
