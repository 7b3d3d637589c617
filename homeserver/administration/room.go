package administration

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

func (a *Administration) roomRoutes(m *wire.Mux) {
	m.Handle("GET /admin/v1/rooms", a.getRooms)
	m.Handle("GET /admin/v1/rooms/{room}", a.getRoom)
}

// Room is one room.
type Room struct {
	ID      matrix.RoomID  `json:"id"`
	Name    string         `json:"name,omitempty"`
	Alias   string         `json:"alias,omitempty"` // the main one
	Creator matrix.UserID  `json:"creator,omitempty"`
	Created int64          `json:"created"`
	Version matrix.Version `json:"version"`
	Members int64          `json:"members"` // of all servers
	Invited int64          `json:"invited"`
	Events  int64          `json:"events"` // that this server keeps, about
}

// Rooms is a page of rooms.
type Rooms struct {
	Rooms []Room `json:"rooms"`
	Next  string `json:"next,omitempty"`
	Total int    `json:"total"` // on all pages
}

// RoomDetails is all that is told of one room.
type RoomDetails struct {
	Room
	Topic       string             `json:"topic,omitempty"`
	JoinRule    string             `json:"join_rule,omitempty"`
	History     string             `json:"history_visibility,omitempty"`
	Encrypted   bool               `json:"encrypted"`
	Space       bool               `json:"space"`
	Published   bool               `json:"published"`
	Aliases     []matrix.RoomAlias `json:"aliases"`
	Local       []matrix.UserID    `json:"local_members"` // who joined from here, at most maxLocal
	LocalsLeft  bool               `json:"more_local_members"`
	Tombstoned  matrix.RoomID      `json:"replaced_by,omitempty"`
	StateEvents int                `json:"state_events"`
}

// maxLocal is how many of a room's members are listed.
const maxLocal = 1000

// listed is a room as it is sorted.
type listed struct {
	room   *store.Room
	name   string // only for those who search or sort by it
	events store.Order
}

func (a *Administration) getRooms(w http.ResponseWriter, r *http.Request) error {
	from, search, limit, err := page(r)
	if err != nil {
		return err
	}
	order, err := wire.Choice(r.URL.Query(), "sort", "members", "events", "name", "created")
	if err != nil {
		return err
	}
	skip, err := strconv.Atoi(cmp.Or(from, "0"))
	if err != nil || skip < 0 {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "from is not what next was")
	}
	all, err := a.list(r.Context(), search, order)
	if err != nil {
		return err
	}
	out := Rooms{Rooms: []Room{}, Total: len(all)}
	end := min(skip+limit, len(all))
	for _, l := range all[min(skip, len(all)):end] {
		one, err := a.describeRoom(r.Context(), l.room)
		if err != nil {
			return err
		}
		out.Rooms = append(out.Rooms, one)
	}
	if end < len(all) {
		out.Next = strconv.Itoa(end)
	}
	return wire.Answer(w, out)
}

// list returns the rooms whose name or id contains a text, in the order asked for.
func (a *Administration) list(ctx context.Context, search, order string) ([]listed, error) {
	var all []listed
	for room, err := range a.Store.Rooms(ctx, 0) {
		if err != nil {
			return nil, err
		}
		if room.Deleted {
			continue
		}
		l := listed{room: room}
		if search != "" || order == "name" {
			if l.name, err = a.nameOf(ctx, room); err != nil {
				return nil, err
			}
		}
		if !strings.Contains(strings.ToLower(l.name), search) && !strings.Contains(strings.ToLower(string(room.ID)), search) {
			continue
		}
		if order == "events" {
			if l.events, err = a.Store.Newest(ctx, room.Num); err != nil {
				return nil, err
			}
		}
		all = append(all, l)
	}
	slices.SortStableFunc(all, func(x, y listed) int {
		switch order {
		case "members":
			return cmp.Compare(y.room.Joined, x.room.Joined)
		case "events":
			return cmp.Compare(y.events, x.events)
		case "name":
			return cmp.Compare(strings.ToLower(x.name), strings.ToLower(y.name))
		}
		return cmp.Compare(y.room.Num, x.room.Num)
	})
	return all, nil
}

func (a *Administration) nameOf(ctx context.Context, room *store.Room) (string, error) {
	events, err := a.Store.StateEvents(ctx, room.Num, room.State, event.Key{Type: "m.room.name"})
	if err != nil {
		return "", err
	}
	return said(events[0], "name"), nil
}

// said returns a string of an event's content, "" if there is none.
func said(e *store.Event, field string) string {
	if e == nil {
		return ""
	}
	s, _ := matrix.StringField(e.Content, field)
	return s
}

func (a *Administration) describeRoom(ctx context.Context, room *store.Room) (Room, error) {
	events, err := a.Store.StateEvents(ctx, room.Num, room.State, event.Key{Type: event.TypeCreate},
		event.Key{Type: "m.room.name"}, event.Key{Type: "m.room.canonical_alias"})
	if err != nil {
		return Room{}, err
	}
	newest, err := a.Store.Newest(ctx, room.Num)
	if err != nil {
		return Room{}, err
	}
	out := Room{
		ID: room.ID, Name: said(events[1], "name"), Alias: said(events[2], "alias"), Version: room.Version.Version,
		Members: room.Joined, Invited: room.Invited, Events: int64(newest),
	}
	if events[0] != nil {
		out.Creator, out.Created = events[0].Sender, events[0].Time
	}
	return out, nil
}

// known returns the room of the path. Error: M_NOT_FOUND (404).
func (a *Administration) known(r *http.Request) (*store.Room, error) {
	id, err := matrix.ParseRoomID(r.PathValue("room"))
	if err != nil {
		return nil, err
	}
	room, err := a.Store.RoomByID(r.Context(), id)
	if err == nil && (room == nil || room.Deleted) {
		err = matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no room %s on this server", id)
	}
	return room, err
}

func (a *Administration) getRoom(w http.ResponseWriter, r *http.Request) error {
	room, err := a.known(r)
	if err != nil {
		return err
	}
	var out RoomDetails
	if out.Room, err = a.describeRoom(r.Context(), room); err != nil {
		return err
	}
	events, err := a.Store.StateEvents(r.Context(), room.Num, room.State, event.Key{Type: "m.room.topic"},
		event.Key{Type: "m.room.join_rules"}, event.Key{Type: event.TypeHistoryVisibility},
		event.Key{Type: "m.room.encryption"}, event.Key{Type: event.TypeCreate}, event.Key{Type: "m.room.tombstone"})
	if err != nil {
		return err
	}
	out.Topic, out.JoinRule, out.History = said(events[0], "topic"), said(events[1], "join_rule"), said(events[2], "history_visibility")
	out.Encrypted, out.Space = events[3] != nil, said(events[4], "type") == "m.space"
	out.Tombstoned = matrix.RoomID(said(events[5], "replacement_room"))
	if out.Published, err = a.Directory.IsPublished(r.Context(), "", room.Num); err != nil {
		return err
	}
	if out.Aliases, err = a.Directory.OfRoom(r.Context(), room.Num); err != nil {
		return err
	}
	if err := a.localMembers(r.Context(), room, &out); err != nil {
		return err
	}
	return wire.Answer(w, out)
}

// localMembers lists who is in a room from here, and counts the state on the way.
func (a *Administration) localMembers(ctx context.Context, room *store.Room, out *RoomDetails) error {
	out.Local = []matrix.UserID{}
	for e, err := range a.Store.ScanState(ctx, room.State, nil) {
		if err != nil {
			return err
		}
		out.StateEvents++
		user := matrix.UserID(e.Key.StateKey)
		if e.Key.Type != event.TypeMember || user.Server() != a.Server {
			continue
		}
		m, err := a.Store.Membership(ctx, user, room.Num)
		if err != nil {
			return err
		}
		if m == nil || m.Membership != event.Join {
			continue
		}
		if len(out.Local) == maxLocal {
			out.LocalsLeft = true
			continue
		}
		out.Local = append(out.Local, user)
	}
	return nil
}
