package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func write(t *testing.T, j *Journal, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := fmt.Fprintf(j, "line %04d\n", i); err != nil {
			t.Fatal(err)
		}
	}
}

// all reads everything from a position on.
func all(t *testing.T, dir string, at Position) string {
	t.Helper()
	var b bytes.Buffer
	for {
		lines, next, err := Read(dir, at)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			return b.String()
		}
		at = next
		b.Write(lines)
	}
}

func TestBoundedAndInOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	j, err := open(dir, 100, 3)
	if err != nil {
		t.Fatal(err)
	}
	write(t, j, 0, 100)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = open(dir, 100, 3); err != nil { // a second start
		t.Fatal(err)
	}
	defer j.Close()
	write(t, j, 100, 105)
	text := all(t, dir, Position{})
	if len(text) > 3*110 || !strings.HasSuffix(text, "line 0103\nline 0104\n") {
		t.Errorf("the journal holds %d bytes: %q", len(text), text)
	}
	if numbers, err := list(dir); err != nil || len(numbers) != 3 {
		t.Errorf("the files are %v, %v", numbers, err)
	}
	at, err := Last(dir, 2)
	if got := all(t, dir, at); err != nil || got != "line 0103\nline 0104\n" {
		t.Errorf("the last two lines are %q, %v", got, err)
	}
	at, err = Last(dir, 8) // in two files
	if got := all(t, dir, at); err != nil || !strings.HasPrefix(got, "line 0097\n") || strings.Count(got, "\n") != 8 {
		t.Errorf("the last eight lines are %q, %v", got, err)
	}
}

func TestReaderOutlivesItsFile(t *testing.T) {
	dir := t.TempDir()
	j, err := open(dir, 100, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	write(t, j, 0, 3)
	_, at, err := Read(dir, Position{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, j, 3, 100)
	if got := all(t, dir, at); !strings.HasSuffix(got, "line 0099\n") || strings.Contains(got, "line 0002\n") {
		t.Errorf("the reader goes on with %q", got)
	}
}

func TestHalfALineIsNotReadUntilItsFileIsClosed(t *testing.T) {
	dir := t.TempDir()
	j, err := open(dir, 100, 3)
	if err != nil {
		t.Fatal(err)
	}
	j.Write([]byte("whole\nha"))
	lines, at, err := Read(dir, Position{})
	if string(lines) != "whole\n" || err != nil {
		t.Errorf("got %q, %v", lines, err)
	}
	j.Close() // and the power is cut
	if j, err = open(dir, 100, 3); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	j.Write([]byte("next\n"))
	if got := all(t, dir, at); got != "hanext\n" {
		t.Errorf("got %q", got)
	}
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	j, err := open(dir, 10, 3)
	if err != nil {
		t.Fatal(err)
	}
	write(t, j, 0, 1)
	if err := os.WriteFile(filepath.Join(dir, fileName(2)), nil, 0o600); err != nil { // the next cannot be made
		t.Fatal(err)
	}
	if _, err := j.Write([]byte("lost\n")); err == nil {
		t.Error("nothing is said of a line that is lost")
	}
	os.Remove(filepath.Join(dir, fileName(2)))
	write(t, j, 1, 2)
	if got := all(t, dir, Position{}); got != "line 0000\nline 0001\n" {
		t.Errorf("got %q", got)
	}
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j, err := open(dir, 100, 3)
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		write(t, j, 0, 2)
		ctx, cancel := context.WithCancel(t.Context())
		got := make(lines, 10)
		ended := make(chan error)
		go func() { ended <- Follow(ctx, dir, Position{}, time.Second, got) }()
		if first := <-got; first != "line 0000\nline 0001\n" {
			t.Errorf("got %q", first)
		}
		write(t, j, 2, 3)
		if second := <-got; second != "line 0002\n" {
			t.Errorf("got %q", second)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}
