package clientapi

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// promise is one line of spec.txt.
type promise struct {
	word   string // yes, partial, no or ours
	route  string // method and path
	reason string
}

func promises(t *testing.T) []promise {
	t.Helper()
	text, err := os.ReadFile("../spec.txt")
	must(t, err)
	var all []promise
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 3 {
			t.Fatalf("spec.txt: %q is not word, method, path, reason", line)
		}
		all = append(all, promise{word: f[0], route: f[1] + " " + f[2], reason: strings.Join(f[3:], " ")})
	}
	return all
}

// serves returns the pattern that serves a route whose placeholders have any names, "" if none does.
func serves(patterns []string, route string) string {
	want := anonymous(route)
	for _, p := range patterns {
		if anonymous(p) == want {
			return p
		}
	}
	return ""
}

// anonymous takes the names of a route's placeholders away.
func anonymous(route string) string {
	segments := strings.Split(route, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// TestSpecTxtIsTrue holds homeserver/spec.txt against the routes.
func TestSpecTxtIsTrue(t *testing.T) {
	patterns := newServer(t).api.mux().Patterns()
	listed := make(map[string]bool)
	for _, p := range promises(t) {
		served := serves(patterns, p.route)
		if listed[p.route] {
			t.Errorf("spec.txt lists %s twice", p.route)
		}
		listed[p.route] = true
		switch {
		case !slices.Contains([]string{"yes", "partial", "no", "ours"}, p.word):
			t.Errorf("spec.txt: %s of %s is not yes, partial, no or ours", p.word, p.route)
		case p.word != "yes" && p.reason == "":
			t.Errorf("spec.txt says %s of %s and not why", p.word, p.route)
		case p.word != "no" && served == "":
			t.Errorf("spec.txt says %s of %s, and no route serves it", p.word, p.route)
		case p.word == "no" && served != "" && !strings.HasPrefix(p.reason, "refused"):
			t.Errorf("spec.txt says no of %s, but it is served", p.route)
		}
		if served != "" {
			patterns = slices.DeleteFunc(patterns, func(pattern string) bool { return pattern == served })
		}
	}
	if len(patterns) > 0 {
		t.Errorf("spec.txt lacks these routes:\n%s", strings.Join(patterns, "\n"))
	}
}

// TestSpecTxtIsWhole holds homeserver/spec.txt against the specification's definitions.
func TestSpecTxtIsWhole(t *testing.T) {
	c, err := specification()
	must(t, err)
	if c == nil {
		t.Skip("the specification is not beside this repository")
	}
	lacking := make(map[string]bool)
	for _, op := range c.Operations {
		lacking[op.Method+" "+op.Path] = true
	}
	for _, p := range promises(t) {
		if !lacking[p.route] && p.word != "ours" {
			t.Errorf("spec.txt lists %s, which the specification does not know", p.route)
		}
		delete(lacking, p.route)
	}
	for route := range lacking {
		t.Errorf("spec.txt lacks %s", route)
	}
}
