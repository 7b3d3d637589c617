package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/homeserver/contract"
	"hearth/homeserver/rig"
)

// TestTheShortFormIsAlike runs what is marked short, and a short walk; `make interop` runs everything.
func TestTheShortFormIsAlike(t *testing.T) {
	if _, err := python(); errors.Is(err, errNoSynapse) {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	programs := t.TempDir()
	if err := rig.Build(ctx, programs); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log")) // a file, since two programs write to it
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r, err := judge(ctx, options{programs: programs, data: t.TempDir(), short: true, log: log, seeds: []uint64{1}, steps: 40})
	if err != nil {
		said, _ := os.ReadFile(log.Name())
		t.Fatalf("%v\n%s", err, said)
	}
	if err := r.verdict(); err != nil {
		var out bytes.Buffer
		r.print(&out)
		t.Errorf("%v\n%s", err, out.Bytes())
	}
	if n := r.total().steps; n < 80 {
		t.Errorf("the short form has only %d steps", n)
	}
}

// TestExceptionsQuoteTheSpecification finds the words of every exception where they are said to stand.
func TestExceptionsQuoteTheSpecification(t *testing.T) {
	_, exceptions, err := load()
	if err != nil {
		t.Fatal(err)
	}
	folder := contract.Folder()
	if folder == "" {
		t.Skip("the specification is not beside this repository")
	}
	for _, e := range exceptions {
		for _, q := range e.quotes {
			content, err := os.ReadFile(filepath.Join(folder, "../../..", q.file))
			if err != nil {
				t.Errorf("exceptions/%s.txt:%d: %v", e.file, q.line, err)
				continue
			}
			if !strings.Contains(unfolded(string(content)), oneLine(q.words)) {
				t.Errorf("exceptions/%s.txt:%d: %s does not say %q", e.file, q.line, q.file, q.words)
			}
		}
	}
}

// unfolded is a text on one line, without the marks of folded comments.
func unfolded(s string) string {
	return oneLine(regexp.MustCompile(`\n\s*(#|//)\s`).ReplaceAllString(s, "\n"))
}

// TestEveryOperationIsAskedFor finds the operations of the specification that no step asks for.
func TestEveryOperationIsAskedFor(t *testing.T) {
	folder := contract.Folder()
	if folder == "" {
		t.Skip("the specification is not beside this repository")
	}
	c, err := contract.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	areas, _, err := load()
	if err != nil {
		t.Fatal(err)
	}
	asked := make(map[string]bool)
	for _, a := range areas {
		for _, conversation := range a.conversations {
			for _, s := range conversation.steps {
				path, _, _ := strings.Cut(reference.ReplaceAllString(s.path, "x"), "?")
				target, err := variables{}.target(path)
				if err != nil {
					t.Fatal(err)
				}
				if op := c.Find(s.method, target); op != nil {
					asked[op.Method+op.Path] = true
				}
			}
		}
	}
	// What the server does not serve yet: media, keys, application services, other servers.
	later := strings.Fields("authed-content-repo content-repo cross_signing keys key_backup appservice_ping appservice_room_directory policy_server")
	for _, op := range c.Operations {
		if !asked[op.Method+op.Path] && !slices.Contains(later, op.File) {
			t.Errorf("no step asks for %s %s (%s)", op.Method, op.Path, op.File)
		}
	}
}

func TestEveryConversationIsLoaded(t *testing.T) {
	areas, _, err := load()
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := choose(areas, options{})
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	for _, c := range chosen {
		steps += len(c.steps)
	}
	if steps < 500 {
		t.Errorf("there are only %d steps", steps)
	}
}
