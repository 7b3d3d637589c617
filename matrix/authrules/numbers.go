package authrules

import "hearth/matrix"

// numbers is how a room version numbers the rules. An empty string is a rule that the version does not have.
type numbers struct {
	room, auth, federate, aliases, member, joined, invite3p, required, stateKey, power, redaction string

	authRoom string // below auth: an entry of another room

	// Below member.
	authorised, join, invite, leave, ban, knock, unknown string
	// Below member and join.
	restricted, public, otherJoin string

	// Below power.
	integers, objects, users, creators, first, scalars, oldEntries, newEntries, oldUsers, newUsers string
}

// rulesV1 numbers room versions 1 and 2, rulesV3 3 to 5 (without the redaction rule), rulesV6 6 (without the
// aliases rule), rulesV7 (knocking), rulesV8 8 and 9 (restricted rooms), rulesV10 10 and 11 (integer power
// levels), rulesV12. In version 12 the specification leaves out 3.4 and numbers two rules 10.10; its numbers are kept.
const (
	rulesV1 = iota
	rulesV3
	rulesV6
	rulesV7
	rulesV8
	rulesV10
	rulesV12
	families
)

// numbersOf returns the numbers that v uses.
func numbersOf(v *matrix.RoomVersion) *numbers { return &numbering[family(v)] }

func family(v *matrix.RoomVersion) int {
	switch {
	case v.PrivilegedCreators:
		return rulesV12
	case v.IntegerPowerLevels:
		return rulesV10
	case v.Restricted:
		return rulesV8
	case v.Knocking:
		return rulesV7
	case !v.SpecialAliasAuth:
		return rulesV6
	case !v.RedactionAuth:
		return rulesV3
	}
	return rulesV1
}

// numbering is never changed.
var numbering = [families]numbers{
	rulesV1: {
		room: "2.4", auth: "2", authRoom: "5", federate: "3", aliases: "4", member: "5", joined: "6", invite3p: "7",
		required: "8", stateKey: "9", power: "10", redaction: "11",
		join: "2", invite: "3", leave: "4", ban: "5", unknown: "6",
		public: "5", otherJoin: "6",
		integers: "1", objects: "1", users: "1", first: "2", scalars: "3",
		oldEntries: "4", newEntries: "5", oldUsers: "6", newUsers: "7",
	},
	rulesV3: {
		room: "2.4", auth: "2", authRoom: "5", federate: "3", aliases: "4", member: "5", joined: "6", invite3p: "7",
		required: "8", stateKey: "9", power: "10",
		join: "2", invite: "3", leave: "4", ban: "5", unknown: "6",
		public: "5", otherJoin: "6",
		integers: "1", objects: "1", users: "1", first: "2", scalars: "3",
		oldEntries: "4", newEntries: "5", oldUsers: "6", newUsers: "7",
	},
	rulesV6: {
		room: "2.4", auth: "2", authRoom: "5", federate: "3", member: "4", joined: "5", invite3p: "6",
		required: "7", stateKey: "8", power: "9",
		join: "2", invite: "3", leave: "4", ban: "5", unknown: "6",
		public: "5", otherJoin: "6",
		integers: "1", objects: "1", users: "1", first: "2", scalars: "3",
		oldEntries: "4", newEntries: "5", oldUsers: "6", newUsers: "7",
	},
	rulesV7: {
		room: "2.4", auth: "2", authRoom: "5", federate: "3", member: "4", joined: "5", invite3p: "6",
		required: "7", stateKey: "8", power: "9",
		join: "2", invite: "3", leave: "4", ban: "5", knock: "6", unknown: "7",
		public: "5", otherJoin: "6",
		integers: "1", objects: "1", users: "1", first: "2", scalars: "3",
		oldEntries: "4", newEntries: "5", oldUsers: "6", newUsers: "7",
	},
	rulesV8: {
		room: "2.4", auth: "2", authRoom: "5", federate: "3", member: "4", joined: "5", invite3p: "6",
		required: "7", stateKey: "8", power: "9",
		authorised: "2", join: "3", invite: "4", leave: "5", ban: "6", knock: "7", unknown: "8",
		restricted: "5", public: "6", otherJoin: "7",
		integers: "1", objects: "1", users: "1", first: "2", scalars: "3",
		oldEntries: "4", newEntries: "5", oldUsers: "6", newUsers: "7",
	},
	rulesV10: {
		room: "2.4", auth: "2", authRoom: "5", federate: "3", member: "4", joined: "5", invite3p: "6",
		required: "7", stateKey: "8", power: "9",
		authorised: "2", join: "3", invite: "4", leave: "5", ban: "6", knock: "7", unknown: "8",
		restricted: "5", public: "6", otherJoin: "7",
		integers: "1", objects: "2", users: "3", first: "4", scalars: "5",
		oldEntries: "6", newEntries: "7", oldUsers: "8", newUsers: "9",
	},
	rulesV12: {
		room: "2", auth: "3", authRoom: "5", federate: "4", member: "5", joined: "6", invite3p: "7",
		required: "8", stateKey: "9", power: "10",
		authorised: "2", join: "3", invite: "4", leave: "5", ban: "6", knock: "7", unknown: "8",
		restricted: "5", public: "6", otherJoin: "7",
		integers: "1", objects: "2", users: "3", creators: "4", first: "5", scalars: "6",
		oldEntries: "7", newEntries: "8", oldUsers: "9", newUsers: "10",
	},
}
