package clientapi

import (
	"encoding/json"
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/push"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) receiptsRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}", a.authed(a.receipt))
}

// spec: client-server-api#post_matrixclientv3roomsroomidreceiptreceipttypeeventid
func (a *API) receipt(w http.ResponseWriter, r *http.Request, s account.Session) error {
	var q struct {
		Thread json.RawMessage `json:"thread_id"`
	}
	if err := wire.ReadOptional(w, r, maxBody, &q); err != nil {
		return err
	}
	kind := r.PathValue("receiptType")
	if kind != push.Read && kind != push.ReadPrivate && kind != push.FullyRead {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "Receipts are of type m.read, m.read.private or m.fully_read")
	}
	thread := ""
	if q.Thread != nil {
		if thread, _ = matrix.String(q.Thread); thread == "" || kind == push.FullyRead {
			return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "thread_id must be a string that is not empty, and m.fully_read has none")
		}
	}
	room, err := a.joinedRoom(r, s)
	if err != nil {
		return err
	}
	if err := a.setReceipt(r, s, room, kind, thread, matrix.EventID(r.PathValue("eventId"))); err != nil {
		return err
	}
	return wire.Empty(w)
}

func (a *API) setReceipt(r *http.Request, s account.Session, room *store.Room, kind, thread string, id matrix.EventID) error {
	a.acts(s)
	if kind == push.FullyRead {
		return a.Push.SetFullyRead(r.Context(), s.User, room, id)
	}
	return a.Push.SetReceipt(r.Context(), room, push.Receipt{
		User: s.User, Kind: kind, Thread: thread, Event: id, Time: a.Now().UnixMilli(),
	})
}

// joinedRoom returns the room of the request's path; the user must have joined it.
func (a *API) joinedRoom(r *http.Request, s account.Session) (*store.Room, error) {
	room, err := a.knownRoom(r)
	if err != nil {
		return nil, err
	}
	m, err := a.Store.Membership(r.Context(), s.User, room.Num)
	if err != nil {
		return nil, err
	}
	if m == nil || m.Membership != "join" {
		return nil, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are not in room %s", room.ID)
	}
	return room, nil
}
