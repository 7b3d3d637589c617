package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth/process"
)

// TestScripts runs the scripts in testdata, one for each verb. A script is a conversation with the command:
//
//	# a comment
//	% file NAME SIZE [TEXT]       makes a file of so many bytes, which TEXT begins; see prepare for more
//	$ appliance flash -h          a command; before it, < is a line of its standard input
//	what it prints                each line of both outputs as it is, with ... for anything
//	! what the error says         if it fails; without, it must not
//
// It runs in an empty folder, which is $TMP.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("there are no scripts", err)
	}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txt"), func(t *testing.T) {
			folder, source := t.TempDir(), sourceFolder(t)
			t.Chdir(folder)
			runScript(t, strings.ReplaceAll(string(text), "$TMP", folder), source)
		})
	}
}

// sourceFolder is the source tree that this test is of.
func sourceFolder(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// step is a command of a script, and what must come of it.
type step struct {
	line    string
	input   string
	want    []string
	failure string
}

func runScript(t *testing.T, text, source string) {
	t.Helper()
	var input string
	var now *step
	finish := func() {
		t.Helper()
		if now != nil {
			now.check(t)
		}
		now = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch mark, rest, _ := strings.Cut(line, " "); mark {
		case "#":
			finish()
		case "%":
			finish()
			prepare(t, strings.Fields(rest), source)
		case "<":
			finish()
			input += rest + "\n"
		case "$":
			finish()
			now, input = &step{line: rest, input: input}, ""
		case "!":
			now.failure = rest
		default:
			if now != nil {
				now.want = append(now.want, line)
			}
		}
	}
	finish()
}

func (s *step) check(t *testing.T) {
	t.Helper()
	words := strings.Fields(os.ExpandEnv(s.line))
	var out strings.Builder
	err := run(t.Context(), words[1:], process.Streams{In: strings.NewReader(s.input), Out: &out, Err: &out})
	switch {
	case err == nil && s.failure != "":
		t.Errorf("$ %s\nworks, and should fail: %s", s.line, s.failure)
	case err != nil && (s.failure == "" || !fits(err.Error(), s.failure)):
		t.Errorf("$ %s\nfails: %v\nwant:  %s", s.line, err, s.failure)
	}
	got := strings.TrimRight(out.String(), "\n")
	if want := strings.TrimRight(strings.Join(s.want, "\n"), "\n"); !fits(got, want) {
		t.Errorf("$ %s\nprints\n%s\nwant\n%s", s.line, got, want)
	}
}

// fits reports whether text is the pattern, in which ... stands for anything.
func fits(text, pattern string) bool {
	parts := strings.Split(pattern, "...")
	if len(parts) == 1 {
		return text == pattern
	}
	text, ok := strings.CutPrefix(text, parts[0])
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return ok && strings.HasSuffix(text, parts[len(parts)-1])
}
