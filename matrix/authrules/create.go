package authrules

import (
	"slices"

	"hearth/matrix"
	"hearth/matrix/event"
)

// create is the rule for m.room.create.
// spec: rooms/v12#authorization-rules 1
func (k *check) create() error {
	if len(k.e.PrevEvents) > 0 { // 1.1
		return k.refuse("a create event follows another event", "1", "1")
	}
	if k.v.RoomIDIsCreateHash { // 1.2
		if _, ok := matrix.Field(k.e.JSON, "room_id"); ok {
			return k.refuse("a create event names its room id", "1", "2")
		}
	} else if k.e.RoomID.Server() != k.e.Sender.Server() {
		return k.refuse("the room id is of another server than the sender", "1", "2")
	}
	if raw, ok := matrix.Field(k.e.Content, "room_version"); ok { // 1.3
		name, _ := matrix.String(raw)
		if _, known := matrix.LookupVersion(matrix.Version(name)); !known {
			return k.refuse("unknown room version", "1", "3")
		}
	}
	switch { // 1.4
	case k.v.PrivilegedCreators:
		if raw, ok := matrix.Field(k.e.Content, "additional_creators"); ok && !areUserIDs(raw) {
			return k.refuse("additional_creators is not an array of user ids", "1", "4")
		}
	case !k.v.CreatorIsSender:
		if _, ok := matrix.Field(k.e.Content, "creator"); !ok {
			return k.refuse("no creator", "1", "4")
		}
	}
	return nil // 1.5
}

// areUserIDs reports whether raw is an array of user ids.
func areUserIDs(raw []byte) bool {
	if !matrix.IsArray(raw) {
		return false
	}
	valid := true
	matrix.EachElement(raw, func(raw []byte) bool {
		name, ok := matrix.String(raw)
		valid = ok && isUserID(name)
		return valid
	})
	return valid
}

func isUserID(s string) bool {
	_, err := matrix.ParseUserID(s)
	return err == nil
}

// room is what the rules need to know of the create event.
type room struct {
	id       matrix.EventID // of the create event
	creator  matrix.UserID
	creators []matrix.UserID // additional ones, of room versions that give creators infinite power
	server   matrix.ServerName
	federate bool
}

func (c *Checker) roomOf(create *event.Event) *room {
	if c.room == nil || c.room.id != create.ID {
		c.room = readRoom(create)
	}
	return c.room
}

func readRoom(create *event.Event) *room {
	r := &room{id: create.ID, creator: create.Sender, server: create.Sender.Server(), federate: true}
	if !create.Version.CreatorIsSender {
		creator, _ := matrix.StringField(create.Content, "creator")
		r.creator = matrix.UserID(creator)
	}
	if raw, ok := matrix.Field(create.Content, "m.federate"); ok && string(raw) == "false" {
		r.federate = false
	}
	if raw, ok := matrix.Field(create.Content, "additional_creators"); ok && create.Version.PrivilegedCreators {
		matrix.EachElement(raw, func(raw []byte) bool {
			name, _ := matrix.String(raw)
			r.creators = append(r.creators, matrix.UserID(name))
			return true
		})
	}
	return r
}

// isCreator reports whether u is the sender of the create event or an additional creator.
func (r *room) isCreator(u matrix.UserID) bool {
	return u == r.creator || slices.Contains(r.creators, u)
}
