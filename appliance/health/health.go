// Package health tells whether the box is well, as a tree in which what fails explains what hangs on it.
//
//	box            fails
//	├ data         fails: /dev/mmcblk0p4 cannot be mounted
//	│ └ storage    not looked at: data fails
//	└ network      well: 192.168.1.7
//
// A node is well if its own test passes and all its children are; the children of a node whose test fails are not looked
// at. Only leaves and tests fail of themselves, so a tree names the causes and not their effects.
package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Check is a node of the tree: how to find out.
type Check struct {
	Name     string
	Test     func(ctx context.Context) (note string, err error) // nil always passes; the note is for people
	Advisory bool                                               // what fails here is shown, and does not make the box unwell
	Children []Check
}

// State is a node of the tree: what was found out. It is what the box shows as JSON.
type State struct {
	Name     string  `json:"name"`
	Well     bool    `json:"well"`
	Note     string  `json:"note,omitempty"` // why it fails, or what is worth knowing
	Advisory bool    `json:"advisory,omitempty"`
	Children []State `json:"children,omitempty"`
}

// limit is how long one test may take.
const limit = 5 * time.Second

// notLooked begins the note of what hangs on something that fails.
const notLooked = "not looked at: "

// errHangs is what a test fails with that does not end in time.
var errHangs = errors.New("no answer in time")

// Look runs the tests, one after the other.
func Look(ctx context.Context, c Check) State {
	s := State{Name: c.Name, Advisory: c.Advisory}
	note, err := run(ctx, c.Test)
	if err != nil {
		s.Note = err.Error()
		for _, child := range c.Children {
			s.Children = append(s.Children, unseen(child, c.Name))
		}
		return s
	}
	s.Well, s.Note = true, note
	for _, child := range c.Children {
		state := Look(ctx, child)
		s.Children = append(s.Children, state)
		s.Well = s.Well && (state.Well || state.Advisory)
	}
	return s
}

// run runs a test. One that ignores its context is left behind; it holds a goroutine until it ends.
func run(ctx context.Context, test func(context.Context) (string, error)) (string, error) {
	if test == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errHangs)
	defer cancel()
	type result struct {
		note string
		err  error
	}
	done := make(chan result, 1)
	go func() { // until the test ends
		note, err := test(ctx)
		done <- result{note, err}
	}()
	select {
	case r := <-done:
		return r.note, r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// unseen is the state of what hangs on something that fails.
func unseen(c Check, cause string) State {
	s := State{Name: c.Name, Advisory: c.Advisory, Note: notLooked + cause + " fails"}
	for _, child := range c.Children {
		s.Children = append(s.Children, unseen(child, cause))
	}
	return s
}

// below reports whether the cause of what fails is among the children.
func (s State) below() bool {
	return slices.ContainsFunc(s.Children, func(c State) bool { return !c.Well && !c.Advisory && !strings.HasPrefix(c.Note, notLooked) })
}

// Causes returns the notes of what fails of itself, each with its name before it.
func (s State) Causes() []string {
	var causes []string
	if !s.Well && !s.below() && !strings.HasPrefix(s.Note, notLooked) {
		causes = append(causes, s.Name+": "+s.Note)
	}
	for _, child := range s.Children {
		causes = append(causes, child.Causes()...)
	}
	return causes
}

// Print writes the tree for people.
func (s State) Print(w io.Writer) error { return s.print(w, "") }

func (s State) print(w io.Writer, indent string) error {
	word := "well"
	switch {
	case strings.HasPrefix(s.Note, notLooked):
		word = s.Note
	case !s.Well && s.below():
		word = "fails below"
	case !s.Well:
		word = "fails: " + s.Note
	case s.Note != "":
		word = "well: " + s.Note
	}
	if _, err := fmt.Fprintf(w, "%-24s %s\n", indent+s.Name, word); err != nil {
		return err
	}
	for _, child := range s.Children {
		if err := child.print(w, indent+"  "); err != nil {
			return err
		}
	}
	return nil
}
