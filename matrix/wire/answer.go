package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"hearth/matrix"
)

// buffers holds the buffers that answers are encoded into; what a larger
// answer grew is not kept. It holds no state that anyone can observe.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const maxPooled = 64 << 10 // bytes

// Answer answers 200 with body as JSON, without HTML escaping.
func Answer(w http.ResponseWriter, body any) error {
	return AnswerStatus(w, http.StatusOK, body)
}

// AnswerStatus answers status with body as JSON, without HTML escaping. An
// error means that body cannot be encoded and nothing has been written.
func AnswerStatus(w http.ResponseWriter, status int, body any) error {
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= maxPooled {
			buf.Reset()
			buffers.Put(buf)
		}
	}()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	send(w, status, buf.Bytes()[:buf.Len()-1]) // without Encode's newline
	return nil
}

// Raw answers 200 with body, which is JSON already.
func Raw(w http.ResponseWriter, body []byte) error {
	send(w, http.StatusOK, body)
	return nil
}

// Empty answers 200 with {}.
func Empty(w http.ResponseWriter) error {
	return Raw(w, []byte("{}"))
}

// send writes a whole answer. That the client is gone is nobody's error.
func send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Fail answers with err: as it is when it is a *matrix.Error, and otherwise as
// M_UNKNOWN with status 500 and nothing of its text. It reports whether err
// was such an internal error, so that the caller may log it.
//
// spec: client-server-api#standard-error-response
func Fail(w http.ResponseWriter, err error) (internal bool) {
	var known *matrix.Error
	if !errors.As(err, &known) {
		internal = true
		known = &matrix.Error{Code: matrix.MUnknown, Message: "Internal server error", Status: http.StatusInternalServerError}
	}
	status := known.Status
	if status < 400 || status > 599 {
		status = http.StatusBadRequest
	}
	if status == http.StatusTooManyRequests {
		setRetryAfter(w.Header(), known.Extra["retry_after_ms"])
	}
	if AnswerStatus(w, status, known) != nil {
		internal = true
		send(w, status, []byte(`{"errcode":"M_UNKNOWN","error":"Internal server error"}`))
	}
	return internal
}

// setRetryAfter sets the header to the milliseconds given, in whole seconds,
// rounded up.
//
// spec: client-server-api#rate-limiting
func setRetryAfter(h http.Header, millis any) {
	var ms int64
	switch n := millis.(type) {
	case int:
		ms = int64(n)
	case int64:
		ms = n
	default:
		return
	}
	h.Set("Retry-After", strconv.FormatInt((ms+999)/1000, 10))
}
