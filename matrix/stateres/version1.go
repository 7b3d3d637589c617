package stateres

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"errors"
	"maps"
	"slices"

	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
)

// version1 is the algorithm of room version 1. A key that some states lack is no conflict in it.
//
// NOTSPEC: it resolves each key on its own against the passes before, where the text has one list of all the
// conflicting memberships in a pass; the text can only be meant so, since that list ends at the first event that
// is not allowed.
//
// spec: rooms/v1#state-resolution
func (r *resolver) version1() (map[event.Key]matrix.EventID, error) {
	resolved := make(map[event.Key]matrix.EventID, len(r.conflicts))
	var passes [4][]event.Key
	var ids []matrix.EventID
	for k, c := range r.conflicts {
		if len(c.ids) == 1 {
			resolved[k] = c.ids[0]
			continue
		}
		passes[passOf(k.Type)] = append(passes[passOf(k.Type)], k)
		ids = append(ids, c.ids...)
	}
	if err := r.loadAll(ids); err != nil {
		return nil, err
	}
	for pass, keys := range passes {
		found := make(map[event.Key]matrix.EventID, len(keys))
		for _, k := range keys {
			id, err := r.resolveKey(k, resolved, pass < len(passes)-1)
			if err != nil {
				return nil, err
			}
			found[k] = id
		}
		maps.Copy(resolved, found)
	}
	return resolved, nil
}

func passOf(typ string) int {
	switch typ {
	case event.TypePowerLevels:
		return 0
	case event.TypeJoinRules:
		return 1
	case event.TypeMember:
		return 2
	}
	return 3
}

// resolveKey picks the event of one conflict, given the passes before.
func (r *resolver) resolveKey(k event.Key, resolved map[event.Key]matrix.EventID, affectsAuth bool) (matrix.EventID, error) {
	candidates := r.byDepth(r.conflicts[k].ids)
	view := &view1{r: r, resolved: resolved}
	if !affectsAuth {
		for _, e := range slices.Backward(candidates) {
			if ok, err := r.allows(e, view); ok || err != nil {
				return e.ID, err
			}
		}
		return "", nil
	}
	view.own, view.ownKey = candidates[0], k
	for _, e := range candidates[1:] {
		ok, err := r.allows(e, view)
		if err != nil {
			return "", err
		}
		if !ok {
			break
		}
		view.own = e
	}
	return view.own.ID, nil
}

// byDepth returns events by ascending depth, then descending SHA-1 of the id.
func (r *resolver) byDepth(ids []matrix.EventID) []*event.Event {
	type sortable struct {
		e   *event.Event
		sum [sha1.Size]byte
	}
	list := make([]sortable, len(ids))
	for i, id := range ids {
		list[i] = sortable{r.loaded[id], sha1.Sum([]byte(id))}
	}
	slices.SortFunc(list, func(a, b sortable) int {
		return cmp.Or(cmp.Compare(a.e.Depth, b.e.Depth), bytes.Compare(b.sum[:], a.sum[:]))
	})
	events := make([]*event.Event, len(list))
	for i := range list {
		events[i] = list[i].e
	}
	return events
}

// allows reports whether the authorisation rules allow e in a state.
func (r *resolver) allows(e *event.Event, state authrules.State) (bool, error) {
	err := r.checker.Check(e, state)
	if _, ok := errors.AsType[*authrules.Error](err); ok {
		return false, nil
	}
	return err == nil, err
}

// view1 is the state as far as it is resolved: R in the specification.
type view1 struct {
	r        *resolver
	resolved map[event.Key]matrix.EventID
	own      *event.Event // of the conflict that is being resolved; nil if it does not count
	ownKey   event.Key
}

func (v *view1) Event(k event.Key) (*event.Event, error) {
	if v.own != nil && k == v.ownKey {
		return v.own, nil
	}
	id, ok := v.resolved[k]
	if !ok {
		var err error
		if id, err = v.r.common(k); err != nil {
			return nil, err
		}
	}
	if id == "" {
		return nil, nil
	}
	return v.r.get(id)
}
