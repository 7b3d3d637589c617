package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

func (a *API) roomSendRoutes(m *wire.Mux) {
	m.Handle("PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}", a.authed(a.send))
}

// spec: client-server-api#put_matrixclientv3roomsroomidsendeventtypetxnid
func (a *API) send(w http.ResponseWriter, r *http.Request, s account.Session) error {
	content, err := wire.ReadObject(w, r, maxBody)
	if err != nil {
		return err
	}
	known, err := a.knownRoom(r)
	if err != nil {
		return err
	}
	typ, txn := r.PathValue("eventType"), r.PathValue("txnId")
	if isStateType(typ) {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "Events of type %s are state", typ)
	}
	id, err := a.Rooms.Send(r.Context(), known, room.Message{Sender: s.User, Device: s.Device, Type: typ, Content: content, Txn: txn})
	if err != nil {
		return err
	}
	a.acts(s)
	return sentEvent(w, id)
}

// isStateType reports whether a type means something as state only. NOTSPEC: nothing refuses such messages, but clients
// that ask no further take them for what they are not. Other homeservers refuse some of them, too. Those of a creation
// or a membership never pass the authorisation rules.
func isStateType(typ string) bool {
	switch typ {
	case event.TypePowerLevels, event.TypeJoinRules, event.TypeHistoryVisibility, event.TypeThirdPartyInvite,
		"m.room.name", "m.room.topic", "m.room.avatar", "m.room.canonical_alias", "m.room.encryption",
		"m.room.guest_access", "m.room.pinned_events", "m.room.server_acl", "m.room.tombstone", "m.space.child", "m.space.parent":
		return true
	}
	return false
}

// sentEvent answers with the id of the event that a request made.
func sentEvent(w http.ResponseWriter, id matrix.EventID) error {
	body := append(make([]byte, 0, len(id)+16), `{"event_id":`...)
	return wire.Raw(w, append(matrix.AppendString(body, string(id)), '}'))
}
