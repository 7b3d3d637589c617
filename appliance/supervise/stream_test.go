package supervise

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestStream(t *testing.T) {
	var out bytes.Buffer
	s := newStream(&out)
	long := strings.Repeat("x", maxLine)
	s.copy("a", strings.NewReader("one\n\ntwo three\n"+long+"y\nlast"))
	fmt.Fprintln(s.named("b"), "four")
	s.close(time.Minute)
	want := "a: one\na: \na: two three\na: " + long + "\na: y\na: last\nb: four\n"
	if out.String() != want {
		t.Errorf("got %.100q", out.String())
	}
}

func TestLinesStayWhole(t *testing.T) {
	var out bytes.Buffer
	s := newStream(&out)
	var done sync.WaitGroup
	for i := range 4 {
		name := fmt.Sprint("p", i)
		done.Go(func() { s.copy(name, strings.NewReader(strings.Repeat(name+"\n", 1000))) })
	}
	done.Wait()
	s.close(time.Minute)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 4000 {
		t.Errorf("%d lines, want 4000", len(lines))
	}
	for _, line := range lines {
		if name, text, _ := strings.Cut(line, ": "); name != text {
			t.Fatalf("%q is not one program's line", line)
		}
	}
}

func TestABlockedLogBlocksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		s := newStream(w)
		line := bytes.Repeat([]byte("x"), 1<<10)
		for range 2000 {
			s.line("a", line)
		}
		begun := time.Now()
		s.close(time.Second)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("closing takes %v", took)
		}
		r.Close()
	})
}

func TestDroppedLinesAreCounted(t *testing.T) {
	r, w := io.Pipe()
	s := newStream(w)
	line := bytes.Repeat([]byte("x"), 1<<10)
	for range 3000 {
		s.line("a", line)
	}
	buf := make([]byte, 4<<20)
	n, _ := r.Read(buf) // what was queued up to now has been taken, in one piece or two
	for !bytes.Contains(buf[:n], []byte("were dropped here\na: end\n")) {
		s.line("a", []byte("end"))
		more, _ := r.Read(buf[n:])
		n += more
	}
	go io.Copy(io.Discard, r)
	s.close(time.Minute)
}
