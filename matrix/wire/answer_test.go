package wire

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"hearth/matrix"
)

func TestAnswer(t *testing.T) {
	w := httptest.NewRecorder()
	if err := Answer(w, map[string]string{"a": "<b>&\u2028"}); err != nil {
		t.Fatal(err)
	}
	if got := w.Body.String(); got != `{"a":"<b>&\u2028"}` {
		t.Errorf("got %s", got)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	if err := Answer(httptest.NewRecorder(), func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

func TestFail(t *testing.T) {
	for _, c := range []struct {
		err      error
		status   int
		body     string
		internal bool
		retry    string
	}{
		{matrix.Errorf(403, matrix.MForbidden, "No"), 403, `{"errcode":"M_FORBIDDEN","error":"No"}`, false, ""},
		{matrix.Errorf(401, matrix.MUnknownToken, "No").With("soft_logout", true), 401,
			`{"errcode":"M_UNKNOWN_TOKEN","error":"No","soft_logout":true}`, false, ""},
		{matrix.Errorf(429, matrix.MLimitExceeded, "Slow").With("retry_after_ms", 1001), 429,
			`{"errcode":"M_LIMIT_EXCEEDED","error":"Slow","retry_after_ms":1001}`, false, "2"},
		{matrix.Errorf(0, matrix.MUnknown, "What"), 400, `{"errcode":"M_UNKNOWN","error":"What"}`, false, ""},
		{errors.New("the password is x"), 500, `{"errcode":"M_UNKNOWN","error":"Internal server error"}`, true, ""},
		{matrix.Errorf(400, matrix.MUnknown, "x").With("f", func() {}), 400, `{"errcode":"M_UNKNOWN","error":"Internal server error"}`, true, ""},
	} {
		w := httptest.NewRecorder()
		internal := Fail(w, c.err)
		if w.Code != c.status || w.Body.String() != c.body || internal != c.internal || w.Header().Get("Retry-After") != c.retry {
			t.Errorf("%v: got %d %s, internal %v, retry %q", c.err, w.Code, w.Body, internal, w.Header().Get("Retry-After"))
		}
	}
}

func TestStream(t *testing.T) {
	w := httptest.NewRecorder()
	s := NewStream(w)
	s.Open('{')
	s.Name("chunk")
	s.Open('[')
	for range 3000 {
		s.Raw([]byte(`{"type":"m.room.message"}`))
	}
	s.Close(']')
	s.Name("n")
	s.Int(-3)
	s.Name("empty")
	s.Open('{')
	s.Close('}')
	s.Name("b")
	s.Bool(true)
	s.Name("s")
	s.String("\"\n<")
	s.Name("v")
	s.Value([]int{1, 2})
	s.Close('}')
	if err := s.End(); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Chunk []map[string]string `json:"chunk"`
		S     string              `json:"s"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Chunk) != 3000 || got.S != "\"\n<" {
		t.Errorf("got %d, %q, %v", len(got.Chunk), got.S, err)
	}
	if !strings.HasSuffix(w.Body.String(), `],"n":-3,"empty":{},"b":true,"s":"\"\n<","v":[1,2]}`) {
		t.Errorf("got ...%s", w.Body.String()[w.Body.Len()-70:])
	}
}

// A small answer that fails is answered as an error.
func TestStreamFailsBeforeSending(t *testing.T) {
	w := httptest.NewRecorder()
	s := NewStream(w)
	s.Value(func() {})
	if err := s.End(); err == nil || w.Body.Len() > 0 {
		t.Errorf("got %v after %q", err, w.Body)
	}
}
