package event

import (
	"crypto/ed25519"
	"testing"

	"hearth/matrix"
)

// testSigner is the key of the specification's test vectors.
// spec: appendices#signing-key
func testSigner(t testing.TB) Signer {
	t.Helper()
	seed, err := matrix.DecodeBase64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
	if err != nil {
		t.Fatal(err)
	}
	return Signer{Server: "domain", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(seed)}
}

func version(t testing.TB, name matrix.Version) *matrix.RoomVersion {
	t.Helper()
	v, ok := matrix.LookupVersion(name)
	if !ok {
		t.Fatalf("no room version %s", name)
	}
	return v
}

// spec: appendices#event-signing
func TestEventSigningVectors(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"minimal", `{
    "room_id": "!x:domain",
    "sender": "@a:domain",
    "origin": "domain",
    "origin_server_ts": 1000000,
    "signatures": {},
    "hashes": {},
    "type": "X",
    "content": {},
    "prev_events": [],
    "auth_events": [],
    "depth": 3,
    "unsigned": {
        "age_ts": 1000000
    }
}`, `{
    "auth_events": [],
    "content": {},
    "depth": 3,
    "hashes": {
        "sha256": "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"
    },
    "origin": "domain",
    "origin_server_ts": 1000000,
    "prev_events": [],
    "room_id": "!x:domain",
    "sender": "@a:domain",
    "signatures": {
        "domain": {
            "ed25519:1": "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"
        }
    },
    "type": "X",
    "unsigned": {
        "age_ts": 1000000
    }
}`},
		{"redactable", `{
    "content": {
        "body": "Here is the message content"
    },
    "event_id": "$0:domain",
    "origin": "domain",
    "origin_server_ts": 1000000,
    "type": "m.room.message",
    "room_id": "!r:domain",
    "sender": "@u:domain",
    "signatures": {},
    "unsigned": {
        "age_ts": 1000000
    }
}`, `{
    "content": {
        "body": "Here is the message content"
    },
    "event_id": "$0:domain",
    "hashes": {
        "sha256": "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g"
    },
    "origin": "domain",
    "origin_server_ts": 1000000,
    "type": "m.room.message",
    "room_id": "!r:domain",
    "sender": "@u:domain",
    "signatures": {
        "domain": {
            "ed25519:1": "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA"
        }
    },
    "unsigned": {
        "age_ts": 1000000
    }
}`},
	} {
		want, err := matrix.Canonical([]byte(c.want))
		if err != nil {
			t.Fatal(err)
		}
		got, err := HashAndSign(version(t, "1"), []byte(c.in), testSigner(t))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: got %s, %v\nwant %s", c.name, got, err, want)
		}
	}
}

func TestHashAndSignRefuses(t *testing.T) {
	for _, raw := range []string{``, `[]`, `{"a":1,"a":1}`, `{"signatures":[]}`, `{"signatures":{"domain":1}}`} {
		if got, err := HashAndSign(version(t, "1"), []byte(raw), testSigner(t)); err == nil {
			t.Errorf("%s was signed: %s", raw, got)
		}
	}
}
