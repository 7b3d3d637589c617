package contract

import (
	"strings"
	"testing"
)

func open(t *testing.T) *Contract {
	t.Helper()
	folder := Folder()
	if folder == "" {
		t.Skip("the specification is not beside this repository")
	}
	c, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEveryDefinitionCompiles reads the schema of every answer.
func TestEveryDefinitionCompiles(t *testing.T) {
	c := open(t)
	if len(c.Operations) < 150 {
		t.Errorf("%d operations, want all", len(c.Operations))
	}
	for _, op := range c.Operations {
		for status, at := range op.answers {
			if at == "" {
				continue
			}
			if _, err := c.schema(at); err != nil {
				t.Errorf("%s %s: %v", op.ID, status, err)
			}
		}
	}
}

func TestFind(t *testing.T) {
	c := open(t)
	for request, id := range map[string]string{
		"GET /_matrix/client/v3/sync":                              "sync",
		"GET /_matrix/client/v3/rooms/!r/state/m.room.name/":       "getRoomStateWithKey",
		"GET /_matrix/client/v3/pushrules/global/":                 "getPushRulesGlobal",
		"PUT /_matrix/client/v3/rooms/!r%2F/send/m.room.message/1": "sendMessage",
		"GET /.well-known/matrix/client":                           "getWellknown",
	} {
		method, path, _ := strings.Cut(request, " ")
		op := c.Find(method, path)
		if op == nil || op.ID != id {
			t.Errorf("%s: found %v, want %s", request, op, id)
		}
	}
	for _, request := range []string{"POST /_matrix/client/v3/sync", "GET /_matrix/client/v3/nothing", "GET /"} {
		method, path, _ := strings.Cut(request, " ")
		if op := c.Find(method, path); op != nil {
			t.Errorf("%s: found %s", request, op.ID)
		}
	}
}

func TestCheck(t *testing.T) {
	c := open(t)
	const sync = "/_matrix/client/v3/sync"
	room := func(event string) string {
		return `{"next_batch":"s","rooms":{"join":{"!r:x":{"ephemeral":{"events":[` + event + `]}}}}}`
	}
	const members, message = "/_matrix/client/v3/rooms/!r:x/joined_members", "/_matrix/client/v3/rooms/!r:x/send/m.room.message/1"
	for _, e := range []struct {
		method, path string
		status       int
		body, broken string // broken is a part of the complaint
	}{
		{"PUT", message, 200, `{"event_id":"$e"}`, ""},
		{"PUT", message, 200, `{"event_id":1}`, "got number, want string"},
		{"PUT", message, 200, `{}`, "missing property 'event_id'"},
		{"PUT", message, 200, `{"event_id":`, "not JSON"},
		{"PUT", message, 201, `{}`, "knows no answer 201"},
		{"PUT", message, 413, `{"errcode":"M_TOO_LARGE","error":"Too large"}`, ""},
		{"PUT", message, 403, `{"errcode":"M_FORBIDDEN"}`, "lacks errcode or error"},
		{"PUT", message, 403, `[]`, "not an object"},
		{"GET", members, 200, `{"joined":{"@a:x":{"display_name":"A"}}}`, ""},
		{"GET", members, 200, `{"joined":{"@a:x":{"display_name":1}}}`, "want string"},
		{"POST", "/_matrix/client/v3/account/password", 401, `{"session":"s","flows":[{"stages":["m.login.password"]}],"params":{}}`, ""},
		{"POST", "/_matrix/client/v3/account/password", 401, `{"errcode":"M_UNKNOWN_TOKEN","error":"Unknown"}`, ""},
		{"POST", "/_matrix/client/v3/account/password", 401, `{"errcode":"M_UNKNOWN_TOKEN"}`, "lacks errcode or error"},
		{"POST", "/_matrix/client/v3/account/password", 401, `{"errcode":"M_FORBIDDEN","error":"No"}`, "missing property"},
		{"GET", sync, 200, room(`{"type":"m.typing","content":{"user_ids":["@a:x"]}}`), ""},
		{"GET", sync, 200, room(`{"type":"m.typing","content":{"user_ids":"@a:x"}}`), "m.typing"},
		{"GET", sync, 200, room(`{"type":"m.custom","content":{"user_ids":"@a:x"}}`), ""},
		{"GET", "/_matrix/client/v3/nothing", 200, `7`, ""},
	} {
		err := c.Check(e.method, e.path, e.status, []byte(e.body))
		if (err == nil) != (e.broken == "") || err != nil && !strings.Contains(err.Error(), e.broken) {
			t.Errorf("%s %s %d %s: %v, want %q", e.method, e.path, e.status, e.body, err, e.broken)
		}
	}
}
