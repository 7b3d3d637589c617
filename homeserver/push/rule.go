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
	Conditions []Condition       `json:"conditions,omitzero"` // of override and underride rules
	Default    bool              `json:"default"`
	Enabled    bool              `json:"enabled"`
	Pattern    *string           `json:"pattern,omitempty"` // of content rules
	ID         string            `json:"rule_id"`
}

// Condition is a condition of a push rule.
type Condition struct {
	Kind    string
	Key     string
	Pattern *string
	Is      string
	Value   json.RawMessage
	given   json.RawMessage // as the client wrote it, with what conditions of other specifications have
}

// conditionJSON is what of a condition is evaluated.
type conditionJSON struct {
	Kind    string          `json:"kind"`
	Key     string          `json:"key,omitempty"`
	Pattern *string         `json:"pattern,omitempty"`
	Is      string          `json:"is,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
}

// UnmarshalJSON reads a condition and keeps it as it is written.
func (c *Condition) UnmarshalJSON(data []byte) error {
	var in conditionJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*c = Condition{in.Kind, in.Key, in.Pattern, in.Is, in.Value, slices.Clone(data)}
	return nil
}

// MarshalJSON writes a condition as it was read.
func (c Condition) MarshalJSON() ([]byte, error) {
	if c.given != nil {
		return c.given, nil
	}
	return json.Marshal(conditionJSON{c.Kind, c.Key, c.Pattern, c.Is, c.Value})
}

// Kinds returns the kinds of rules in the order in which they are evaluated.
func Kinds() []string { return []string{"override", "content", "room", "sender", "underride"} }

// conditional reports whether rules of a kind have conditions of their own.
func conditional(kind string) bool { return kind == "override" || kind == "underride" }

// Ruleset is a user's rules. It is not changed once made. Of the rules it has in memory what evaluating them needs, and
// what the user changed: the text of the predefined ones, which clients ask for now and then, would be the most of it.
type Ruleset struct {
	User   matrix.UserID
	Pos    store.Pos // of the last change; 0 if the user never changed a rule
	stored *stored
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
	rs := &Ruleset{User: user, Pos: pos, stored: st}
	for _, kind := range Kinds() {
		all := rulesOf(kind, user, st)
		for i := range all {
			if all[i].Enabled {
				rs.rules = append(rs.rules, compile(kind, &all[i]))
			}
		}
	}
	return rs
}

// Global returns all rules by their kind, each kind in the order in which they are evaluated.
func (rs *Ruleset) Global() map[string][]Rule {
	all := make(map[string][]Rule)
	for _, kind := range Kinds() {
		all[kind] = rulesOf(kind, rs.User, rs.stored)
	}
	return all
}

// rulesOf returns a user's rules of a kind in the order in which they are evaluated.
func rulesOf(kind string, user matrix.UserID, st *stored) []Rule {
	predefined := predefinedRules(kind, user)
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
		all, predefined = append(all, predefined[0]), predefined[1:]
	}
	all = append(append(all, own...), predefined...)
	for i := range all {
		if conditional(kind) && all[i].Conditions == nil {
			all[i].Conditions = []Condition{}
		}
	}
	return all
}

// JSON returns the content of m.push_rules.
func (rs *Ruleset) JSON() ([]byte, error) {
	return json.Marshal(map[string]any{"global": rs.Global()})
}
