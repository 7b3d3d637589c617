package matrix

import (
	"encoding/json"
	"fmt"
	"maps"
)

// Error is the standard error response of all Matrix APIs.
// spec: client-server-api#standard-error-response
type Error struct {
	Code    string         // M_FORBIDDEN and so on
	Message string         // for people
	Status  int            // the HTTP status that goes with it; 0 if unknown
	Extra   map[string]any // further members of the body, such as soft_logout
}

// Errorf makes an Error.
func Errorf(status int, code, format string, args ...any) *Error {
	return &Error{Code: code, Status: status, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// With returns a copy of e whose body also has the member key.
func (e *Error) With(key string, value any) *Error {
	c := *e
	c.Extra = maps.Clone(e.Extra)
	if c.Extra == nil {
		c.Extra = map[string]any{}
	}
	c.Extra[key] = value
	return &c
}

// MarshalJSON returns the body: errcode, error and the members of Extra.
func (e *Error) MarshalJSON() ([]byte, error) {
	body := make(map[string]any, len(e.Extra)+2)
	maps.Copy(body, e.Extra)
	body["errcode"] = e.Code
	body["error"] = e.Message
	b, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encoding error %s: %w", e.Code, err)
	}
	return b, nil
}

// ParseError reads the body of an answer with an HTTP status that is not a success. A body that is no
// standard error gives M_UNKNOWN.
func ParseError(status int, body []byte) *Error {
	e := &Error{Code: MUnknown, Status: status, Message: fmt.Sprintf("status %d without a Matrix error", status)}
	var all map[string]any
	if json.Unmarshal(body, &all) != nil {
		return e
	}
	code, ok := all["errcode"].(string)
	if !ok || code == "" {
		return e
	}
	e.Code = code
	e.Message, _ = all["error"].(string)
	delete(all, "errcode")
	delete(all, "error")
	if len(all) > 0 {
		e.Extra = all
	}
	return e
}
