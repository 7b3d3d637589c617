package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// ask sends a request and prints the answer as JSON if that is wanted; otherwise print shows what was decoded into out.
func (c *call) ask(ctx context.Context, method, path string, in, out any, print func()) error {
	said, err := c.client.call(ctx, method, path, in, out)
	if err != nil {
		return err
	}
	if !c.json {
		print()
		return nil
	}
	var text bytes.Buffer
	if err := json.Indent(&text, said, "", "  "); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	fmt.Fprintf(c.std.Out, "%s\n", text.Bytes())
	return nil
}

// get is ask for what only reads.
func (c *call) get(ctx context.Context, path string, out any, print func()) error {
	return c.ask(ctx, http.MethodGet, path, nil, out, print)
}

// say prints one line.
func (c *call) say(format string, args ...any) {
	fmt.Fprintf(c.std.Out, format+"\n", args...)
}

// table prints rows under a head.
func (c *call) table(head string, rows [][]string) {
	w := tabwriter.NewWriter(c.std.Out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	for i, row := range append([][]string{strings.Fields(head)}, rows...) {
		if i > 0 {
			for j := range row {
				row[j] = clean(row[j])
			}
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
}

// facts prints names and what they are, leaving out what is "".
func (c *call) facts(pairs ...string) {
	w := tabwriter.NewWriter(c.std.Out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", pairs[i], clean(pairs[i+1]))
		}
	}
}

// clean makes one line of what users wrote that no terminal takes for commands.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// moment writes a time of milliseconds, "never" for 0.
func moment(ms int64) string {
	if ms == 0 {
		return "never"
	}
	return time.UnixMilli(ms).Format("2006-01-02 15:04")
}

// list joins words, "-" for none.
func list(words ...string) string {
	var there []string
	for _, w := range words {
		if w != "" {
			there = append(there, w)
		}
	}
	if there == nil {
		return "-"
	}
	return strings.Join(there, ", ")
}

// when returns a word if it holds.
func when(holds bool, word string) string {
	if holds {
		return word
	}
	return ""
}
