package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A difference is where two answers are not alike.
type difference struct {
	path            string
	reference, ours string
}

func (d *difference) String() string { return d.path + " " + d.reference + " | " + d.ours }

const nothing = "nothing"

// compare returns where the answers to a step differ.
func compare(s *step, reference, ours *answer) []*difference {
	var c comparison
	if reference.failure != "" || ours.failure != "" {
		if reference.failure != ours.failure {
			c.add("step", orWell(reference.failure), orWell(ours.failure))
		} else if !s.conversation.hurried {
			c.add("script", reference.failure, ours.failure)
		}
	}
	if reference.skipped || ours.skipped {
		return c.found
	}
	if reference.status != ours.status {
		c.add("status", strconv.Itoa(reference.status), strconv.Itoa(ours.status))
	}
	if reference.code() != ours.code() {
		c.add("errcode", orNothing(reference.code()), orNothing(ours.code()))
	}
	if reference.kind != ours.kind {
		c.add("content-type", orNothing(reference.kind), orNothing(ours.kind))
	}
	if reference.status == ours.status && reference.code() == ours.code() {
		r, o := normal(reference, s), normal(ours, s)
		if s.conversation.hurried && strings.HasPrefix(s.path, "/sync") {
			liberally(userOf(s.actor), strings.HasPrefix(s.path, "/sync?since="), r, o)
		}
		c.values("", r, o)
	}
	return c.found
}

func orWell(s string) string {
	if s == "" {
		return "well"
	}
	return s
}

func orNothing(s string) string {
	if s == "" {
		return nothing
	}
	return s
}

type comparison struct{ found []*difference }

func (c *comparison) add(path, reference, ours string) {
	c.found = append(c.found, &difference{path: path, reference: reference, ours: ours})
}

// values compares two normalised values at a path.
func (c *comparison) values(path string, reference, ours any) {
	switch r := reference.(type) {
	case map[string]any:
		if o, ok := ours.(map[string]any); ok {
			c.objects(path, r, o)
			return
		}
	case []any:
		if o, ok := ours.([]any); ok {
			c.arrays(path, r, o)
			return
		}
	default:
		if reference == ours {
			return
		}
	}
	c.add(orHere(path), show(reference), show(ours))
}

func orHere(path string) string {
	if path == "" {
		return "body"
	}
	return path
}

func (c *comparison) objects(path string, reference, ours map[string]any) {
	both := maps.Clone(reference)
	maps.Copy(both, ours)
	for _, name := range slices.Sorted(maps.Keys(both)) {
		r, inReference := reference[name]
		o, inOurs := ours[name]
		switch {
		case !inReference:
			c.add(join(path, name), nothing, show(o))
		case !inOurs:
			c.add(join(path, name), show(r), nothing)
		default:
			c.values(join(path, name), r, o)
		}
	}
}

// arrays compares element by element. One that only one side has is reported alone, and does not make all that follow
// it differ.
func (c *comparison) arrays(path string, reference, ours []any) {
	shared := align(reference, ours)
	i, j := 0, 0
	for i < len(reference) || j < len(ours) {
		at := fmt.Sprintf("%s[%d]", path, max(i, j))
		switch {
		case i < len(reference) && j < len(ours) && kin(reference[i], ours[j]) && shared[i][j] == shared[i+1][j+1]+1:
			c.values(at, reference[i], ours[j])
			i, j = i+1, j+1
		case j == len(ours) || i < len(reference) && shared[i+1][j] >= shared[i][j+1]:
			c.add(at, show(reference[i]), nothing)
			i++
		default:
			c.add(at, nothing, show(ours[j]))
			j++
		}
	}
}

// align returns for all i and j how many elements of a[i:] and b[j:] can be paired with their kin in order.
func align(a, b []any) [][]int {
	shared := make([][]int, len(a)+1)
	for i := range shared {
		shared[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			shared[i][j] = max(shared[i+1][j], shared[i][j+1])
			if kin(a[i], b[j]) {
				shared[i][j] = max(shared[i][j], shared[i+1][j+1]+1)
			}
		}
	}
	return shared
}

// kin reports whether two elements of arrays stand for the same: events of one type, state key and sender, things of
// one id, equal texts, or anything else that has no such name.
func kin(a, b any) bool {
	x, isObject := a.(map[string]any)
	y, too := b.(map[string]any)
	if !isObject || !too {
		text, isText := a.(string)
		return isObject == too && (!isText || text == b)
	}
	for _, name := range strings.Fields("type state_key sender") {
		if !isContainer(x[name]) && !isContainer(y[name]) && x[name] != y[name] {
			return false
		}
	}
	for _, name := range strings.Fields("rule_id user_id room_id app_id pushkey kind key set_tweak") {
		if x[name] != nil && y[name] != nil && !isContainer(x[name]) && !isContainer(y[name]) && x[name] != y[name] {
			return false
		}
	}
	return true
}

func isContainer(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// show is a value on one line.
func show(v any) string {
	if w, ok := v.(word); ok {
		return string(w)
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	const most = 300
	if len(encoded) > most {
		return string(encoded[:most]) + "…"
	}
	return string(encoded)
}
