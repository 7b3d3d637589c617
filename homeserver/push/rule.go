package push

import (
	"encoding/json"
	"slices"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// Rule is a push rule as clients see it.
// spec: client-server-api#push-rules
type Rule struct {
	Actions    []json.RawMessage `json:"actions"`
	Conditions []Condition       `json:"conditions,omitempty"`
	Default    bool              `json:"default"`
	Enabled    bool              `json:"enabled"`
	Pattern    *string           `json:"pattern,omitempty"` // of content rules
	ID         string            `json:"rule_id"`
}

// Condition is a condition of a push rule.
type Condition struct {
	Kind    string          `json:"kind"`
	Key     string          `json:"key,omitempty"`
	Pattern *string         `json:"pattern,omitempty"`
	Is      string          `json:"is,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
}

// Kinds returns the kinds of rules in the order in which they are evaluated.
func Kinds() []string { return []string{"override", "content", "room", "sender", "underride"} }

// Ruleset is a user's rules. It is not changed once made.
type Ruleset struct {
	User   matrix.UserID
	Pos    store.Pos // of the last change; 0 if the user never changed a rule
	Global map[string][]Rule
	rules  []compiled // all that are enabled, in order
}

// stored is what of a user's rules is on disk: the user's own, and what the user changed of the predefined ones.
type stored struct {
	Own     map[string][]Rule  `json:"own,omitempty"`
	Changed map[string]changed `json:"changed,omitempty"` // by rule id
}

type changed struct {
	Enabled *bool              `json:"enabled,omitempty"`
	Actions *[]json.RawMessage `json:"actions,omitempty"`
}

func newRuleset(user matrix.UserID, st *stored, pos store.Pos) *Ruleset {
	rs := &Ruleset{User: user, Pos: pos, Global: make(map[string][]Rule)}
	for _, kind := range Kinds() {
		predefined := slices.Clone(predefinedRules(kind, user))
		for i := range predefined {
			r := &predefined[i]
			c := st.Changed[r.ID]
			if c.Enabled != nil {
				r.Enabled = *c.Enabled
			}
			if c.Actions != nil {
				r.Actions = *c.Actions
			}
		}
		own := st.Own[kind]
		all := make([]Rule, 0, len(own)+len(predefined))
		if kind == "override" { // the master rule comes before the user's own
			all = append(all, predefined[0])
			predefined = predefined[1:]
		}
		all = append(append(all, own...), predefined...)
		rs.Global[kind] = all
		for i := range all {
			if all[i].Enabled {
				rs.rules = append(rs.rules, compile(kind, &all[i]))
			}
		}
	}
	return rs
}

// JSON returns the content of m.push_rules.
func (rs *Ruleset) JSON() ([]byte, error) {
	return json.Marshal(map[string]any{"global": rs.Global})
}

func actions(parts ...string) []json.RawMessage {
	out := []json.RawMessage{}
	for _, p := range parts {
		out = append(out, json.RawMessage(p))
	}
	return out
}

const (
	notify       = `"notify"`
	highlight    = `{"set_tweak":"highlight"}`
	soundDefault = `{"set_tweak":"sound","value":"default"}`
	soundRing    = `{"set_tweak":"sound","value":"ring"}`
)

func match(key, pattern string) Condition {
	return Condition{Kind: "event_match", Key: key, Pattern: &pattern}
}

// predefinedRules are the rules that every user has.
// spec: client-server-api#predefined-rules
func predefinedRules(kind string, user matrix.UserID) []Rule {
	rule := func(id string, acts []json.RawMessage, conditions ...Condition) Rule {
		return Rule{ID: id, Default: true, Enabled: true, Actions: acts, Conditions: conditions}
	}
	id := json.RawMessage(matrix.AppendString(nil, string(user)))
	two := Condition{Kind: "room_member_count", Is: "2"}
	switch kind {
	case "override":
		master := rule(".m.rule.master", actions())
		master.Enabled = false
		return []Rule{
			master,
			rule(".m.rule.suppress_notices", actions(), match("content.msgtype", "m.notice")),
			rule(".m.rule.invite_for_me", actions(notify, soundDefault),
				match("type", "m.room.member"), match("content.membership", "invite"), match("state_key", string(user))),
			rule(".m.rule.member_event", actions(), match("type", "m.room.member")),
			rule(".m.rule.is_user_mention", actions(notify, soundDefault, highlight),
				Condition{Kind: "event_property_contains", Key: `content.m\.mentions.user_ids`, Value: id}),
			rule(".m.rule.is_room_mention", actions(notify, highlight),
				Condition{Kind: "event_property_is", Key: `content.m\.mentions.room`, Value: json.RawMessage("true")},
				Condition{Kind: "sender_notification_permission", Key: "room"}),
			rule(".m.rule.tombstone", actions(notify, highlight), match("type", "m.room.tombstone"), match("state_key", "")),
			rule(".m.rule.reaction", actions(), match("type", "m.reaction")),
			rule(".m.rule.room.server_acl", actions(), match("type", "m.room.server_acl"), match("state_key", "")),
			rule(".m.rule.suppress_edits", actions(),
				Condition{Kind: "event_property_is", Key: `content.m\.relates_to.rel_type`, Value: json.RawMessage(`"m.replace"`)}),
		}
	case "underride":
		return []Rule{
			rule(".m.rule.call", actions(notify, soundRing), match("type", "m.call.invite")),
			rule(".m.rule.encrypted_room_one_to_one", actions(notify, soundDefault), two, match("type", "m.room.encrypted")),
			rule(".m.rule.room_one_to_one", actions(notify, soundDefault), two, match("type", "m.room.message")),
			rule(".m.rule.message", actions(notify), match("type", "m.room.message")),
			rule(".m.rule.encrypted", actions(notify), match("type", "m.room.encrypted")),
		}
	}
	return nil
}
