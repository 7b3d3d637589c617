package clientapi

import (
	"context"
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) redactionRoutes(m *wire.Mux) {
	m.Handle("PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}", a.authed(a.redact))
}

// spec: client-server-api#put_matrixclientv3roomsroomidredacteventidtxnid
func (a *API) redact(w http.ResponseWriter, r *http.Request, s account.Session) error {
	content, err := wire.ReadOptionalObject(w, r, maxBody)
	if err != nil {
		return err
	}
	var q struct {
		Reason  string  `json:"reason"`
		Redacts *string `json:"redacts"`
	}
	if err := wire.Decode(content, &q); err != nil {
		return err
	}
	if q.Redacts != nil && *q.Redacts != r.PathValue("eventId") {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "redacts names another event than the path")
	}
	content = matrix.Without(nil, content, "redacts") // the server puts it where the room's version wants it
	known, err := a.knownRoom(r)
	if err != nil {
		return err
	}
	if err := a.redactsOwn(r.Context(), s, matrix.EventID(r.PathValue("eventId"))); err != nil {
		return err
	}
	id, err := a.Rooms.Redact(r.Context(), known, room.Redaction{
		Sender: s.User, Device: s.Device, Target: matrix.EventID(r.PathValue("eventId")), Content: content, Txn: r.PathValue("txnId"),
	})
	if err != nil {
		return err
	}
	a.acts(s)
	return sentEvent(w, id)
}

// redactsOwn refuses suspended users to redact what others wrote.
// spec: client-server-api#account-suspension
func (a *API) redactsOwn(ctx context.Context, s account.Session, id matrix.EventID) error {
	if !s.Suspended {
		return nil
	}
	e, err := a.Store.EventByID(ctx, id)
	if err != nil {
		return err
	}
	if e == nil || e.Sender != s.User {
		return errSuspended()
	}
	return nil
}
