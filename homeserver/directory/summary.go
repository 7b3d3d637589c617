package directory

import (
	"context"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// Summary is what those outside may learn of a room before they join it.
// spec: client-server-api#get_matrixclientv1room_summaryroomidoralias
type Summary struct {
	Room                         *store.Room
	Joined                       int64 // members
	Name, Topic, Avatar          string
	Alias                        string // the canonical one
	JoinRule                     string
	Type                         string // such as m.space; "" for an ordinary room
	Encryption                   string // the algorithm, "" if the room is not encrypted
	Allowed                      []matrix.RoomID
	WorldReadable, GuestsCanJoin bool
}

// maxAllowed bounds how many rooms of a join rule are looked at and told.
const maxAllowed = 64

// summaryKeys are the state events of which a summary is made.
func summaryKeys() []event.Key {
	var keys []event.Key
	for _, typ := range []string{
		event.TypeCreate, event.TypeJoinRules, event.TypeHistoryVisibility, "m.room.guest_access", "m.room.name", "m.room.topic",
		"m.room.avatar", "m.room.canonical_alias", "m.room.encryption",
	} {
		keys = append(keys, event.Key{Type: typ})
	}
	return keys
}

// Summary returns what is to be said of a room.
func (d *Directory) Summary(ctx context.Context, room *store.Room) (*Summary, error) {
	state, err := d.store.StateEvents(ctx, room.Num, room.State, summaryKeys()...)
	if err != nil {
		return nil, err
	}
	text := func(i int, path ...string) string {
		if state[i] == nil {
			return ""
		}
		s, _ := matrix.StringField(state[i].Content, path...)
		return s
	}
	s := &Summary{
		Room: room, Joined: room.Joined, JoinRule: event.JoinInvite, WorldReadable: text(2, "history_visibility") == "world_readable",
		GuestsCanJoin: text(3, "guest_access") == "can_join", Name: text(4, "name"), Avatar: text(6, "url"), Alias: text(7, "alias"),
		Encryption: text(8, "algorithm"),
	}
	if state[0] != nil {
		s.Type = event.ReadCreation(state[0].Event).Type
	}
	if state[1] != nil {
		s.JoinRule = state[1].JoinRule()
		if s.restricted() {
			s.Allowed = state[1].AllowedRooms()
			s.Allowed = s.Allowed[:min(len(s.Allowed), maxAllowed)]
		}
	}
	if state[5] != nil {
		s.Topic = plainTopic(state[5].Content)
	}
	return s, nil
}

// plainTopic returns the topic that is plain text.
// spec: client-server-api#mroomtopic
func plainTopic(content []byte) string {
	texts, _ := matrix.Field(content, "m.topic", "m.text")
	topic, found := "", false
	if matrix.IsArray(texts) {
		matrix.EachElement(texts, func(raw []byte) bool {
			if !matrix.IsObject(raw) {
				return true
			}
			kind, given := matrix.StringField(raw, "mimetype")
			if !given || kind == "text/plain" {
				topic, found = matrix.StringField(raw, "body")
			}
			return !found
		})
	}
	if !found {
		topic, _ = matrix.StringField(content, "topic")
	}
	return topic
}

// restricted reports whether members of other rooms may join, by a rule that the room's version knows.
func (s *Summary) restricted() bool {
	v := s.Room.Version
	return s.JoinRule == event.JoinRestricted && v.Restricted || s.JoinRule == event.JoinKnockRestricted && v.KnockRestricted
}

// open reports whether anybody may join, ask to join, or read the room.
func (s *Summary) open() bool {
	v := s.Room.Version
	return s.WorldReadable || s.JoinRule == event.JoinPublic || s.JoinRule == event.JoinKnock && v.Knocking ||
		s.JoinRule == event.JoinKnockRestricted && v.KnockRestricted
}

// MaySee reports whether a user, "" for somebody without an account, may learn what a summary says: of a room that is
// open, that the user is in or invited to, or whose rule lets in members of another room that the user is in.
// spec: client-server-api#get_matrixclientv1roomsroomidhierarchy
func (d *Directory) MaySee(ctx context.Context, user matrix.UserID, s *Summary) (bool, error) {
	switch {
	case s.Room.Deleted:
		return false, nil
	case s.open():
		return true, nil
	case user == "":
		return false, nil
	}
	m, err := d.store.Membership(ctx, user, s.Room.Num)
	if err != nil || m != nil && (m.Membership == event.Join || m.Membership == event.Invite) {
		return err == nil, err
	}
	for _, id := range s.Allowed {
		if ok, err := d.isIn(ctx, user, id); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// isIn reports whether a user is in a room.
func (d *Directory) isIn(ctx context.Context, user matrix.UserID, id matrix.RoomID) (bool, error) {
	room, err := d.store.RoomByID(ctx, id)
	if err != nil || room == nil || room.Deleted {
		return false, err
	}
	m, err := d.store.Membership(ctx, user, room.Num)
	return m != nil && m.Membership == event.Join, err
}

// size is what a summary takes in memory, about, in bytes.
func (s *Summary) size() int {
	n := 300 + len(s.Name) + len(s.Topic) + len(s.Avatar) + len(s.Alias) + len(s.JoinRule) + len(s.Type) + len(s.Encryption)
	for _, id := range s.Allowed {
		n += len(id) + 16
	}
	return n
}
