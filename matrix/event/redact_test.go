package event

import (
	"strings"
	"testing"

	"hearth/matrix"
)

// keptKeys lists the keys of an event that redaction keeps, with the versions that keep them.
var keptKeys = []struct {
	key         string
	first, last int
}{
	{"event_id", 1, 12}, {"type", 1, 12}, {"room_id", 1, 12}, {"sender", 1, 12}, {"state_key", 1, 12},
	{"content", 1, 12}, {"hashes", 1, 12}, {"signatures", 1, 12}, {"depth", 1, 12}, {"prev_events", 1, 12},
	{"auth_events", 1, 12}, {"origin_server_ts", 1, 12},
	{"prev_state", 1, 10}, {"origin", 1, 10}, {"membership", 1, 10},
	{"redacts", 0, 0}, {"unsigned", 0, 0}, {"age_ts", 0, 0}, {"x", 0, 0},
}

// keptContent lists what redaction keeps of the content of each type: a key, or a key and what is left of its value.
var keptContent = []struct {
	typ, key    string
	first, last int
}{
	{TypeMember, "membership", 1, 12},
	{TypeMember, "join_authorised_via_users_server", 9, 12},
	{TypeMember, "displayname", 0, 0},
	{TypeMember, "reason", 0, 0},
	{TypeCreate, "creator", 1, 12},
	{TypeCreate, "room_version", 11, 12},
	{TypeCreate, "m.federate", 11, 12},
	{TypeCreate, "predecessor", 11, 12},
	{TypeCreate, "additional_creators", 11, 12},
	{TypeJoinRules, "join_rule", 1, 12},
	{TypeJoinRules, "allow", 8, 12},
	{TypeJoinRules, "deny", 0, 0},
	{TypePowerLevels, "ban", 1, 12},
	{TypePowerLevels, "events", 1, 12},
	{TypePowerLevels, "events_default", 1, 12},
	{TypePowerLevels, "kick", 1, 12},
	{TypePowerLevels, "redact", 1, 12},
	{TypePowerLevels, "state_default", 1, 12},
	{TypePowerLevels, "users", 1, 12},
	{TypePowerLevels, "users_default", 1, 12},
	{TypePowerLevels, "invite", 11, 12},
	{TypePowerLevels, "notifications", 0, 0},
	{TypeAliases, "aliases", 1, 5},
	{TypeHistoryVisibility, "history_visibility", 1, 12},
	{TypeHistoryVisibility, "x", 0, 0},
	{TypeRedaction, "redacts", 11, 12},
	{TypeRedaction, "reason", 0, 0},
	{TypeThirdPartyInvite, "public_key", 0, 0},
	{"m.room.message", "body", 0, 0},
	{"m.room.message", "membership", 0, 0},
	{"m.room.name", "name", 0, 0},
}

func in(n, first, last int) bool { return first <= n && n <= last }

// spec: rooms/v1#redactions to rooms/v11#redactions
func TestRedactionKeepsKeys(t *testing.T) {
	for i, v := range matrix.Versions() {
		for _, c := range keptKeys {
			value := "1"
			if c.key == "content" {
				value = "{}"
			}
			got := string(appendRedacted(nil, v, "x", []byte(`{"`+c.key+`":`+value+`}`), true))
			if kept := got == `{"`+c.key+`":`+value+`}`; kept != in(i+1, c.first, c.last) || !kept && got != "{}" {
				t.Errorf("version %s: %s becomes %s", v.Version, c.key, got)
			}
		}
	}
}

func TestRedactionKeepsContent(t *testing.T) {
	for i, v := range matrix.Versions() {
		for _, c := range keptContent {
			for _, content := range []string{`{"` + c.key + `":{"nested":[1,{"x":2}]}}`, `{"` + c.key + `":null}`} {
				want := "{}"
				if in(i+1, c.first, c.last) {
					want = content
				}
				if got := string(RedactContent(v, c.typ, []byte(content))); got != want {
					t.Errorf("version %s: %s of %s becomes %s", v.Version, content, c.typ, got)
				}
			}
		}
	}
}

// spec: rooms/v11#redactions
func TestRedactionKeepsSignedThirdPartyInvite(t *testing.T) {
	for i, v := range matrix.Versions() {
		for content, want := range map[string]string{
			`{"membership":"invite","third_party_invite":{"display_name":"a","signed":{"x":1},"z":2}}`: `{"membership":"invite","third_party_invite":{"signed":{"x":1}}}`,
			`{"membership":"invite","third_party_invite":{"display_name":"a"}}`:                        `{"membership":"invite","third_party_invite":{}}`,
			`{"membership":"invite","third_party_invite":"signed"}`:                                    `{"membership":"invite"}`,
		} {
			if i+1 < 11 {
				want = `{"membership":"invite"}`
			}
			if got := string(RedactContent(v, TypeMember, []byte(content))); got != want {
				t.Errorf("version %s: %s becomes %s", v.Version, content, got)
			}
		}
	}
}

// A redacted event loses what it had to lose and keeps its id.
func TestRedacted(t *testing.T) {
	for _, v := range matrix.Versions() {
		p := proto(v, "m.room.message", `{"body":"secret"}`)
		e, err := Build(v, p, testSigner(t))
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Redacted()
		if err != nil {
			t.Fatal(err)
		}
		if r.ID != e.ID || string(r.Content) != "{}" || strings.Contains(string(r.JSON), "secret") || r.Depth != e.Depth {
			t.Errorf("version %s: redacted to %s", v.Version, r.JSON)
		}
		if string(e.Content) != `{"body":"secret"}` {
			t.Error("the event itself was changed")
		}
		if r.CheckHash() == nil {
			t.Error("the content hash of a redacted event matches")
		}
		again, err := r.Redacted()
		if err != nil || string(again.JSON) != string(r.JSON) {
			t.Errorf("redacted again to %s, %v", again.JSON, err)
		}
	}
}
