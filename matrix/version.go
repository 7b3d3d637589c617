package matrix

// Version names a room version: "1" to "12".
type Version string

// DefaultVersion is the version of new rooms.
// spec: rooms#complete-list-of-room-versions
const DefaultVersion Version = "12"

// EventIDFormat is how events of a room version get their ids.
type EventIDFormat int

const (
	EventIDServerMade EventIDFormat = 1 + iota // "$opaque:server", carried in the event (versions 1, 2)
	EventIDHash                                // "$" and the reference hash in standard Base64 (version 3)
	EventIDURLHash                             // "$" and the reference hash in URL-safe Base64 (versions 4 and later)
)

// StateRes is a state resolution algorithm.
type StateRes int

const (
	StateRes1  StateRes = 1
	StateRes2  StateRes = 2
	StateRes21 StateRes = 21 // version 2.1
)

// PowerLevelFormat is which numbers m.room.power_levels may hold; each also allows what the next one does.
type PowerLevelFormat int

const (
	PowerLevelFloats   PowerLevelFormat = iota // numbers with fraction or exponent, cut at the point (versions 1 to 5)
	PowerLevelStrings                          // integers in strings (versions 6 to 9)
	PowerLevelIntegers                         // integers only (versions 10 and later)
)

// Redaction is which keys a version's redaction algorithm keeps.
type Redaction struct {
	KeepsOrigin      bool // top-level origin, membership and prev_state (versions 1 to 10)
	KeepsAliases     bool // aliases of m.room.aliases (versions 1 to 5)
	KeepsAllow       bool // allow of m.room.join_rules (versions 8 and later)
	KeepsAuthoriser  bool // join_authorised_via_users_server of m.room.member (versions 9 and later)
	KeepsInviteLevel bool // invite of m.room.power_levels (versions 11 and later)
	KeepsSigned      bool // third_party_invite.signed of m.room.member (versions 11 and later)
	KeepsRedacts     bool // redacts of m.room.redaction (versions 11 and later)
	KeepsCreate      bool // all of m.room.create, not only creator (versions 11 and later)
}

// RoomVersion is what a room version decides, as data. It is never changed after Versions has made it.
// spec: rooms
type RoomVersion struct {
	Version       Version
	Stable        bool
	EventIDFormat EventIDFormat
	StateRes      StateRes
	Redaction     Redaction
	PowerLevels   PowerLevelFormat

	StrictCanonicalJSON bool  // canonical JSON is enforced (6+)
	MaxDepth            int64 // the greatest depth of an event: 2^63-1, or 2^53-1 (6+)
	EnforceKeyValidity  bool  // signing keys must be valid at origin_server_ts (5+)

	SpecialAliasAuth       bool // m.room.aliases has its own authorisation rule (1 to 5)
	RedactionAuth          bool // m.room.redaction has its own authorisation rule (1, 2)
	NotificationsPowerAuth bool // changes of power_levels' notifications are authorised (6+)
	Knocking               bool // join rule and membership knock (7+)
	Restricted             bool // join rule restricted (8+)
	KnockRestricted        bool // join rule knock_restricted (10+)
	IntegerPowerLevels     bool // power levels are integers only (10+)
	UpdatedRedaction       bool // the redaction algorithm of version 11 (11+)
	RedactsInContent       bool // redacts is a member of content (11+)
	CreatorIsSender        bool // the creator is the create event's sender, not content.creator (11+)
	RoomIDIsCreateHash     bool // the room id is the create event's id with "!" (12+); such an event names no room
	PrivilegedCreators     bool // creators are above all power levels; additional_creators (12+)
}

// IsPaired reports whether prev_events and auth_events are pairs of id and hash.
func (v *RoomVersion) IsPaired() bool { return v.EventIDFormat == EventIDServerMade }

// Canonical returns src in the canonical form that events of this version have: numbers that are not written as
// canonical integers are errors from version 6 on, and kept as written before.
// spec: rooms/v6#canonical-json, rooms/v1#canonical-json
func (v *RoomVersion) Canonical(src []byte) ([]byte, error) {
	if v.StrictCanonicalJSON {
		return canonical(src, numbersStrict)
	}
	return canonical(src, numbersLoose)
}

// LookupVersion returns a room version; false if it is not known.
func LookupVersion(v Version) (*RoomVersion, bool) {
	switch v {
	case "1":
		return &version1, true
	case "2":
		return &version2, true
	case "3":
		return &version3, true
	case "4":
		return &version4, true
	case "5":
		return &version5, true
	case "6":
		return &version6, true
	case "7":
		return &version7, true
	case "8":
		return &version8, true
	case "9":
		return &version9, true
	case "10":
		return &version10, true
	case "11":
		return &version11, true
	case "12":
		return &version12, true
	}
	return nil, false
}

// Versions returns all room versions, oldest first.
func Versions() []*RoomVersion {
	return []*RoomVersion{
		&version1, &version2, &version3, &version4, &version5, &version6,
		&version7, &version8, &version9, &version10, &version11, &version12,
	}
}
