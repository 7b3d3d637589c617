package clientapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/clientsync"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

func (a *API) peekingEventsRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/events", a.authed(a.events))
}

// How /events waits and what it answers at once: it reads so many notes of the log and answers with so many events.
const (
	eventsPatience = 30 * time.Second
	maxEventNotes  = 5000
	maxEvents      = 100
)

// events is deprecated, and how clients still follow a room that is readable by the world without joining it. It tells
// of events of that room, or of all rooms that the user is in if none is named; of nothing that passes, as typing.
// spec: client-server-api#get_matrixclientv3events, client-server-api#get_matrixclientv3events-1
func (a *API) events(w http.ResponseWriter, r *http.Request, s account.Session) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	timeout, err := wire.Int(query, "timeout", eventsPatience.Milliseconds(), 0, clientsync.MaxTimeout.Milliseconds())
	if err != nil {
		return err
	}
	f := eventFeed{a: a, session: s, pos: a.Store.Durable()}
	if from := query.Get("from"); from != "" {
		if f.pos, err = a.streamPosition(from); err != nil {
			return err
		}
	}
	start := f.pos
	if id := query.Get("room_id"); id != "" {
		room, _, err := a.Timeline.Room(r.Context(), s.User, id)
		if err != nil {
			return err
		}
		f.only = room.Num
	}
	if err := f.wait(r.Context(), time.Duration(timeout)*time.Millisecond); err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('{')
	out.Name("chunk")
	out.Open('[')
	for _, e := range f.events {
		out.Raw(e)
	}
	out.Close(']')
	writeStrings(out, [][2]string{{"end", streamToken(f.pos)}, {"start", streamToken(start)}})
	out.Close('}')
	return out.End()
}

// streamPosition reads a token of a position of the log.
func (a *API) streamPosition(token string) (store.Pos, error) {
	rest, ok := strings.CutPrefix(token, "s")
	digits, _, _ := strings.Cut(rest, "_")
	n, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil {
		return 0, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The token from was not made by this server")
	}
	return min(store.Pos(n), a.Store.Durable()), nil
}

// eventFeed collects what is new for a session.
type eventFeed struct {
	a       *API
	session account.Session
	only    store.RoomNum // 0 is all rooms that the user is in
	pos     store.Pos     // up to which the log was read
	read    int           // notes
	events  [][]byte      // as they are shown
}

// wait reads the log until there is something new, enough was read, or the time is over.
func (f *eventFeed) wait(ctx context.Context, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		now, news := f.a.Store.Announced()
		for f.pos < now && len(f.events) == 0 && f.read < maxEventNotes {
			notes, err := f.a.Store.Follow(ctx, f.pos)
			if err != nil {
				return err
			}
			if err := f.take(ctx, notes); err != nil {
				return err
			}
		}
		if len(f.events) > 0 || f.read >= maxEventNotes {
			return nil
		}
		select {
		case <-news:
		case <-timer.C:
			return nil
		case <-f.a.Sync.Closing():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take takes what the user sees of these notes, until there is enough.
func (f *eventFeed) take(ctx context.Context, notes []store.Note) error {
	views := make(map[store.RoomNum]*feedRoom) // what the user sees of a room may change from page to page
	for i := range notes {
		n := &notes[i]
		if len(f.events) == maxEvents || f.read == maxEventNotes {
			return nil
		}
		f.read++
		f.pos = n.Pos
		if n.Kind != store.KindEvent || f.only != 0 && n.Room != f.only {
			continue
		}
		room, ok := views[n.Room]
		if !ok {
			var err error
			if room, err = f.room(ctx, n.Room); err != nil {
				return err
			}
			views[n.Room] = room
		}
		if err := f.takeEvent(ctx, n, room); err != nil {
			return err
		}
	}
	return nil
}

// feedRoom is what the user sees of a room.
type feedRoom struct {
	room   *store.Room
	access timeline.Access
	eyes   *timeline.Eyes
}

// room returns what the user sees of a room, nil for nothing: of rooms that nobody asked for those count that the user
// has to do with.
func (f *eventFeed) room(ctx context.Context, num store.RoomNum) (*feedRoom, error) {
	rooms, err := f.a.Store.RoomsByNum(ctx, num)
	if err != nil || rooms[0] == nil || rooms[0].Deleted {
		return nil, err
	}
	m, err := f.a.Store.Membership(ctx, f.session.User, num)
	if err != nil || f.only == 0 && m == nil {
		return nil, err
	}
	access, err := f.a.Timeline.Access(ctx, f.session.User, rooms[0])
	if hasCode(err, matrix.MForbidden) {
		access, err = timeline.Access{Membership: m}, nil // which shows nothing but invites
	}
	if err == nil && f.only == 0 && m.Membership != event.Join && m.Ended == 0 {
		access.End = store.MinOrder // it is not the user's, though everybody may read it
	}
	return &feedRoom{rooms[0], access, f.a.Timeline.Eyes(f.session.User, num, access)}, err
}

func (f *eventFeed) takeEvent(ctx context.Context, n *store.Note, room *feedRoom) error {
	if room == nil {
		return nil
	}
	e := n.Event
	if e == nil {
		events, err := f.a.Store.EventsAt(ctx, n.Room, n.Order)
		if err != nil || events[0] == nil {
			return err
		}
		e = events[0]
	}
	seen, ok, err := room.eyes.See(ctx, e)
	if err != nil {
		return err
	}
	if own := e.Is(event.TypeMember, string(f.session.User)); !ok && (!own || !e.Visible()) {
		return nil
	} else if !ok {
		seen = timeline.Seen{Event: e, Membership: e.Membership()} // an invite, say
	}
	v := f.a.roomView(f.session, room.room, room.access)
	if err := f.a.prepare(ctx, v, []timeline.Seen{seen}); err != nil {
		return err
	}
	f.events = append(f.events, v.Append(nil, seen.Event, seen.Membership))
	return nil
}
