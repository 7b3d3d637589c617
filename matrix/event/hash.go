package event

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"hearth/matrix"
)

// ErrHash is in the chain of the errors of CheckHash. Such an event is used in its redacted form.
// spec: server-server-api#validating-hashes-and-signatures-on-received-events
var ErrHash = errors.New("the content hash does not match")

// Hash is a SHA-256 hash.
type Hash = [sha256.Size]byte

// typicalPDU is how large an event may be to be hashed without an allocation.
const typicalPDU = 2048

// ContentHash returns the content hash of a canonical event.
// spec: server-server-api#calculating-the-content-hash-for-an-event
func ContentHash(json []byte) Hash {
	var room [typicalPDU]byte
	return sha256.Sum256(matrix.Without(room[:0], json, "hashes", "signatures", "unsigned"))
}

// ReferenceHash returns the reference hash of a canonical event.
// spec: server-server-api#calculating-the-reference-hash-for-an-event
func ReferenceHash(v *matrix.RoomVersion, json []byte) Hash {
	typ, _ := matrix.StringField(json, "type")
	return referenceHash(v, typ, json)
}

func referenceHash(v *matrix.RoomVersion, typ string, json []byte) Hash {
	var room [typicalPDU]byte
	return sha256.Sum256(appendRedacted(room[:0], v, typ, json, false))
}

// eventID returns the id that a reference hash gives.
// spec: rooms/v3#event-ids, rooms/v4#event-ids
func eventID(v *matrix.RoomVersion, h *Hash) matrix.EventID {
	var room [1 + 43]byte
	id := append(room[:0], '$')
	id = matrix.AppendBase64(id, h[:])
	if v.EventIDFormat == matrix.EventIDURLHash {
		for i, c := range id {
			switch c {
			case '+':
				id[i] = '-'
			case '/':
				id[i] = '_'
			}
		}
	}
	return matrix.EventID(id)
}

// ReferenceHash returns e's reference hash, which other events of room versions 1 and 2 cite beside its id.
func (e *Event) ReferenceHash() Hash { return referenceHash(e.Version, e.Type, e.JSON) }

// CheckHash checks the content hash that e carries against e.
func (e *Event) CheckHash() error {
	text, _ := matrix.StringField(e.JSON, "hashes", "sha256")
	want, err := matrix.DecodeBase64(text)
	if err != nil {
		return fmt.Errorf("checking event %s: %w: %w", e.ID, ErrHash, err)
	}
	if got := ContentHash(e.JSON); !bytes.Equal(got[:], want) {
		return fmt.Errorf("checking event %s: %w", e.ID, ErrHash)
	}
	return nil
}
