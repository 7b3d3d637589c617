package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) relationsRoutes(m *wire.Mux) {
	const path = "GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}"
	m.Handle(path, a.authed(a.relations))
	m.Handle(path+"/{relType}", a.authed(a.relations))
	m.Handle(path+"/{relType}/{eventType}", a.authed(a.relations))
}

// spec: client-server-api#get_matrixclientv1roomsroomidrelationseventid
func (a *API) relations(w http.ResponseWriter, r *http.Request, s account.Session) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	q := timeline.RelationsRequest{
		Parent: matrix.EventID(r.PathValue("eventId")), RelType: r.PathValue("relType"), Type: r.PathValue("eventType"),
		From: query.Get("from"), To: query.Get("to"),
	}
	if q.Backward, err = backward(r, false); err != nil {
		return err
	}
	if q.Recurse, err = wire.Bool(query, "recurse", false); err != nil {
		return err
	}
	if q.Limit, err = limitParam(r, 5, 1000); err != nil {
		return err
	}
	room, access, err := a.visibleRoom(r, s)
	if err != nil {
		return err
	}
	page, err := a.Timeline.Relations(r.Context(), s.User, room, access, q)
	if err != nil {
		return err
	}
	v := a.roomView(s, room, access)
	if err := a.prepare(r.Context(), v, page.Events); err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('{')
	writeEvents(out, "chunk", v, page.Events)
	if page.Next != "" {
		out.Name("next_batch")
		out.String(page.Next)
	}
	if page.Prev != "" {
		out.Name("prev_batch")
		out.String(page.Prev)
	}
	if query.Has("recurse") {
		out.Name("recursion_depth")
		out.Int(int64(page.Depth))
	}
	out.Close('}')
	return out.End()
}
