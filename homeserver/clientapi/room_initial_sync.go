package clientapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"hearth/homeserver/account"
	"hearth/homeserver/directory"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix/wire"
)

func (a *API) roomInitialSyncRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/rooms/{roomId}/initialSync", a.authed(a.roomInitialSync))
}

// roomInitialSync is deprecated, and how clients still look into rooms that are readable by the world: what comes later
// they ask of /events.
// spec: client-server-api#get_matrixclientv3roomsroomidinitialsync
func (a *API) roomInitialSync(w http.ResponseWriter, r *http.Request, s account.Session) error {
	limit, err := limitParam(r, 10, 100)
	if err != nil {
		return err
	}
	room, access, err := a.visibleRoom(r, s)
	if err != nil {
		return err
	}
	data, err := a.roomData(r.Context(), s, room.Num)
	if err != nil {
		return err
	}
	out := wire.NewStream(w)
	if err := a.writeRoomInfo(r.Context(), out, s, room, access, limit, data[room.Num]); err != nil {
		return out.Fail(err)
	}
	return out.End()
}

// roomData returns the user's account data of a room, or of all rooms, and of none under 0, if only is 0.
func (a *API) roomData(ctx context.Context, s account.Session, only store.RoomNum) (map[store.RoomNum][]account.Datum, error) {
	out := make(map[store.RoomNum][]account.Datum)
	for d, err := range a.Accounts.DataSince(ctx, s.User, 0) {
		if err != nil {
			return nil, err
		}
		if only == 0 || d.Room == only {
			out[d.Room] = append(out[d.Room], d)
		}
	}
	return out, nil
}

// streamToken is the token of a position of the log, for /events, /messages and /sync alike.
func streamToken(pos store.Pos) string { return "s" + strconv.FormatUint(uint64(pos), 10) + "_0" }

// writeRoomInfo writes a room as the deprecated endpoints show it: its newest messages, its state, the user's data.
func (a *API) writeRoomInfo(ctx context.Context, out *wire.Stream, s account.Session, room *store.Room, access timeline.Access, limit int, data []account.Datum) error {
	now := a.Store.Durable()
	page, err := a.Timeline.Messages(ctx, s.User, room, access, timeline.PageRequest{Backward: true, Limit: limit})
	if err != nil {
		return err
	}
	slices.Reverse(page.Events)
	v := a.roomView(s, room, access)
	if err := a.prepare(ctx, v, page.Events); err != nil {
		return err
	}
	published, err := a.Directory.IsPublished(ctx, directory.Main, room.Num)
	if err != nil {
		return err
	}
	entries, err := a.Timeline.Entries(ctx, access.State, nil, nil)
	if err != nil {
		return err
	}
	out.Open('{')
	writeData(out, data)
	if m := access.Membership; m != nil && !m.Forgotten {
		writeStrings(out, [][2]string{{"membership", m.Membership}})
	}
	out.Name("messages")
	out.Open('{')
	writeEvents(out, "chunk", v, page.Events)
	end := streamToken(now)
	if access.End != store.MaxOrder {
		end = timeline.Token(access.End)
	}
	start := page.End
	if start == "" && len(page.Events) > 0 {
		start = timeline.Token(page.Events[0].Order)
	}
	writeStrings(out, [][2]string{{"end", end}, {"start", start}})
	out.Close('}')
	out.Name("room_id")
	out.String(string(room.ID))
	out.Name("state")
	out.Open('[')
	if err := a.writeState(ctx, out, a.roomView(s, room, access), room, entries, nil); err != nil {
		return err
	}
	out.Close(']')
	out.Name("visibility")
	out.String(map[bool]string{true: "public", false: "private"}[published])
	out.Close('}')
	return nil
}

// writeData writes a member with account data.
func writeData(out *wire.Stream, data []account.Datum) {
	out.Name("account_data")
	out.Open('[')
	for _, d := range data {
		out.Open('{')
		out.Name("content")
		out.Raw(d.Content)
		out.Name("type")
		out.String(d.Type)
		out.Close('}')
	}
	out.Close(']')
}
