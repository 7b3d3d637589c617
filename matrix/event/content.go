package event

import (
	"slices"

	"hearth/matrix"
)

// Memberships.
// spec: client-server-api#mroommember
const (
	Join   = "join"
	Invite = "invite"
	Leave  = "leave"
	Ban    = "ban"
	Knock  = "knock"
)

// Join rules.
// spec: client-server-api#mroomjoin_rules
const (
	JoinPublic          = "public"
	JoinInvite          = "invite"
	JoinKnock           = "knock"
	JoinRestricted      = "restricted"
	JoinKnockRestricted = "knock_restricted"
	JoinPrivate         = "private"
)

// Membership returns the membership of an m.room.member; "" if it has none.
func (e *Event) Membership() string {
	s, _ := matrix.StringField(e.Content, "membership")
	return s
}

// JoinRule returns the join_rule of an m.room.join_rules; "" if it has none. A room without such an event has
// the rule JoinInvite.
func (e *Event) JoinRule() string {
	s, _ := matrix.StringField(e.Content, "join_rule")
	return s
}

// Authoriser returns join_authorised_via_users_server of an m.room.member; "" if it has none.
// spec: rooms/v8#authorisation-rules
func (e *Event) Authoriser() matrix.UserID {
	s, _ := matrix.StringField(e.Content, "join_authorised_via_users_server")
	return matrix.UserID(s)
}

// AllowedRooms returns the rooms whose members a restricted join rule lets in, without those of unknown conditions.
// spec: client-server-api#restricted-rooms
func (e *Event) AllowedRooms() []matrix.RoomID {
	var rooms []matrix.RoomID
	allow, _ := matrix.Field(e.Content, "allow")
	matrix.EachElement(allow, func(condition []byte) bool {
		typ, _ := matrix.StringField(condition, "type")
		room, ok := matrix.StringField(condition, "room_id")
		if ok && typ == "m.room_membership" {
			rooms = append(rooms, matrix.RoomID(room))
		}
		return true
	})
	return rooms
}

// Creation is what an m.room.create says.
type Creation struct {
	Creator    matrix.UserID   // content.creator until version 10, the sender after
	Additional []matrix.UserID // additional_creators of version 12
	Federate   bool            // whether users of other servers may take part
	Type       string          // such as m.space; "" for an ordinary room
	Version    matrix.Version  // "1" if it says nothing

	privileged bool
}

// ReadCreation reads an m.room.create event. What has the wrong shape counts as absent.
// spec: client-server-api#mroomcreate
func ReadCreation(e *Event) *Creation {
	c := &Creation{Creator: e.Sender, Federate: true, Version: "1", privileged: e.Version.PrivilegedCreators}
	if !e.Version.CreatorIsSender {
		creator, _ := matrix.StringField(e.Content, "creator")
		c.Creator = matrix.UserID(creator)
	}
	if federate, ok := matrix.BoolField(e.Content, "m.federate"); ok {
		c.Federate = federate
	}
	if version, ok := matrix.StringField(e.Content, "room_version"); ok {
		c.Version = matrix.Version(version)
	}
	c.Type, _ = matrix.StringField(e.Content, "type")
	if c.privileged {
		additional, _ := matrix.Field(e.Content, "additional_creators")
		matrix.EachElement(additional, func(raw []byte) bool {
			if user, ok := matrix.String(raw); ok {
				c.Additional = append(c.Additional, matrix.UserID(user))
			}
			return true
		})
	}
	return c
}

// IsCreator reports whether u is one of the room's creators.
func (c *Creation) IsCreator(u matrix.UserID) bool {
	return u == c.Creator || slices.Contains(c.Additional, u)
}

// Power returns u's power level in a room with these power levels; nil stands for a room that has none.
// spec: client-server-api#mroompower_levels, rooms/v12#authorization-rules
func (c *Creation) Power(levels *PowerLevels, u matrix.UserID) int64 {
	switch {
	case c.privileged && c.IsCreator(u):
		return CreatorPower
	case levels != nil:
		return levels.User(u)
	case u == c.Creator:
		return 100
	}
	return 0
}
