package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/directory"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) spaceHierarchyRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v1/rooms/{roomId}/hierarchy", a.authed(a.hierarchy))
}

// spec: client-server-api#get_matrixclientv1roomsroomidhierarchy
func (a *API) hierarchy(w http.ResponseWriter, r *http.Request, s account.Session) error {
	id, err := matrix.ParseRoomID(r.PathValue("roomId"))
	if err != nil {
		return err
	}
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	q := directory.HierarchyRequest{From: query.Get("from")}
	if q.SuggestedOnly, err = wire.Bool(query, "suggested_only", false); err != nil {
		return err
	}
	depth, err := wire.Int(query, "max_depth", directory.MaxSpaceDepth, 0, directory.MaxSpaceDepth)
	if err != nil {
		return err
	}
	limit, err := wire.Int(query, "limit", 50, 1, 100)
	if err != nil {
		return err
	}
	q.MaxDepth, q.Limit = int(depth), int(limit)
	rooms, next, err := a.Directory.Hierarchy(r.Context(), s.User, id, q)
	if err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('{')
	writeStrings(out, [][2]string{{"next_batch", next}})
	out.Name("rooms")
	out.Open('[')
	for _, room := range rooms {
		out.Open('{')
		writeSummary(out, room.Summary)
		out.Name("children_state")
		out.Open('[')
		if len(room.Children) > 0 {
			out.Raw(room.Children)
		}
		out.Close(']')
		out.Close('}')
	}
	out.Close(']')
	out.Close('}')
	return out.End()
}
