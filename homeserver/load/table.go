package main

import (
	"fmt"
	"io"
)

// A table prints what was measured beside what is aimed for, line by line as
// the measurements end.
type table struct {
	out   io.Writer
	notes []string
}

func (t *table) heading(text string) {
	fmt.Fprintf(t.out, "%s\n\n| %-46s | %-86s | %s\n", text, "measured", "found", "aim")
}

func (t *table) row(name, aim, format string, args ...any) {
	fmt.Fprintf(t.out, "| %-46s | %-86s | %s\n", name, fmt.Sprintf(format, args...), aim)
}

// note is printed below the table, with the row's number of messages and the like.
func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// finish prints the notes.
func (t *table) finish() {
	for i, n := range t.notes {
		fmt.Fprintf(t.out, "\nconversation %d: %s", i+1, n)
	}
	fmt.Fprintln(t.out)
}
