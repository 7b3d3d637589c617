package matrix

import (
	"crypto/ed25519"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func addTexts(f *testing.F) {
	for _, s := range []string{
		benchEvent, scanned, `{"b":[{"z":1.5,"a":-0}],"a":"\u65e5\ud83d\ude00\n"}`, `{"a\"":1,"a#":2,"\u0000":3}`, `[1e10,1.0,-0.0,1E+2]`,
		"\"\xed\xa0\x80\"", `"\ud800"`, strings.Repeat("[", 130), `{"a":1,"a":2}`, ` [ ] `, `{"":{"":{"":[]}}}`, "9007199254740993", `"\`, `{"`, `{"a":`,
	} {
		f.Add([]byte(s))
	}
}

// The canonical form stands for the same value, is its own canonical form, and is the same for all three functions
// where they accept a text. What they accept is JSON.
func FuzzCanonical(f *testing.F) {
	addTexts(f)
	strict, _ := LookupVersion("6")
	f.Fuzz(func(t *testing.T, src []byte) {
		before := string(src)
		loose, looseErr := CanonicalLoose(src)
		byValue, err := Canonical(src)
		exact, exactErr := strict.Canonical(src)
		if string(src) != before {
			t.Fatal("the input was changed")
		}
		if looseErr != nil && err == nil || err != nil && exactErr == nil {
			t.Fatalf("a stricter form accepts more: %v, %v, %v", looseErr, err, exactErr)
		}
		if exactErr == nil && (string(exact) != string(byValue) || string(exact) != string(loose)) {
			t.Fatalf("forms differ: %s, %s, %s", exact, byValue, loose)
		}
		if looseErr != nil {
			return
		}
		sameValue(t, src, loose)
		fixedPoint(t, CanonicalLoose, loose)
		if err == nil {
			sameValue(t, src, byValue)
			fixedPoint(t, Canonical, byValue)
			fixedPoint(t, strict.Canonical, byValue)
		}
	})
}

func sameValue(t *testing.T, a, b []byte) {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil && !strings.Contains(err.Error(), "cannot unmarshal number") {
		t.Fatalf("%q was accepted: %v", a, err)
	} else if err != nil {
		return // a number that is no float64
	}
	if err := json.Unmarshal(b, &y); err != nil || !reflect.DeepEqual(x, y) {
		t.Fatalf("%q became %q (%v)", a, b, err)
	}
}

func fixedPoint(t *testing.T, form func([]byte) ([]byte, error), b []byte) {
	t.Helper()
	again, err := form(b)
	if err != nil || len(b) > 0 && &again[0] != &b[0] {
		t.Fatalf("%q is not its own form: %q, %v", b, again, err)
	}
}

// On any text the reading functions end without panic; on JSON they agree with encoding/json.
func FuzzScan(f *testing.F) {
	addTexts(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, path := range [][]string{{"a"}, {"", ""}, {"content", "body"}} {
			Field(src, path...)
			StringField(src, path...)
			IntField(src, path...)
			BoolField(src, path...)
		}
		String(src)
		AppendUnescaped(nil, src)
		Without(nil, src, "a")
		With(nil, src, "a", []byte("1"))
		n := 0
		EachField(src, func(string, []byte) bool { n++; return true })
		EachElement(src, func([]byte) bool { n++; return true })
		if n > len(src) {
			t.Fatalf("%d values in %d bytes", n, len(src))
		}
		if _, err := CanonicalLoose(src); err == nil {
			compareScan(t, src)
		}
	})
}

func compareScan(t *testing.T, src []byte) {
	t.Helper()
	var object map[string]json.RawMessage
	if json.Unmarshal(src, &object) == nil {
		n := 0
		EachField(src, func(key string, raw []byte) bool {
			n++
			if string(object[key]) != string(raw) {
				t.Fatalf("%q of %q is %q, not %q", key, src, raw, object[key])
			}
			if got, ok := Field(src, key); !ok || string(got) != string(raw) {
				t.Fatalf("field %q of %q is %q", key, src, got)
			}
			return true
		})
		if n != len(object) {
			t.Fatalf("%d members of %q", n, src)
		}
	}
	var array []json.RawMessage
	if json.Unmarshal(src, &array) == nil {
		n := 0
		EachElement(src, func(raw []byte) bool {
			if string(array[n]) != string(raw) {
				t.Fatalf("element %d of %q is %q", n, src, raw)
			}
			n++
			return true
		})
		if n != len(array) {
			t.Fatalf("%d elements of %q", n, src)
		}
	}
}

// What we sign we verify; what we sign twice is the same; and no other key verifies it.
func FuzzSignJSON(f *testing.F) {
	addTexts(f)
	f.Add([]byte(`{"signatures":{"domain":{"ed25519:1":"x"}},"unsigned":1}`))
	priv := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	pub := priv.Public().(ed25519.PublicKey)
	f.Fuzz(func(t *testing.T, src []byte) {
		VerifyJSON(src, "domain", "ed25519:1", pub)
		signed, err := SignJSON(src, "domain", "ed25519:1", priv)
		if err != nil {
			return
		}
		fixedPoint(t, Canonical, signed)
		if err := VerifyJSON(signed, "domain", "ed25519:1", pub); err != nil {
			t.Fatalf("%q: %v", signed, err)
		}
		other := ed25519.NewKeyFromSeed([]byte("another seed of thirty-two bytes")).Public().(ed25519.PublicKey)
		if VerifyJSON(signed, "domain", "ed25519:1", other) == nil {
			t.Fatalf("%q is signed by another key", signed)
		}
		if again, err := SignJSON(signed, "domain", "ed25519:1", priv); err != nil || string(again) != string(signed) {
			t.Fatalf("%q signed again is %q, %v", signed, again, err)
		}
	})
}

// An identifier that is accepted is within its limits and splits into what it was made of.
func FuzzIDs(f *testing.F) {
	for _, s := range []string{"@a:b", "!a:b:1", "!hash", "#a:[::1]:5", "$x", "$a:b", "@:x", "@a\x00:b", "[::ffff:1.2.3.4]", "1.2.3.4:5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, err := ParseServerName(s); err == nil {
			port := name.Port()
			if port != "" {
				port = ":" + port
			}
			if name.Host()+port != s {
				t.Fatalf("%q splits into %q and %q", s, name.Host(), port)
			}
		}
		if u, err := ParseUserID(s); err == nil && (len(s) > MaxID || "@"+u.Localpart()+":"+string(u.Server()) != s) {
			t.Fatalf("%q is a user id", s)
		}
		if a, err := ParseRoomAlias(s); err == nil && (len(s) > MaxID || "#"+a.Localpart()+":"+string(a.Server()) != s) {
			t.Fatalf("%q is an alias", s)
		}
		if r, err := ParseRoomID(s); err == nil && (len(s) > MaxID || strings.Contains(s, ":") != (r.Server() != "")) {
			t.Fatalf("%q is a room id", s)
		}
		if _, err := ParseEventID(s); err == nil && (len(s) > MaxID || s[0] != '$') {
			t.Fatalf("%q is an event id", s)
		}
		if b, err := DecodeBase64(s); err == nil {
			if again, err := DecodeBase64(Base64(b)); err != nil || string(again) != string(b) {
				t.Fatalf("%q decodes to %q", s, b)
			}
		}
		if u, err := NewUserID(s, "example.org"); err == nil && !u.IsCompliant() {
			t.Fatalf("%q is a new user", u)
		}
	})
}

// An error from another server is always read.
func FuzzParseError(f *testing.F) {
	f.Add([]byte(`{"errcode":"M_FORBIDDEN","error":"no","x":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e := ParseError(400, body)
		if _, err := json.Marshal(e); err != nil || e.Code == "" {
			t.Fatalf("%q was read as %+v (%v)", body, e, err)
		}
	})
}
