package matrix

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
)

// KeyID names a signing key of a server or device: an algorithm, a colon, and an identifier, "ed25519:abc".
// spec: appendices#signing-details
type KeyID string

// Algorithm returns what stands before the colon.
func (k KeyID) Algorithm() string {
	algorithm, _, _ := strings.Cut(string(k), ":")
	return algorithm
}

// ErrSignature is in the chain of every error that says that a signature is absent, malformed or wrong.
var ErrSignature = errors.New("no valid signature")

// SignJSON returns the canonical form of obj with a signature by server's key merged in. Other signatures and
// "unsigned" stay as they are and are not covered.
// spec: appendices#signing-details
func SignJSON(obj []byte, server string, key KeyID, priv ed25519.PrivateKey) ([]byte, error) {
	obj, err := canonicalObject(obj)
	if err != nil {
		return nil, fmt.Errorf("signing JSON: %w", err)
	}
	signature := ed25519.Sign(priv, Without(nil, obj, "signatures", "unsigned"))
	return AddSignature(obj, server, key, signature)
}

// VerifyJSON checks the signature by server's key on obj, which may be in any form.
// spec: appendices#checking-for-a-signature
func VerifyJSON(obj []byte, server string, key KeyID, pub ed25519.PublicKey) error {
	obj, err := canonicalObject(obj)
	if err != nil {
		return fmt.Errorf("verifying JSON: %w", err)
	}
	signatures, _ := Field(obj, "signatures")
	return VerifySignature(signatures, Without(nil, obj, "signatures", "unsigned"), server, key, pub)
}

// VerifySignature checks the signature by server's key that stands in the object signatures against the
// message that it should cover.
func VerifySignature(signatures, message []byte, server string, key KeyID, pub ed25519.PublicKey) error {
	text, ok := StringField(signatures, server, string(key))
	if !ok {
		return fmt.Errorf("verifying JSON: %w by %s of %s", ErrSignature, key, server)
	}
	signature, err := DecodeBase64(text)
	if err != nil {
		return fmt.Errorf("verifying JSON: %w by %s of %s: %w", ErrSignature, key, server, err)
	}
	if key.Algorithm() != "ed25519" || len(pub) != ed25519.PublicKeySize || !ed25519.Verify(pub, message, signature) {
		return fmt.Errorf("verifying JSON: %w by %s of %s", ErrSignature, key, server)
	}
	return nil
}

// AddSignature returns the canonical object obj with a signature in it, in place of one by the same key.
func AddSignature(obj []byte, server string, key KeyID, signature []byte) ([]byte, error) {
	entry := append(AppendBase64([]byte{'"'}, signature), '"')
	signatures, ok := Field(obj, "signatures")
	if !ok {
		signatures = []byte("{}")
	}
	ofServer, ok := Field(signatures, server)
	if !ok {
		ofServer = []byte("{}")
	}
	if !IsObject(signatures) || !IsObject(ofServer) {
		return nil, Errorf(400, MBadJSON, "signing JSON: signatures are not an object of objects")
	}
	ofServer = With(nil, ofServer, string(key), entry)
	signatures = With(nil, signatures, server, ofServer)
	return With(make([]byte, 0, len(obj)+len(signatures)+16), obj, "signatures", signatures), nil
}

// canonicalObject returns the canonical form of what must be an object.
func canonicalObject(obj []byte) ([]byte, error) {
	obj, err := Canonical(obj)
	if err != nil {
		return nil, err
	}
	if !IsObject(obj) {
		return nil, Errorf(400, MBadJSON, "not an object")
	}
	return obj, nil
}

// Without appends the canonical object obj to dst, leaving out some members.
func Without(dst, obj []byte, names ...string) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for key, raw, next, ok := Member(obj, 0); ok; key, raw, next, ok = Member(obj, next) {
		if isOneOf(key, names) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = appendMember(dst, key, raw)
	}
	return append(dst, '}')
}

func isOneOf(key []byte, names []string) bool {
	for _, name := range names {
		if keyEquals(key, name) {
			return true
		}
	}
	return false
}

// appendMember appends a member whose key is escaped already.
func appendMember(dst, key, raw []byte) []byte {
	dst = append(dst, '"')
	dst = append(dst, key...)
	dst = append(dst, '"', ':')
	return append(dst, raw...)
}

// With appends the canonical object obj to dst, with the canonical value raw at name: added in its place, or
// instead of what is there.
func With(dst, obj []byte, name string, raw []byte) []byte {
	dst = append(dst, '{')
	start, done := len(dst), false
	put := func(key, value []byte) {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = appendMember(dst, key, value)
	}
	quoted := AppendString(nil, name)
	quoted = quoted[1 : len(quoted)-1]
	for key, value, next, ok := Member(obj, 0); ok; key, value, next, ok = Member(obj, next) {
		order := compareKeys(key, name)
		if order >= 0 && !done {
			put(quoted, raw)
			done = true
		}
		if order != 0 {
			put(key, value)
		}
	}
	if !done {
		put(quoted, raw)
	}
	return append(dst, '}')
}

// compareKeys compares the inside of a JSON string with a name by code point.
func compareKeys(key []byte, name string) int {
	if bytes.IndexByte(key, '\\') >= 0 {
		key = unescape(nil, key)
	}
	return strings.Compare(string(key), name)
}
