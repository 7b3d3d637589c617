package main

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// mostShrunk is how many differences of one run are shrunk.
const mostShrunk = 12

// shrink looks for a small part of a walk after which its last step still differs in the same way, and reports it as
// a conversation. Differences of a shape that was shrunk before are not shrunk again.
func (h *walks) shrink(ctx context.Context, seed uint64, lines []string, open []*difference) error {
	s, err := parse(walksArea, "== Found\n"+lines[len(lines)-1])
	if err != nil {
		return err
	}
	wanted := shape(s.conversations[0].steps[0], open[0])
	if !h.first(wanted) {
		return nil
	}
	small, err := h.smaller(ctx, slices.Clone(lines), wanted)
	if err != nil {
		return err
	}
	h.report.found(fmt.Sprintf("== The walk of seed %d, after %d steps\n# differs %s\n%s\n", seed, len(lines), open[0], strings.Join(small, "\n")))
	return nil
}

// first reports whether a shape has not been shrunk.
func (h *walks) first(shape string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shown[shape] || len(h.shown) >= mostShrunk {
		return false
	}
	h.shown[shape] = true
	return true
}

// smaller drops steps, at first many at once, as long as the last one still differs in the wanted way.
func (h *walks) smaller(ctx context.Context, lines []string, wanted string) ([]string, error) {
	deadline := time.Now().Add(h.patience)
	for _, less := range [][]string{needed(lines, true), needed(lines, false)} {
		differs, err := h.differs(ctx, less, wanted)
		if err != nil {
			return nil, err
		}
		if differs {
			lines = less
			break
		}
	}
	for size := max(1, (len(lines)-1)/2); ; size /= 2 {
		for end := len(lines) - 1; end > 0; end -= size {
			if time.Now().After(deadline) {
				return lines, nil
			}
			begin := max(0, end-size)
			less := slices.Delete(slices.Clone(lines), begin, end)
			differs, err := h.differs(ctx, less, wanted)
			if err != nil {
				return nil, err
			}
			if differs {
				lines = less
			}
		}
		if size <= 1 {
			return lines, nil
		}
	}
}

// differs plays the lines as a conversation of its own, and reports whether the last step differs in the wanted way.
func (h *walks) differs(ctx context.Context, lines []string, wanted string) (bool, error) {
	s, err := h.stage(ctx, "A walk made smaller")
	if err != nil {
		return false, err
	}
	for i, text := range lines {
		step, answers, err := s.take(ctx, text)
		if err != nil {
			return false, err
		}
		if i < len(lines)-1 {
			continue
		}
		for _, d := range h.report.open(step, answers[0], answers[1]) {
			if shape(step, d) == wanted {
				return true, nil
			}
		}
	}
	return false, nil
}

// needed returns the lines of a walk that its last line depends on, as far as can be told by their variables: those
// that set these, and what was changed, if strictly only in rooms that the last line depends on.
func needed(lines []string, strictly bool) []string {
	last := len(lines) - 1
	wanted := mentioned(lines[last])
	kept := []string{lines[last]}
	for _, l := range slices.Backward(lines[:last]) {
		text, options, _ := cutLast(l, " -> ")
		about := mentioned(text)
		sets := false
		for option := range strings.FieldsSeq(options) {
			name, _, _ := strings.Cut(option, "?=")
			sets, about[name] = sets || wanted[name], true
		}
		reads := strings.Contains(text, " GET /")
		elsewhere := slices.ContainsFunc(slices.Collect(maps.Keys(about)), func(name string) bool {
			return roomName.MatchString(name) && !wanted[name]
		})
		if sets || !reads && !(strictly && elsewhere) {
			kept = append(kept, l)
			maps.Copy(wanted, mentioned(text))
		}
	}
	slices.Reverse(kept)
	return kept
}

// roomName matches the variables that hold ids of rooms.
var roomName = regexp.MustCompile(`^(room|secret|new)\d`)

// mentioned is the set of the variables in a text.
func mentioned(text string) map[string]bool {
	names := make(map[string]bool)
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		names[m[1]+m[2]] = true
	}
	return names
}
