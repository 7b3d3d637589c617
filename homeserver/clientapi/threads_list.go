package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/timeline"
	"hearth/matrix/wire"
)

func (a *API) threadsListRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v1/rooms/{roomId}/threads", a.authed(a.threads))
}

// spec: client-server-api#get_matrixclientv1roomsroomidthreads
func (a *API) threads(w http.ResponseWriter, r *http.Request, s account.Session) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	include, err := wire.Choice(query, "include", "all", "participated")
	if err != nil {
		return err
	}
	limit, err := wire.Int(query, "limit", 20, 1, 100)
	if err != nil {
		return err
	}
	room, access, err := a.visibleRoom(r, s)
	if err != nil {
		return err
	}
	page, err := a.Timeline.Threads(r.Context(), s.User, room, access, timeline.ThreadsRequest{
		From: query.Get("from"), Participated: include == "participated", Limit: int(limit),
	})
	if err != nil {
		return err
	}
	v := a.roomView(s, room, access)
	if err := a.prepare(r.Context(), v, page.Roots); err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('{')
	writeEvents(out, "chunk", v, page.Roots)
	if page.Next != "" {
		out.Name("next_batch")
		out.String(page.Next)
	}
	out.Close('}')
	return out.End()
}
