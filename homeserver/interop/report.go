package main

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"hearth/homeserver/contract"
)

// A report is what became of the steps.
type report struct {
	exceptions []*exception
	contract   *contract.Contract // the specification's API definitions; nil if they are not there
	whole      bool               // all conversations were held
	verbose    bool

	mu       sync.Mutex // guards what follows, and how often the exceptions were needed
	rows     []*row
	findings []finding
	scripts  []string // of walks that were made smaller
}

// found notes the conversation that is left of a walk.
func (r *report) found(script string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.scripts = append(r.scripts, script)
}

// A row counts the steps of an area.
type row struct {
	area                              string
	steps, same, explained, different int
}

// A finding is a step whose answers differ, or one that is shown anyhow.
type finding struct {
	step            *step
	reference, ours *answer
	differences     []*difference // those that nothing explains
}

// judge counts a step and notes what differs. It returns what nothing explains.
func (r *report) judge(s *step, reference, ours *answer) []*difference {
	all, open := r.differences(s, reference, ours, true)
	r.mu.Lock()
	defer r.mu.Unlock()
	row := r.row(s.conversation.area)
	row.steps++
	switch {
	case len(open) > 0:
		row.different++
	case len(all) > 0:
		row.explained++
	default:
		row.same++
	}
	if len(open) > 0 || r.verbose {
		r.findings = append(r.findings, finding{s, reference, ours, open})
	}
	return open
}

// open returns the differences that nothing explains, without noting anything.
func (r *report) open(s *step, reference, ours *answer) []*difference {
	_, open := r.differences(s, reference, ours, false)
	return open
}

// differences returns how the answers to a step differ, and what of that nothing explains. If it counts, the exceptions
// that explain something have been needed.
func (r *report) differences(s *step, reference, ours *answer, counts bool) (all, open []*difference) {
	all = compare(s, reference, ours)
	if theirs, of := r.kept(s, reference), r.kept(s, ours); of != kept {
		all = append(all, &difference{"contract", theirs, of})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range all {
		if explain(r.exceptions, s, d, counts) == nil {
			open = append(open, d)
		}
	}
	return all, open
}

const kept = "kept"

// kept says how an answer breaks the specification's definition of the endpoint.
func (r *report) kept(s *step, a *answer) string {
	if r.contract == nil || a.skipped {
		return kept
	}
	if err := r.contract.Check(s.method, a.path, a.status, a.raw); err != nil {
		return oneLine(err.Error())
	}
	return kept
}

// oneLine makes all white space single spaces.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (r *report) row(area string) *row {
	if n := len(r.rows); n > 0 && r.rows[n-1].area == area {
		return r.rows[n-1]
	}
	r.rows = append(r.rows, &row{area: area})
	return r.rows[len(r.rows)-1]
}

// total adds the rows up.
func (r *report) total() *row {
	t := &row{area: "all"}
	for _, row := range r.rows {
		t.steps += row.steps
		t.same += row.same
		t.explained += row.explained
		t.different += row.different
	}
	return t
}

// print writes a table of the areas and then everything that is not as it should be.
func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "The same steps on Synapse %s and on Hearth:\n\n", synapseVersion)
	const format = "| %-28s | %6v | %6v | %9v | %9v |\n"
	fmt.Fprintf(out, format, "area", "steps", "same", "explained", "different")
	for _, row := range append(r.rows, r.total()) {
		fmt.Fprintf(out, format, row.area, row.steps, row.same, row.explained, row.different)
	}
	for _, f := range r.findings {
		f.print(out)
	}
	for _, script := range r.scripts {
		fmt.Fprintf(out, "\n%s", script)
	}
	if s := r.stale(); len(s) > 0 {
		fmt.Fprintf(out, "\nThese exceptions explain nothing any more:\n  %s\n", strings.Join(s, "\n  "))
	}
}

// stale returns the exceptions that a run of everything did not need.
func (r *report) stale() []string {
	if !r.whole {
		return nil
	}
	return stale(r.exceptions)
}

func (f finding) print(out io.Writer) {
	fmt.Fprintf(out, "\n%s  %s\n  %s\n", f.step.where(), f.step.conversation.title, shorten(f.step.String()))
	for _, side := range []struct {
		name string
		*answer
	}{{"Synapse", f.reference}, {"Hearth", f.ours}} {
		fmt.Fprintf(out, "  %-8s %d %s\n", side.name, side.status, shorten(string(side.raw)))
	}
	for _, d := range f.differences {
		fmt.Fprintf(out, "  differs  %s\n", d)
	}
}

// shorten bounds what is printed of an answer.
func shorten(s string) string {
	const most = 1500
	s = strings.ReplaceAll(s, "\n", " ")
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// verdict is an error if there is something to do.
func (r *report) verdict() error {
	different, s := r.total().different, r.stale()
	if different > 0 || len(s) > 0 {
		return fmt.Errorf("%d steps differ without an explanation, and %d exceptions are stale", different, len(s))
	}
	return nil
}
