package event

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"

	"hearth/matrix"
)

func TestSignAddsSignatures(t *testing.T) {
	other := Signer{Server: "other.example:8448", KeyID: "ed25519:b", Key: ed25519.NewKeyFromSeed(make([]byte, 32))}
	for _, v := range matrix.Versions() {
		e := build(t, v, 10)
		both, err := e.Sign(other)
		if err != nil {
			t.Fatal(err)
		}
		if both.ID != e.ID || both.CheckHash() != nil || string(both.Content) != string(e.Content) {
			t.Errorf("version %s: signing changed %s to %s", v.Version, e.JSON, both.JSON)
		}
		var names []string
		for server, key := range both.Signatures() {
			names = append(names, string(server)+" "+string(key))
		}
		if want := []string{"domain ed25519:1", "other.example:8448 ed25519:b"}; !slices.Equal(names, want) {
			t.Errorf("signed by %v", names)
		}
		for range both.Signatures() {
			break
		}
		for _, s := range []Signer{testSigner(t), other} {
			if err := both.VerifySignature(s.Server, s.KeyID, s.Key.Public().(ed25519.PublicKey)); err != nil {
				t.Error(err)
			}
		}
		if parsed, err := Parse(v, both.JSON); err != nil || parsed.ID != e.ID {
			t.Errorf("version %s: %v", v.Version, err)
		}
		again, err := both.Sign(other)
		if err != nil || string(again.JSON) != string(both.JSON) {
			t.Errorf("signed again to %s, %v", again.JSON, err)
		}
	}
}

// The signature covers what redaction keeps, the hash the rest.
func TestForgeries(t *testing.T) {
	s := testSigner(t)
	pub := s.Key.Public().(ed25519.PublicKey)
	for _, v := range matrix.Versions() {
		e := build(t, v, 10)
		for _, c := range []struct {
			name, old, new      string
			hashOK, signatureOK bool
		}{
			{"body", "xxxxxxxxxx", "yyyyyyyyyy", false, true},
			{"sender", "@alice:domain", "@bobby:domain", false, false},
			{"time", "1700000000000", "1700000000001", false, false},
			{"hash", `"sha256":"`, `"sha256":"A`, false, false},
			{"an unknown key", `"type"`, `"unknown":1,"type"`, false, true},
			{"another signature", `"signatures":{`, `"signatures":{"a":{"ed25519:1":"AAAA"},`, true, true},
			{"nothing", "", "", true, true},
		} {
			forged, err := Parse(v, []byte(strings.Replace(string(e.JSON), c.old, c.new, 1)))
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			hashErr, signErr := forged.CheckHash(), forged.VerifySignature(s.Server, s.KeyID, pub)
			if (hashErr == nil) != c.hashOK || hashErr != nil && !errors.Is(hashErr, ErrHash) {
				t.Errorf("version %s: %s forged: hash %v", v.Version, c.name, hashErr)
			}
			if (signErr == nil) != c.signatureOK || signErr != nil && !errors.Is(signErr, matrix.ErrSignature) {
				t.Errorf("version %s: %s forged: signature %v", v.Version, c.name, signErr)
			}
		}
	}
}

func TestCheckHashOfBadHashes(t *testing.T) {
	v := version(t, "12")
	for _, hashes := range []string{`{"sha256":""}`, `{"sha256":"*"}`, `{"sha256":"AAAA"}`} {
		e, err := Parse(v, matrix.With(nil, build(t, v, 1).JSON, "hashes", []byte(hashes)))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.CheckHash(); !errors.Is(err, ErrHash) {
			t.Errorf("%s: %v", hashes, err)
		}
	}
}

// spec: rooms/v3#event-ids, rooms/v4#event-ids
func TestEventIDOfVersion(t *testing.T) {
	for _, v := range matrix.Versions() {
		for n := range 8 {
			e := build(t, v, n)
			hash := e.ReferenceHash()
			want := matrix.EventID("$made:domain")
			switch v.EventIDFormat {
			case matrix.EventIDHash:
				want = matrix.EventID("$" + matrix.Base64(hash[:]))
			case matrix.EventIDURLHash:
				want = matrix.EventID("$" + matrix.Base64URL(hash[:]))
			}
			if e.ID != want || hash != ReferenceHash(v, e.JSON) {
				t.Fatalf("version %s: id is %s, want %s", v.Version, e.ID, want)
			}
		}
	}
}
