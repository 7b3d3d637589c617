package push

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"hearth/homeserver/store"
	"hearth/matrix"
)

const tableRules = "prule"

const (
	maxOwnRules  = 1000
	maxRuleBytes = 16 << 10  // of one rule as JSON
	maxRules     = 256 << 10 // of all rules of a user as JSON
)

func (p *Push) load(ctx context.Context, user matrix.UserID) (*stored, store.Pos, error) {
	st := &stored{}
	row, err := p.store.Row(ctx, tableRules, []byte(user))
	if err != nil || row == nil {
		return st, 0, err
	}
	if len(row) < 8 {
		return nil, 0, fmt.Errorf("reading push rules of %s: record of %d bytes", user, len(row))
	}
	if err := json.Unmarshal(row[8:], st); err != nil {
		return nil, 0, fmt.Errorf("reading push rules of %s: %w", user, err)
	}
	return st, store.Pos(binary.BigEndian.Uint64(row)), nil
}

// RulesContent returns the content of m.push_rules and the position at which it changed last.
func (p *Push) RulesContent(ctx context.Context, user matrix.UserID) ([]byte, store.Pos, error) {
	rs, err := p.Rules(ctx, user)
	if err != nil {
		return nil, 0, err
	}
	content, err := rs.JSON()
	return content, rs.Pos, err
}

// Find returns one rule; the error is M_NOT_FOUND.
func (rs *Ruleset) Find(kind, id string) (*Rule, error) {
	if !slices.Contains(Kinds(), kind) {
		return nil, errNoRule(kind, id)
	}
	all := rulesOf(kind, rs.User, rs.stored)
	if i := slices.IndexFunc(all, func(r Rule) bool { return r.ID == id }); i >= 0 {
		return &all[i], nil
	}
	return nil, errNoRule(kind, id)
}

func errNoRule(kind, id string) error {
	return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no %s rule %q", kind, id)
}

// update changes a user's rules and returns once that is durable.
func (p *Push) update(ctx context.Context, user matrix.UserID, change func(*stored) error) error {
	mu := p.lock(user)
	mu.Lock()
	defer mu.Unlock()
	st, _, err := p.load(ctx, user)
	if err != nil {
		return err
	}
	if err := change(st); err != nil {
		return err
	}
	data, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("encoding push rules: %w", err)
	}
	if len(data) > maxRules {
		return matrix.Errorf(http.StatusBadRequest, matrix.MTooLarge, "Your push rules are too large together")
	}
	defer p.rules.Change(user)()
	_, err = p.apply(ctx, func(tx *store.Tx) {
		pos := tx.Note(store.Note{Kind: store.KindPushRules, User: user})
		tx.Set(tableRules, []byte(user), append(binary.BigEndian.AppendUint64(nil, uint64(pos)), data...))
	})
	if err != nil {
		return fmt.Errorf("writing push rules of %s: %w", user, err)
	}
	return nil
}

// forgetRules removes a user's rules.
func (p *Push) forgetRules(ctx context.Context, user matrix.UserID) error {
	mu := p.lock(user)
	mu.Lock()
	defer mu.Unlock()
	defer p.rules.Change(user)()
	if _, err := p.apply(ctx, func(tx *store.Tx) { tx.Delete(tableRules, []byte(user)) }); err != nil {
		return fmt.Errorf("removing push rules of %s: %w", user, err)
	}
	return nil
}

// apply is the store's Apply, except that it also waits for the outcome if the request is given up, so that what is
// known in memory and what is on the disk stay the same.
func (p *Push) apply(ctx context.Context, write func(tx *store.Tx)) (store.Pos, error) {
	t, err := p.store.Append(ctx, write)
	if err != nil {
		return 0, err
	}
	return t.Pos(), t.Wait(context.WithoutCancel(ctx))
}

// Put adds or replaces a user's own rule. before and after name another rule of the kind, "" if it does not matter.
// spec: client-server-api#put_matrixclientv3pushrulesglobalkindruleid
func (p *Push) Put(ctx context.Context, user matrix.UserID, kind string, r Rule, before, after string) error {
	if err := checkRule(kind, &r); err != nil {
		return err
	}
	return p.update(ctx, user, func(st *stored) error {
		if st.Own == nil {
			st.Own = make(map[string][]Rule)
		}
		own := st.Own[kind]
		at := slices.IndexFunc(own, func(o Rule) bool { return o.ID == r.ID })
		switch {
		case at >= 0 && before == "" && after == "":
			r.Enabled = own[at].Enabled
			own[at] = r
			return nil
		case at >= 0:
			r.Enabled = own[at].Enabled
			own = slices.Delete(own, at, at+1)
		case st.total() >= maxOwnRules:
			return matrix.Errorf(http.StatusBadRequest, matrix.MTooLarge, "You have %d push rules; remove some first", st.total())
		}
		i, err := placeFor(own, before, after)
		if err != nil {
			return err
		}
		st.Own[kind] = slices.Insert(own, i, r)
		return nil
	})
}

func (st *stored) total() int {
	n := 0
	for _, own := range st.Own {
		n += len(own)
	}
	return n
}

// placeFor returns where a rule goes that is to be placed before or after another. If both are named, before counts.
func placeFor(own []Rule, before, after string) (int, error) {
	name, shift := before, 0
	if before == "" {
		name, shift = after, 1
	}
	if name == "" {
		return 0, nil
	}
	if strings.HasPrefix(name, ".") {
		return 0, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A rule cannot be placed beside a predefined one")
	}
	i := slices.IndexFunc(own, func(o Rule) bool { return o.ID == name })
	if i < 0 {
		return 0, matrix.Errorf(http.StatusBadRequest, matrix.MUnknown, "before/after rule not found: %s", name)
	}
	return i + shift, nil
}

// checkRule refuses what is no rule of the kind, and takes away what has no meaning in it.
func checkRule(kind string, r *Rule) error {
	bad := func(format string, args ...any) error {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, format, args...)
	}
	if r.ID == "" || strings.HasPrefix(r.ID, ".") || strings.ContainsAny(r.ID, `/\`) {
		return bad("A rule's id must not be empty, begin with a dot or contain slashes")
	}
	if kind == "content" && (r.Pattern == nil || *r.Pattern == "") {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "A content rule needs a pattern")
	}
	if kind != "content" {
		r.Pattern = nil
	}
	if !conditional(kind) {
		r.Conditions = nil
	}
	var err error
	if r.Actions, err = cleanActions(r.Actions); err != nil {
		return err
	}
	for i := range r.Conditions {
		if r.Conditions[i].Kind == "" {
			return bad("A condition needs a kind")
		}
	}
	data, err := json.Marshal(r)
	if err != nil || len(data) > maxRuleBytes {
		return bad("A rule has at most %d bytes", maxRuleBytes)
	}
	return nil
}

// cleanActions refuses what is no action and leaves out those of older specifications.
// spec: client-server-api#historical-actions
func cleanActions(acts []json.RawMessage) ([]json.RawMessage, error) {
	out := []json.RawMessage{}
	for _, a := range acts {
		s, isString := matrix.String(a)
		tweak, isTweak := matrix.StringField(a, "set_tweak")
		switch {
		case isString && (s == "dont_notify" || s == "coalesce"):
		case isString && s == "notify", isTweak && tweak != "":
			out = append(out, a)
		default:
			return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "Unknown action: %.100s", a)
		}
	}
	return out, nil
}

// Delete removes a user's own rule.
func (p *Push) Delete(ctx context.Context, user matrix.UserID, kind, id string) error {
	return p.update(ctx, user, func(st *stored) error {
		own := st.Own[kind]
		i := slices.IndexFunc(own, func(o Rule) bool { return o.ID == id })
		if i < 0 { // predefined rules are not the user's to remove: they are disabled instead
			return errNoRule(kind, id)
		}
		st.Own[kind] = slices.Delete(own, i, i+1)
		return nil
	})
}

// SetEnabled turns a rule on or off.
func (p *Push) SetEnabled(ctx context.Context, user matrix.UserID, kind, id string, on bool) error {
	return p.adjust(ctx, user, kind, id, func(r *Rule) { r.Enabled = on }, func(c *changed) { c.Enabled = &on })
}

// SetActions replaces a rule's actions.
func (p *Push) SetActions(ctx context.Context, user matrix.UserID, kind, id string, acts []json.RawMessage) error {
	acts, err := cleanActions(acts)
	if err != nil {
		return err
	}
	if data, err := json.Marshal(acts); err != nil || len(data) > maxRuleBytes {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A rule has at most %d bytes", maxRuleBytes)
	}
	return p.adjust(ctx, user, kind, id, func(r *Rule) { r.Actions = acts }, func(c *changed) { c.Actions = &acts })
}

func (p *Push) adjust(ctx context.Context, user matrix.UserID, kind, id string, own func(*Rule), predefined func(*changed)) error {
	return p.update(ctx, user, func(st *stored) error {
		for i := range st.Own[kind] {
			if st.Own[kind][i].ID == id {
				own(&st.Own[kind][i])
				return nil
			}
		}
		for _, r := range predefinedRules(kind, user) {
			if r.ID != id {
				continue
			}
			if st.Changed == nil {
				st.Changed = make(map[string]changed)
			}
			c := st.Changed[id]
			predefined(&c)
			st.Changed[id] = c
			return nil
		}
		return errNoRule(kind, id)
	})
}
