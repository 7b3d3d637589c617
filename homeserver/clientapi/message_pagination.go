package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/timeline"
	"hearth/matrix/wire"
)

func (a *API) messagePaginationRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/rooms/{roomId}/messages", a.authed(a.messages))
}

// spec: client-server-api#get_matrixclientv3roomsroomidmessages
func (a *API) messages(w http.ResponseWriter, r *http.Request, s account.Session) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	q := timeline.PageRequest{From: query.Get("from"), To: query.Get("to")}
	if q.Backward, err = backward(r, true); err != nil {
		return err
	}
	if q.Filter, err = timeline.ParseEventFilter(query.Get("filter")); err != nil {
		return err
	}
	if q.Limit, err = limitParam(r, 10, 1000); err != nil {
		return err
	}
	q.Limit = max(1, q.Filter.Max(int64(q.Limit), int64(q.Limit)))
	room, access, err := a.visibleRoom(r, s)
	if err != nil {
		return err
	}
	page, err := a.Timeline.Messages(r.Context(), s.User, room, access, q)
	if err != nil {
		return err
	}
	v := a.roomView(s, room, access)
	if err := a.prepare(r.Context(), v, page.Events, page.State); err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('{')
	writeEvents(out, "chunk", v, page.Events)
	if page.End != "" {
		out.Name("end")
		out.String(page.End)
	}
	out.Name("start")
	out.String(page.Start)
	if len(page.State) > 0 {
		writeEvents(out, "state", v, page.State)
	}
	out.Close('}')
	return out.End()
}
