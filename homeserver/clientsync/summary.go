package clientsync

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

const (
	maxHeroes   = 5
	heroPage    = 50  // members that are read at once to find heroes
	maxHeroRead = 500 // members that are read at most
)

// heroes returns the members who give a room without name and alias its name, none if it has one.
// spec: client-server-api#calculating-the-display-name-for-a-room
func (r *round) heroes(ctx context.Context, room *store.Room, s *section) ([]matrix.UserID, error) {
	root := s.end
	if root.IsZero() {
		root = room.State
	}
	named, err := r.y.store.StateEvents(ctx, room.Num, root, event.Key{Type: "m.room.name"}, event.Key{Type: "m.room.canonical_alias"})
	if err != nil || says(named[0], "name") || says(named[1], "alias") {
		return nil, err
	}
	f := heroFinder{self: r.session.User}
	typ := memberType
	var page []store.StateEntry
	read := 0
	flush := func() error {
		events, err := r.y.store.EntryEvents(ctx, room.Num, page)
		f.take(events)
		page = page[:0]
		return err
	}
	for e, err := range r.y.store.ScanState(ctx, root, &typ) {
		if err != nil {
			return nil, err
		}
		page = append(page, e)
		if read++; len(page) < heroPage {
			continue
		}
		if err := flush(); err != nil {
			return nil, err
		}
		if len(f.present) >= maxHeroes || read >= maxHeroRead {
			break
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return f.heroes(), nil
}

// says reports whether a state event has a string that is not empty.
func says(e *store.Event, name string) bool {
	if e == nil {
		return false
	}
	s, _ := matrix.StringField(e.Content, name)
	return s != ""
}

// heroFinder sorts members.
type heroFinder struct {
	self          matrix.UserID
	present, gone []*store.Event
}

func (f *heroFinder) take(events []*store.Event) {
	for _, e := range events {
		switch m := e.Membership(); {
		case matrix.UserID(*e.StateKey) == f.self:
		case m == "join" || m == "invite":
			f.present = append(f.present, e)
		case m == "leave" || m == "ban":
			f.gone = append(f.gone, e)
		}
	}
}

// heroes returns those who came first, of those who are there if any is.
func (f *heroFinder) heroes() []matrix.UserID {
	members := f.present
	if len(members) == 0 {
		members = f.gone
	}
	slices.SortFunc(members, func(a, b *store.Event) int { return cmp.Compare(a.Order, b.Order) })
	var users []matrix.UserID
	for _, e := range members[:min(len(members), maxHeroes)] {
		users = append(users, matrix.UserID(*e.StateKey))
	}
	return users
}

// appendSummary writes the room's summary.
// spec: client-server-api#get_matrixclientv3sync (RoomSummary)
func (r *round) appendSummary(ctx context.Context, dst []byte, room *store.Room, s *section) ([]byte, error) {
	heroes, err := r.heroes(ctx, room, s)
	if err != nil {
		return dst, err
	}
	dst = append(appendName(dst, 0, "summary"), '{')
	if len(heroes) > 0 {
		dst = append(dst, `"m.heroes":[`...)
		start := len(dst)
		for _, u := range heroes {
			dst = matrix.AppendString(appendComma(dst, start), string(u))
		}
		dst = append(dst, `],`...)
	}
	dst = strconv.AppendInt(append(dst, `"m.invited_member_count":`...), room.Invited, 10)
	dst = strconv.AppendInt(append(dst, `,"m.joined_member_count":`...), room.Joined, 10)
	return append(dst, '}'), nil
}
