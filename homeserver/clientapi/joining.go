package clientapi

import (
	"net/http"
	"strings"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) joiningRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/rooms/{roomId}/join", a.authed(a.joinByID))
	m.Handle("POST /_matrix/client/v3/join/{roomIdOrAlias}", a.authed(a.joinByAny))
}

// spec: client-server-api#post_matrixclientv3roomsroomidjoin
func (a *API) joinByID(w http.ResponseWriter, r *http.Request, s account.Session) error {
	id, err := matrix.ParseRoomID(r.PathValue("roomId"))
	if err != nil {
		return err
	}
	return a.join(w, r, s, id)
}

// spec: client-server-api#post_matrixclientv3joinroomidoralias
func (a *API) joinByAny(w http.ResponseWriter, r *http.Request, s account.Session) error {
	name := r.PathValue("roomIdOrAlias")
	if !strings.HasPrefix(name, "#") {
		id, err := matrix.ParseRoomID(name)
		if err != nil {
			return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%q is neither a room id nor an alias", name)
		}
		return a.join(w, r, s, id)
	}
	alias, err := matrix.ParseRoomAlias(name)
	if err != nil {
		return err
	}
	have, err := a.Directory.Resolve(r.Context(), alias)
	if err != nil {
		return err
	}
	if have == nil {
		return unknownAlias(alias)
	}
	return a.join(w, r, s, have.Room)
}

func (a *API) join(w http.ResponseWriter, r *http.Request, s account.Session, id matrix.RoomID) error {
	body, err := wire.ReadOptionalObject(w, r, maxBody)
	if err != nil {
		return err
	}
	var q membershipRequest
	if err := wire.Decode(body, &q); err != nil {
		return err
	}
	known, err := a.roomToJoin(r, id)
	if err != nil {
		return err
	}
	_, err = a.Rooms.SetMembership(r.Context(), known, room.Change{
		Sender: s.User, Target: s.User, Membership: "join", Reason: q.Reason,
	})
	if err != nil {
		return err
	}
	return wire.Answer(w, map[string]any{"room_id": known.ID})
}

func (a *API) roomToJoin(r *http.Request, id matrix.RoomID) (*store.Room, error) {
	known, err := a.Store.RoomByID(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if known == nil || known.Deleted {
		return nil, matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "This server does not know room %s", id)
	}
	return known, nil
}
