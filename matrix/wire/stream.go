package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"hearth/matrix"
)

// streamBuffer is how many bytes of a Stream's answer are held before they are sent.
const streamBuffer = 32 << 10

// A Stream writes one large JSON answer, with status 200, piece by piece, so
// that the server never holds all of it. It puts the commas; whoever uses it
// balances Open and Close and puts a Name before each member of an object.
//
//	s := wire.NewStream(w)
//	s.Open('{')
//	s.Name("chunk")
//	s.Open('[')
//	for e := range events {
//		s.Raw(e)
//	}
//	s.Close(']')
//	s.Close('}')
//	return s.End()
//
// Until the first 32 KiB nothing is sent, so small answers carry a
// Content-Length and errors can still be answered as such.
type Stream struct {
	w     http.ResponseWriter
	from  *bytes.Buffer // where buf comes from and goes back to; nil once it has
	buf   []byte
	comma bool // before the next value or name
	sent  bool
	err   error
}

// NewStream starts an answer.
func NewStream(w http.ResponseWriter) *Stream {
	from := buffers.Get().(*bytes.Buffer)
	return &Stream{w: w, from: from, buf: from.AvailableBuffer()}
}

// Open begins an object or array with '{' or '['.
func (s *Stream) Open(bracket byte) {
	s.value()
	s.buf = append(s.buf, bracket)
	s.comma = false
}

// Close ends an object or array with '}' or ']'.
func (s *Stream) Close(bracket byte) {
	s.buf = append(s.buf, bracket)
	s.comma = true
	s.flushIfFull()
}

// Name writes the name of the next member.
func (s *Stream) Name(name string) {
	s.value()
	s.buf = append(matrix.AppendString(s.buf, name), ':')
	s.comma = false
}

// Raw writes a value that is JSON already.
func (s *Stream) Raw(value []byte) {
	s.value()
	s.buf = append(s.buf, value...)
	s.flushIfFull()
}

// String writes a string.
func (s *Stream) String(value string) {
	s.value()
	s.buf = matrix.AppendString(s.buf, value)
	s.flushIfFull()
}

// Int writes an integer.
func (s *Stream) Int(value int64) {
	s.value()
	s.buf = strconv.AppendInt(s.buf, value, 10)
}

// Bool writes a boolean.
func (s *Stream) Bool(value bool) {
	s.value()
	s.buf = strconv.AppendBool(s.buf, value)
}

// Value writes whatever encoding/json can encode. If it cannot, End says so.
func (s *Stream) Value(value any) {
	encoded, err := json.Marshal(value)
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("encoding part of the answer: %w", err)
	}
	s.Raw(encoded)
}

// value prepares for a value or name.
func (s *Stream) value() {
	if s.comma {
		s.buf = append(s.buf, ',')
	}
	s.comma = true
}

func (s *Stream) flushIfFull() {
	if len(s.buf) < streamBuffer || s.err != nil {
		return
	}
	if !s.sent {
		s.sent = true
		s.w.Header()["Content-Type"] = []string{"application/json"}
		s.w.WriteHeader(http.StatusOK)
	}
	_, _ = s.w.Write(s.buf) // that the client is gone is nobody's error
	s.buf = s.buf[:0]
}

// End sends what remains. A handler returns its error.
func (s *Stream) End() error {
	switch {
	case s.err != nil:
		return s.Fail(s.err)
	case s.sent:
		_, _ = s.w.Write(s.buf)
	default:
		send(s.w, http.StatusOK, s.buf)
	}
	s.release()
	return nil
}

// release gives the buffer back for other answers.
func (s *Stream) release() {
	if s.from != nil && cap(s.buf) <= maxPooled {
		*s.from = *bytes.NewBuffer(s.buf[:0])
		buffers.Put(s.from)
	}
	s.from, s.buf = nil, nil
}

// Fail gives up the answer because of err. A handler returns its error: the
// Mux answers it if nothing has been sent, and otherwise cuts the connection,
// so that no client takes a part for the whole.
func (s *Stream) Fail(err error) error {
	if !s.sent {
		return err
	}
	return &cutError{err}
}

// A cutError is an error after a part of the answer was sent.
type cutError struct{ err error }

func (e *cutError) Error() string { return "cutting the answer short: " + e.err.Error() }
func (e *cutError) Unwrap() error { return e.err }
