package clientapi

import (
	"encoding/json"
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
	return a.join(w, r, s, func() (*store.Room, error) {
		id, err := matrix.ParseRoomID(r.PathValue("roomId"))
		if err != nil {
			return nil, err
		}
		return a.roomToJoin(r, id)
	})
}

// spec: client-server-api#post_matrixclientv3joinroomidoralias
func (a *API) joinByAny(w http.ResponseWriter, r *http.Request, s account.Session) error {
	return a.join(w, r, s, func() (*store.Room, error) {
		return a.roomByName(r, r.PathValue("roomIdOrAlias"))
	})
}

func (a *API) join(w http.ResponseWriter, r *http.Request, s account.Session, find func() (*store.Room, error)) error {
	var q struct {
		membershipRequest
		Signed json.RawMessage `json:"third_party_signed"`
	}
	body, err := wire.ReadOptionalObject(w, r, maxBody)
	if err != nil {
		return err
	}
	if err := wire.Decode(body, &q); err != nil {
		return err
	}
	known, err := find()
	if err != nil {
		return err
	}
	if len(q.Signed) > 0 && string(q.Signed) != "null" {
		// spec: the server must verify it. This one cannot, and does not act as if it had.
		return matrix.Errorf(http.StatusForbidden, matrix.MThreepidDenied, "This server does not take invites by e-mail or telephone")
	}
	_, err = a.Rooms.SetMembership(r.Context(), known, room.Change{
		Sender: s.User, Target: s.User, Membership: "join", Reason: q.Reason, Extra: customContent(body),
	})
	if err != nil {
		return err
	}
	if err := a.carryOver(r.Context(), s.User, known.ID); err != nil {
		return err
	}
	return wire.Answer(w, map[string]any{"room_id": known.ID})
}

// customContent returns what of the body of a join goes into the member event, nil for nothing. NOTSPEC: the
// specification knows two members of the body; clients that give others find them in the event on other homeservers, too.
func customContent(body []byte) []byte {
	own := matrix.Without(nil, body, "reason", "third_party_signed", "membership", "user_id")
	if _, _, _, some := matrix.Member(own, 0); !some {
		return nil
	}
	return own
}

// roomByName returns a room by its id or alias.
func (a *API) roomByName(r *http.Request, name string) (*store.Room, error) {
	if !strings.HasPrefix(name, "#") {
		id, err := matrix.ParseRoomID(name)
		if err != nil {
			return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%.100q is neither a room id nor an alias", name)
		}
		return a.roomToJoin(r, id)
	}
	alias, err := matrix.ParseRoomAlias(name)
	if err != nil {
		return nil, err
	}
	have, err := a.Directory.Resolve(r.Context(), alias)
	if err != nil {
		return nil, err
	}
	if have == nil {
		return nil, unknownAlias(alias)
	}
	return a.roomToJoin(r, have.Room)
}

func (a *API) roomToJoin(r *http.Request, id matrix.RoomID) (*store.Room, error) {
	known, err := a.Store.RoomByID(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if known != nil && known.Blocked {
		return nil, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "The administrators of this server have blocked room %s", id)
	}
	if known == nil || known.Deleted {
		return nil, matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "This server does not know room %s", id)
	}
	return known, nil
}
