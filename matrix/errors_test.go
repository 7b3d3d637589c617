package matrix

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

func TestErrorBody(t *testing.T) {
	e := Errorf(401, MUnknownToken, "no such token %d", 1)
	soft := e.With("soft_logout", true)
	body, err := json.Marshal(soft)
	if want := `{"errcode":"M_UNKNOWN_TOKEN","error":"no such token 1","soft_logout":true}`; err != nil || string(body) != want {
		t.Errorf("body is %s, %v", body, err)
	}
	if e.Extra != nil {
		t.Error("With changed the error itself")
	}
	back := ParseError(401, body)
	if back.Code != soft.Code || back.Message != soft.Message || back.Status != 401 || back.Extra["soft_logout"] != true {
		t.Errorf("read back as %+v", back)
	}
	if text := e.Error(); text != "M_UNKNOWN_TOKEN: no such token 1" {
		t.Errorf("text is %s", text)
	}
}

func TestParseErrorOfOtherBodies(t *testing.T) {
	for _, body := range []string{"", "<html>", "[]", "{}", `{"errcode":1}`, `{"errcode":""}`, "null"} {
		if e := ParseError(502, []byte(body)); e.Code != MUnknown || e.Status != 502 || e.Message == "" {
			t.Errorf("%q was read as %+v", body, e)
		}
	}
}

func TestJSONErrorIsAnError(t *testing.T) {
	for in, want := range map[string]Error{
		`{`:                             {Code: MNotJSON, Status: 400},
		`{"a":1,"a":1}`:                 {Code: MBadJSON, Status: 400},
		string(make([]byte, MaxJSON+1)): {Code: MTooLarge, Status: 413},
	} {
		_, err := Canonical([]byte(in))
		var e *Error
		if !errors.As(fmt.Errorf("reading body: %w", err), &e) || e.Code != want.Code || e.Status != want.Status {
			t.Errorf("%.20s: error is %+v", in, e)
		}
	}
}
