package event

import (
	"crypto/ed25519"
	"fmt"

	"hearth/matrix"
)

// Signer is a server and its signing key.
type Signer struct {
	Server matrix.ServerName
	KeyID  matrix.KeyID
	Key    ed25519.PrivateKey
}

// VerifySignature checks the signature by a server's key on e. Its errors have matrix.ErrSignature in their chain.
// spec: server-server-api#validating-hashes-and-signatures-on-received-events
func (e *Event) VerifySignature(server matrix.ServerName, key matrix.KeyID, pub ed25519.PublicKey) error {
	var room [typicalPDU]byte
	signatures, _ := matrix.Field(e.JSON, "signatures")
	message := appendRedacted(room[:0], e.Version, e.Type, e.JSON, false)
	if err := matrix.VerifySignature(signatures, message, string(server), key, pub); err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	return nil
}

// Sign returns e with a signature by s added, in place of an older one by the same key.
func (e *Event) Sign(s Signer) (*Event, error) {
	json, err := sign(e.Version, e.Type, e.JSON, s)
	if err != nil {
		return nil, fmt.Errorf("signing event %s: %w", e.ID, err)
	}
	if len(json) > MaxPDU {
		return nil, tooLarge("event", len(json), MaxPDU)
	}
	return Load(e.Version, e.ID, json)
}

func sign(v *matrix.RoomVersion, typ string, json []byte, s Signer) ([]byte, error) {
	signature := ed25519.Sign(s.Key, appendRedacted(nil, v, typ, json, false))
	return matrix.AddSignature(json, string(s.Server), s.KeyID, signature)
}

// HashAndSign returns the canonical form of an event of a version, which need not be complete, with its content
// hash set and a signature by s added. "unsigned" and other signatures stay.
// spec: server-server-api#adding-hashes-and-signatures-to-outgoing-events
func HashAndSign(v *matrix.RoomVersion, raw []byte, s Signer) ([]byte, error) {
	json, err := v.Canonical(raw)
	if err != nil {
		return nil, fmt.Errorf("signing event: %w", err)
	}
	if !matrix.IsObject(json) {
		return nil, bad("it is no object")
	}
	hash := ContentHash(json)
	json = matrix.With(nil, json, "hashes", []byte(`{"sha256":"`+matrix.Base64(hash[:])+`"}`))
	typ, _ := matrix.StringField(json, "type")
	return sign(v, typ, json, s)
}
