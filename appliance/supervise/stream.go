package supervise

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// maxLine is where a line of a program's is cut, in bytes without the name; the rest is a line of its own.
const maxLine = 32 << 10

// maxQueue is how many bytes of lines wait for the log's writer; further lines are dropped and counted.
const maxQueue = 1 << 20

// stream is the one log of all programs. What writes it may block for ever (a pipe that nobody reads)
// without blocking the programs or their supervisor: lines are queued, and dropped when too many wait.
type stream struct {
	w       io.Writer
	more    chan struct{} // holds one token when something is queued
	drained chan struct{} // closed by write when it ends

	mu      sync.Mutex // guards what follows
	queue   []byte     // whole lines
	dropped int        // lines since the last that was queued
	closed  bool
}

// newStream starts to write lines to w, until close.
func newStream(w io.Writer) *stream {
	s := &stream{w: w, more: make(chan struct{}, 1), drained: make(chan struct{})}
	go s.write()
	return s
}

// write writes what is queued until the stream is closed. A log that cannot be written is lost: that must
// not stop what is logged.
func (s *stream) write() {
	defer close(s.drained)
	for range s.more {
		queue, closed := s.take()
		if len(queue) > 0 {
			s.w.Write(queue)
		}
		if closed {
			return
		}
	}
}

func (s *stream) take() (queue []byte, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue, s.queue = s.queue, nil
	return queue, s.closed
}

// close waits until all lines are written, or for so long at most.
func (s *stream) close(atMost time.Duration) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake()
	select {
	case <-s.drained:
	case <-time.After(atMost):
	}
}

func (s *stream) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// line queues one line.
func (s *stream) line(name string, line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue)+len(name)+len(line) > maxQueue {
		s.dropped++
		return
	}
	if s.dropped > 0 {
		s.queue = fmt.Appendf(s.queue, "supervise: the log is too slow: %d lines were dropped here\n", s.dropped)
		s.dropped = 0
	}
	s.queue = append(append(s.queue, name...), ": "...)
	s.queue = append(append(s.queue, line...), '\n')
	s.wake()
}

// named returns a writer of whole lines, each given in one call, in the name of a program.
func (s *stream) named(name string) io.Writer { return lineWriter{s, name} }

type lineWriter struct {
	stream *stream
	name   string
}

func (w lineWriter) Write(line []byte) (int, error) {
	n := len(line)
	if n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	w.stream.line(w.name, line)
	return n, nil
}

// copy logs what r yields, line by line, until it ends.
func (s *stream) copy(name string, r io.Reader) {
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == nil:
			s.line(name, line[:len(line)-1])
		case len(line) > 0:
			s.line(name, line)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
