// Package event reads, builds, hashes, redacts and signs the events of every room version.
//
// # The stored form
//
// An event is its canonical JSON as it is sent between servers, without "unsigned" and, from room version 3 on,
// without "event_id". Everything else that its sender wrote stays, known or not, for the hashes cover it:
//
//	{"auth_events":[…],"content":{…},"depth":7,"hashes":{"sha256":"…"},"origin_server_ts":1,"prev_events":[…],
//	 "room_id":"!r:example.org","sender":"@a:example.org","signatures":{"example.org":{"ed25519:1":"…"}},"type":"…"}
//
// [Build] makes an event of our own, [Parse] reads one from outside, [Load] one that we have stored.
//
// # Hashes and signatures
//
//	content hash     of the event without hashes and signatures; it is stored in hashes
//	reference hash   of the redacted event without signatures; it is the event id (version 3 and later)
//	signatures       over the bytes that the reference hash is taken of, so that a redacted event keeps id and signatures
//
// # Invariants
//
//  1. An Event never changes after it was made. Sign and Redacted return new ones.
//  2. JSON is canonical and at most MaxPDU bytes; Content is a part of it.
//  3. What Build returns, Parse accepts and gives the same id, hash and signatures.
package event

import (
	"iter"

	"hearth/matrix"
)

// Limits of events.
// spec: client-server-api#size-limits, server-server-api definitions/pdu
const (
	MaxPDU        = 65536   // bytes of an event's JSON, signatures included
	MaxField      = 255     // bytes of type, state_key, sender, room_id and event ids
	MaxPrevEvents = 20      // entries of prev_events
	MaxAuthEvents = 10      // entries of auth_events
	MaxRaw        = 1 << 19 // bytes that Parse reads: white space, escapes and "unsigned" come on top of MaxPDU
)

// Types of events that the specification gives a meaning below the Client-Server API.
const (
	TypeCreate            = "m.room.create"
	TypeMember            = "m.room.member"
	TypePowerLevels       = "m.room.power_levels"
	TypeJoinRules         = "m.room.join_rules"
	TypeThirdPartyInvite  = "m.room.third_party_invite"
	TypeHistoryVisibility = "m.room.history_visibility"
	TypeAliases           = "m.room.aliases"
	TypeRedaction         = "m.room.redaction"
)

// Event is an event of a room.
type Event struct {
	Version    *matrix.RoomVersion
	ID         matrix.EventID
	RoomID     matrix.RoomID // of a create event of version 12, which names none: "!" and its hash
	Sender     matrix.UserID
	Type       string
	StateKey   *string        // nil if the event is no state event
	Redacts    matrix.EventID // of m.room.redaction, from where the version puts it; "" if absent or no string
	Depth      int64
	Time       int64            // origin_server_ts, milliseconds since 1970 by the clock of the sender's server
	PrevEvents []matrix.EventID // may be empty
	AuthEvents []matrix.EventID // may be empty
	Content    []byte           // canonical JSON object, a part of JSON
	JSON       []byte           // canonical JSON, see the package comment

	stateKey string // what StateKey points to
}

// Key is what a state event is the value of in a room's state.
type Key struct{ Type, StateKey string }

// IsState reports whether e is a state event.
func (e *Event) IsState() bool { return e.StateKey != nil }

// StateKeyEquals reports whether e is a state event with state key k.
func (e *Event) StateKeyEquals(k string) bool { return e.StateKey != nil && *e.StateKey == k }

// Is reports whether e is a state event of this type and state key.
func (e *Event) Is(typ, stateKey string) bool { return e.Type == typ && e.StateKeyEquals(stateKey) }

// Key returns e's place in the room's state; false if e is no state event.
func (e *Event) Key() (Key, bool) {
	if e.StateKey == nil {
		return Key{}, false
	}
	return Key{e.Type, *e.StateKey}, true
}

// Signatures returns the servers and keys that e has signatures of, not verified.
func (e *Event) Signatures() iter.Seq2[matrix.ServerName, matrix.KeyID] {
	return func(yield func(matrix.ServerName, matrix.KeyID) bool) {
		all, _ := matrix.Field(e.JSON, "signatures")
		matrix.EachField(all, func(server string, keys []byte) bool {
			more := true
			matrix.EachField(keys, func(key string, _ []byte) bool {
				more = yield(matrix.ServerName(server), matrix.KeyID(key))
				return more
			})
			return more
		})
	}
}
