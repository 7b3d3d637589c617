package clientapi

import (
	"context"
	"net/http"
	"slices"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// view returns how events are rendered for a session.
func (a *API) view(s account.Session) *timeline.View {
	return &timeline.View{User: s.User, Device: s.Device, Now: a.Now().UnixMilli()}
}

// roomView returns how events of a room are rendered for a session that has access to it.
func (a *API) roomView(s account.Session, room *store.Room, access timeline.Access) *timeline.View {
	v := a.view(s)
	v.Eyes, v.Ignored = a.Timeline.Eyes(s.User, room.Num, access), access.Ignored
	return v
}

// visibleRoom returns the room of the request's path and how far the user may look into it.
func (a *API) visibleRoom(r *http.Request, s account.Session) (*store.Room, timeline.Access, error) {
	return a.Timeline.Room(r.Context(), s.User, r.PathValue("roomId"))
}

// prepare readies a view for these events.
func (a *API) prepare(ctx context.Context, v *timeline.View, lists ...[]timeline.Seen) error {
	var events []*store.Event
	for _, l := range lists {
		for _, e := range l {
			events = append(events, e.Event)
		}
	}
	return a.Timeline.Prepare(ctx, v, events)
}

// writeEvents writes a member with an array of events.
func writeEvents(out *wire.Stream, name string, v *timeline.View, events []timeline.Seen) {
	out.Name(name)
	out.Open('[')
	writeAll(out, v, events)
	out.Close(']')
}

func writeAll(out *wire.Stream, v *timeline.View, events []timeline.Seen) {
	var buf []byte
	for _, e := range events {
		buf = v.Append(buf[:0], e.Event, e.Membership)
		out.Raw(buf)
	}
}

// statePage is how many state events are in memory at a time while they are written: a room may have 50,000 members.
const statePage = 256

// writeState writes the events of these state entries that keep selects, all if it is nil, as elements of an array that
// is open.
func (a *API) writeState(ctx context.Context, out *wire.Stream, v *timeline.View, room *store.Room, entries []store.StateEntry, keep func(*store.Event) bool) error {
	var buf []byte
	for len(entries) > 0 {
		n := min(statePage, len(entries))
		events, err := a.Store.EntryEvents(ctx, room.Num, entries[:n])
		if err != nil {
			return err
		}
		entries = entries[n:]
		if keep != nil {
			events = slices.DeleteFunc(events, func(e *store.Event) bool { return !keep(e) })
		}
		page := *v // what was read for a page is forgotten with it
		if err := a.Timeline.Prepare(ctx, &page, events); err != nil {
			return err
		}
		for _, e := range events {
			buf = page.Append(buf[:0], e, "")
			out.Raw(buf)
		}
	}
	return nil
}

// limitParam reads the limit parameter of a page: at least 1.
func limitParam(r *http.Request, otherwise, most int64) (int, error) {
	q, err := wire.Query(r)
	if err != nil {
		return 0, err
	}
	n, err := wire.Int(q, "limit", otherwise, 0, most)
	return int(max(n, 1)), err
}

// backward reads the dir parameter, whose default is backward unless it is required.
func backward(r *http.Request, required bool) (bool, error) {
	switch r.URL.Query().Get("dir") {
	case "b":
		return true, nil
	case "f":
		return false, nil
	case "":
		if !required {
			return true, nil
		}
		return false, matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "dir is missing: b or f")
	}
	return false, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "dir must be b or f")
}
