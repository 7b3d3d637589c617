package clientapi

import (
	"net/http"

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
