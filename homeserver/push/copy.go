package push

import (
	"context"
	"errors"
	"slices"

	"hearth/matrix"
)

var errUnchanged = errors.New("nothing to do")

// CopyRules gives a user the rules for a room that they have for another, which it replaces: those of the kind room,
// and those with a condition that names it. Rules that the room has already stay as they are.
// spec: client-server-api#room-upgrades
func (p *Push) CopyRules(ctx context.Context, user matrix.UserID, from, to matrix.RoomID) error {
	st, _, err := p.load(ctx, user)
	if err != nil || !st.copyRules(from, to) { // nearly nobody has such rules, and looking takes no lock
		return err
	}
	err = p.update(ctx, user, func(st *stored) error {
		if !st.copyRules(from, to) {
			return errUnchanged
		}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// copyRules adds the copies, each after its model, and reports whether there was any.
func (st *stored) copyRules(from, to matrix.RoomID) (any bool) {
	for kind, own := range st.Own {
		if slices.ContainsFunc(own, func(r Rule) bool { return r.ID == string(to) }) {
			continue
		}
		for i := range own {
			if c, ok := own[i].copyFor(kind, from, to); ok && st.total() < maxOwnRules {
				st.Own[kind] = slices.Insert(slices.Clone(own), i+1, c)
				any = true
				break // the copy has the new room's id, and an id is given once
			}
		}
	}
	return any
}

// copyFor returns the rule as it is for another room, if it is about one.
func (r *Rule) copyFor(kind string, from, to matrix.RoomID) (Rule, bool) {
	c := *r
	c.ID = string(to)
	if kind == "room" {
		return c, r.ID == string(from)
	}
	found := false
	c.Conditions = slices.Clone(r.Conditions)
	for i := range c.Conditions {
		if k := &c.Conditions[i]; k.Key == "room_id" && k.Pattern != nil && *k.Pattern == string(from) {
			pattern := string(to)
			*k = Condition{Kind: k.Kind, Key: k.Key, Pattern: &pattern}
			found = true
		}
	}
	return c, found
}
