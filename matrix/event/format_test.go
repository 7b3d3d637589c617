package event

import (
	"errors"
	"strings"
	"testing"

	"hearth/matrix"
)

// sample returns a valid event of a version in JSON.
func sample(t testing.TB, v *matrix.RoomVersion) []byte {
	t.Helper()
	p := proto(v, "m.room.topic", `{"topic":"x"}`)
	empty := ""
	p.StateKey = &empty
	e, err := Build(v, p, testSigner(t))
	if err != nil {
		t.Fatal(err)
	}
	return e.JSON
}

// ids returns n entries of prev_events or auth_events.
func ids(v *matrix.RoomVersion, n int) string {
	entry := `"` + hashA + `"`
	if v.IsPaired() {
		entry = `["$a:domain",{"sha256":"x"}]`
	}
	return "[" + strings.TrimSuffix(strings.Repeat(entry+",", n), ",") + "]"
}

// Each case sets one member of a valid event ("" removes it); the event is accepted in the versions from first
// to last. Elsewhere it is refused with the code.
func TestEventFormat(t *testing.T) {
	long := func(sigil string, n int, rest string) string {
		return `"` + sigil + strings.Repeat("x", n-len(sigil)-len(rest)) + rest + `"`
	}
	const bad, param, large = matrix.MBadJSON, matrix.MInvalidParam, matrix.MTooLarge
	samples := make([][]byte, 12)
	for i, v := range matrix.Versions() {
		samples[i] = sample(t, v)
	}
	const room12 = `"!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`
	for _, c := range []struct {
		member, value string
		first, last   int
		code          string
	}{
		{"type", `""`, 1, 12, ""},
		{"type", long("", 255, ""), 1, 12, ""},
		{"type", long("", 256, ""), 0, 0, large},
		{"type", `"` + strings.Repeat("é", 128) + `"`, 0, 0, large},
		{"type", ``, 0, 0, bad},
		{"type", `1`, 0, 0, bad},
		{"state_key", ``, 1, 12, ""},
		{"state_key", `"\u0000"`, 1, 12, ""},
		{"state_key", long("", 255, ""), 1, 12, ""},
		{"state_key", long("", 256, ""), 0, 0, large},
		{"state_key", `null`, 0, 0, bad},
		{"state_key", `1`, 0, 0, bad},
		{"sender", ``, 0, 0, bad},
		{"sender", `["@a:b"]`, 0, 0, bad},
		{"sender", `"alice"`, 0, 0, param},
		{"sender", `"@alice"`, 0, 0, param},
		{"sender", `"@alice:"`, 0, 0, param},
		{"sender", `"@\u0000:domain"`, 0, 0, param},
		{"sender", `"@ Älice\n:domain"`, 1, 12, ""},
		{"sender", `"@:domain"`, 1, 12, ""},
		{"sender", long("@", 255, ":domain"), 1, 12, ""},
		{"sender", long("@", 256, ":domain"), 0, 0, param},
		{"room_id", ``, 0, 0, param},
		{"room_id", `1`, 0, 0, param},
		{"room_id", `"!a:domain"`, 1, 11, bad},
		{"room_id", `"!a:"`, 0, 0, param},
		{"room_id", `"#a:domain"`, 0, 0, param},
		{"room_id", room12, 12, 12, bad},
		{"room_id", `"!short"`, 0, 0, bad},
		{"room_id", `"!AAAAAAAAAAAAAAAAAAAAAA/AAAAAAAAAAAAAAAAAAAA"`, 0, 0, bad},
		{"room_id", long("!", 255, ":domain"), 1, 11, bad},
		{"room_id", long("!", 256, ":domain"), 0, 0, param},
		{"content", ``, 0, 0, bad},
		{"content", `[]`, 0, 0, bad},
		{"content", `"x"`, 0, 0, bad},
		{"content", `{"a":1.5}`, 1, 5, bad},
		{"content", `{"a":-0}`, 1, 5, bad},
		{"content", `{"a":1e3}`, 1, 5, bad},
		{"content", `{"a":9007199254740992}`, 1, 5, bad},
		{"content", `{"a":9007199254740991}`, 1, 12, ""},
		{"content", `{"a":1,"a":1}`, 0, 0, bad},
		{"content", `{"a":"\ud800"}`, 0, 0, bad},
		{"content", `{"a":` + strings.Repeat("[", 126) + strings.Repeat("]", 126) + `}`, 1, 12, ""},
		{"content", `{"a":` + strings.Repeat("[", 127) + strings.Repeat("]", 127) + `}`, 0, 0, bad},
		{"content", `{"a":` + strings.Repeat("[", 1e5) + `}`, 0, 0, bad},
		{"content", `{"a":"` + strings.Repeat("x", 70000) + `"}`, 0, 0, large},
		{"depth", ``, 0, 0, bad},
		{"depth", `0`, 1, 12, ""},
		{"depth", `-1`, 0, 0, bad},
		{"depth", `"1"`, 0, 0, bad},
		{"depth", `1.0`, 0, 0, bad},
		{"depth", `9007199254740991`, 1, 12, ""},
		{"depth", `9223372036854775807`, 1, 5, bad},
		{"depth", `9223372036854775808`, 0, 0, bad},
		{"origin_server_ts", ``, 0, 0, bad},
		{"origin_server_ts", `-1`, 1, 12, ""},
		{"origin_server_ts", `"1"`, 0, 0, bad},
		{"origin_server_ts", `9223372036854775808`, 0, 0, bad},
		{"hashes", ``, 0, 0, bad},
		{"hashes", `{}`, 0, 0, bad},
		{"hashes", `{"sha256":1}`, 0, 0, bad},
		{"hashes", `"x"`, 0, 0, bad},
		{"hashes", `{"sha256":"x","sha512":"y"}`, 1, 12, ""},
		{"signatures", ``, 0, 0, bad},
		{"signatures", `[]`, 0, 0, bad},
		{"signatures", `{}`, 1, 12, ""},
		{"signatures", `{"domain":"x"}`, 0, 0, bad},
		{"prev_events", ``, 0, 0, bad},
		{"prev_events", `{}`, 0, 0, bad},
		{"prev_events", `[]`, 1, 12, ""},
		{"prev_events", `[1]`, 0, 0, ""},
		{"prev_events", `["` + hashA + `"]`, 3, 12, bad},
		{"prev_events", `["no id"]`, 0, 0, ""},
		{"prev_events", `[["$a:domain",{"sha256":"x"}]]`, 1, 2, param},
		{"prev_events", `[["$a:domain",{}]]`, 1, 2, param},
		{"prev_events", `[["$a:domain"]]`, 0, 0, ""},
		{"prev_events", `[["$a:domain",{},1]]`, 0, 0, ""},
		{"prev_events", `[["$a:domain","x"]]`, 0, 0, ""},
		{"prev_events", `[[1,{}]]`, 0, 0, param},
		{"prev_events", `[[]]`, 0, 0, ""},
		{"prev_events", "20", 1, 12, ""},
		{"prev_events", "21", 0, 0, bad},
		{"auth_events", "10", 1, 12, ""},
		{"auth_events", "11", 0, 0, bad},
		{"auth_events", ``, 0, 0, bad},
		{"event_id", `"$x:domain"`, 1, 12, ""},
		{"event_id", `"$x"`, 3, 12, param},
		{"event_id", `1`, 3, 12, param},
		{"event_id", ``, 3, 12, param},
		{"event_id", long("$", 256, ":domain"), 3, 12, param},
		{"unsigned", `[1,{"a":2}]`, 1, 12, ""},
		{"unsigned", `{"a":"` + strings.Repeat("x", 70000) + `"}`, 1, 12, ""},
		{"unsigned", `{"a":"` + strings.Repeat("x", MaxRaw) + `"}`, 0, 0, large},
		{"unsigned", `1.5`, 1, 5, bad},
		{"something", `{"else":null}`, 1, 12, ""},
		{"redacts", `1`, 1, 12, ""},
	} {
		for i, v := range matrix.Versions() {
			value := c.value
			switch value {
			case "20", "21", "10", "11":
				n := map[string]int{"20": 20, "21": 21, "10": 10, "11": 11}[value]
				value = ids(v, n)
			}
			raw := matrix.Without(nil, samples[i], c.member)
			if value != "" {
				raw = matrix.With(nil, raw, c.member, []byte(value))
			}
			_, err := Parse(v, raw)
			if want := in(i+1, c.first, c.last); (err == nil) != want {
				t.Errorf("version %s: %s %.60s: accepted is %v (%v)", v.Version, c.member, c.value, err == nil, err)
			}
			var e *matrix.Error
			if err != nil && (!errors.As(err, &e) || c.code != "" && e.Code != c.code) {
				t.Errorf("version %s: %s %.60s: %v, want %s", v.Version, c.member, c.value, err, c.code)
			}
		}
	}
}

func TestParseRefusesOtherThanObjects(t *testing.T) {
	for _, raw := range []string{"", "[]", "null", `"x"`, "1", "{", "{}", "{} {}"} {
		if _, err := Parse(version(t, "12"), []byte(raw)); err == nil {
			t.Errorf("%q was accepted", raw)
		}
	}
}

// spec: client-server-api#size-limits
func TestSizeLimit(t *testing.T) {
	for _, v := range matrix.Versions() {
		empty := len(build(t, v, 0).JSON)
		if n := len(build(t, v, MaxPDU-empty).JSON); n != MaxPDU {
			t.Fatalf("the event has %d bytes", n)
		}
		p := proto(v, "m.room.message", `{"body":"`+strings.Repeat("x", MaxPDU-empty+1)+`"}`)
		_, err := Build(v, p, testSigner(t))
		var e *matrix.Error
		if !errors.As(err, &e) || e.Code != matrix.MTooLarge || e.Status != 413 {
			t.Errorf("version %s: %v", v.Version, err)
		}
		largest := build(t, v, MaxPDU-empty)
		if _, err := Parse(v, largest.JSON); err != nil {
			t.Error(err)
		}
		other := testSigner(t)
		other.Server = "other"
		if _, err := largest.Sign(other); !errors.As(err, &e) || e.Code != matrix.MTooLarge {
			t.Errorf("signing the largest event: %v", err)
		}
	}
}

// build builds a message of a body of n bytes.
func build(t testing.TB, v *matrix.RoomVersion, n int) *Event {
	t.Helper()
	e, err := Build(v, proto(v, "m.room.message", `{"body":"`+strings.Repeat("x", n)+`"}`), testSigner(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// What is not the event's own business is dropped, and makes no difference to its id.
func TestParseDropsUnsignedAndEventID(t *testing.T) {
	for _, v := range matrix.Versions() {
		e := build(t, v, 10)
		raw := matrix.With(nil, e.JSON, "unsigned", []byte(`{"age":1}`))
		if !v.IsPaired() {
			raw = matrix.With(nil, raw, "event_id", []byte(`"$other:domain"`))
		}
		spaced := strings.ReplaceAll(string(raw), `":`, "\" :\n ")
		got, err := Parse(v, []byte(spaced))
		if err != nil || got.ID != e.ID || string(got.JSON) != string(e.JSON) {
			t.Errorf("version %s: %s became %s (%v)", v.Version, spaced, got.JSON, err)
		}
	}
}

// spec: rooms/v12#event-format
func TestCreateEventOfVersion12(t *testing.T) {
	v := version(t, "12")
	p := proto(v, TypeCreate, `{"room_version":"12"}`)
	empty := ""
	p.StateKey, p.PrevEvents, p.AuthEvents = &empty, nil, nil
	e, err := Build(v, p, testSigner(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := "!" + string(e.ID[1:]); string(e.RoomID) != want || strings.Contains(string(e.JSON), "room_id") {
		t.Errorf("room %s of %s", e.RoomID, e.JSON)
	}
	if _, err := matrix.ParseRoomID(string(e.RoomID)); err != nil {
		t.Error(err)
	}
	p.RoomID = "!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	if _, err := Build(v, p, testSigner(t)); err == nil {
		t.Error("a create event that names a room was built")
	}
	if _, err := Parse(v, matrix.With(nil, e.JSON, "room_id", []byte(`"`+p.RoomID+`"`))); err == nil {
		t.Error("a create event that names a room was read")
	}
}
