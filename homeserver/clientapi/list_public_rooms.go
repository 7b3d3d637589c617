package clientapi

import (
	"net/http"
	"net/url"

	"hearth/homeserver/account"
	"hearth/homeserver/directory"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) roomVisibilityRoutes(m *wire.Mux) {
	const path = " /_matrix/client/v3/directory/list/room/{roomId}"
	m.Handle("GET"+path, a.getVisibility)
	m.Handle("PUT"+path, a.authed(a.putVisibility))
	m.Handle("GET /_matrix/client/v3/publicRooms", a.getPublicRooms)
	m.Handle("POST /_matrix/client/v3/publicRooms", a.authed(a.queryPublicRooms))
}

// How many published rooms one answer has, if the request does not say and at most.
const (
	publicRooms    = 100
	maxPublicRooms = 500
)

// getPublicRooms serves the list to everybody, as the specification has it: what is published is public.
// spec: client-server-api#get_matrixclientv3publicrooms
func (a *API) getPublicRooms(w http.ResponseWriter, r *http.Request) error {
	query, err := a.ownList(r)
	if err != nil {
		return err
	}
	limit, err := wire.Int(query, "limit", publicRooms, 0, maxPublicRooms)
	if err != nil {
		return err
	}
	return a.answerList(w, r, directory.ListRequest{Since: query.Get("since")}, limit)
}

// spec: client-server-api#post_matrixclientv3publicrooms
func (a *API) queryPublicRooms(w http.ResponseWriter, r *http.Request, _ account.Session) error {
	var q struct {
		Limit  int64  `json:"limit"`
		Since  string `json:"since"`
		Filter struct {
			Search string    `json:"generic_search_term"`
			Types  []*string `json:"room_types"`
		} `json:"filter"`
		All      bool   `json:"include_all_networks"`
		Instance string `json:"third_party_instance_id"`
	}
	if _, err := a.ownList(r); err != nil {
		return err
	}
	if err := wire.ReadOptional(w, r, maxBody, &q); err != nil {
		return err
	}
	if q.All && q.Instance != "" {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "include_all_networks and third_party_instance_id exclude each other")
	}
	if q.Limit < 0 {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "limit must not be negative")
	}
	return a.answerList(w, r, directory.ListRequest{
		Network: q.Instance, All: q.All, Search: q.Filter.Search, Types: q.Filter.Types, Since: q.Since,
	}, q.Limit)
}

// ownList returns the query of a request for this server's list, and refuses those for another server's.
func (a *API) ownList(r *http.Request) (url.Values, error) {
	query, err := wire.Query(r)
	if err != nil {
		return nil, err
	}
	server := query.Get("server")
	if server == "" || server == string(a.Settings.Server) {
		return query, nil
	}
	if _, err := matrix.ParseServerName(server); err != nil {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%s", err)
	}
	return nil, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "This server does not federate: it cannot reach %s", server)
}

// answerList answers with a page; a limit of 0 is the usual one.
func (a *API) answerList(w http.ResponseWriter, r *http.Request, q directory.ListRequest, limit int64) error {
	if limit == 0 {
		limit = publicRooms
	}
	q.Limit = int(min(limit, maxPublicRooms))
	list, err := a.Directory.List(r.Context(), q)
	if err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('{')
	out.Name("chunk")
	out.Open('[')
	for _, s := range list.Rooms {
		out.Open('{')
		writePublished(out, s)
		out.Close('}')
	}
	out.Close(']')
	writeStrings(out, [][2]string{{"next_batch", list.Next}, {"prev_batch", list.Prev}})
	out.Name("total_room_count_estimate")
	out.Int(int64(list.Total))
	out.Close('}')
	return out.End()
}

// writePublished writes the members of a room in the list.
func writePublished(out *wire.Stream, s *directory.Summary) {
	writeStrings(out, [][2]string{
		{"avatar_url", s.Avatar}, {"canonical_alias", s.Alias}, {"join_rule", s.JoinRule}, {"name", s.Name},
		{"room_id", string(s.Room.ID)}, {"room_type", s.Type}, {"topic", s.Topic},
	})
	out.Name("guest_can_join")
	out.Bool(s.GuestsCanJoin)
	out.Name("num_joined_members")
	out.Int(s.Joined)
	out.Name("world_readable")
	out.Bool(s.WorldReadable)
}

// writeStrings writes the members that are not empty.
func writeStrings(out *wire.Stream, members [][2]string) {
	for _, m := range members {
		if m[1] != "" {
			out.Name(m[0])
			out.String(m[1])
		}
	}
}

// listedRoom returns the room of the path.
func (a *API) listedRoom(r *http.Request) (*store.Room, error) {
	id, err := matrix.ParseRoomID(r.PathValue("roomId"))
	if err != nil {
		return nil, err
	}
	return a.roomToJoin(r, id)
}

// spec: client-server-api#get_matrixclientv3directorylistroomroomid
func (a *API) getVisibility(w http.ResponseWriter, r *http.Request) error {
	room, err := a.listedRoom(r)
	if err != nil {
		return err
	}
	published, err := a.Directory.IsPublished(r.Context(), directory.Main, room.Num)
	if err != nil {
		return err
	}
	visibility := "private"
	if published {
		visibility = "public"
	}
	return wire.Answer(w, map[string]string{"visibility": visibility})
}

// spec: client-server-api#put_matrixclientv3directorylistroomroomid
func (a *API) putVisibility(w http.ResponseWriter, r *http.Request, s account.Session) error {
	q := struct {
		Visibility string `json:"visibility"`
	}{"public"}
	if err := wire.ReadOptional(w, r, maxBody, &q); err != nil {
		return err
	}
	public, err := readVisibility(q.Visibility)
	if err != nil {
		return err
	}
	room, err := a.listedRoom(r)
	if err != nil {
		return err
	}
	if ok, err := a.mayList(r, s.User, room); err != nil {
		return err
	} else if !ok {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "Only who may change the room's main alias may publish it")
	}
	if err := a.Directory.SetPublished(r.Context(), directory.Main, room.Num, public); err != nil {
		return err
	}
	return wire.Empty(w)
}

// mayList says whether user may change how the directory shows a room: who may change the room's main alias, and
// administrators.
func (a *API) mayList(r *http.Request, user matrix.UserID, room *store.Room) (bool, error) {
	if ok, err := a.Accounts.IsAdmin(r.Context(), user); err != nil || ok {
		return ok, err
	}
	return a.maySendState(r.Context(), user, room, "m.room.canonical_alias")
}

// readVisibility reports whether a visibility is public.
func readVisibility(s string) (public bool, err error) {
	switch s {
	case "public":
		return true, nil
	case "private":
		return false, nil
	}
	return false, matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "visibility must be public or private")
}
