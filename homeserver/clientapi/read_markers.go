package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/push"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) readMarkersRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/rooms/{roomId}/read_markers", a.authed(a.readMarkers))
}

// spec: client-server-api#post_matrixclientv3roomsroomidread_markers
func (a *API) readMarkers(w http.ResponseWriter, r *http.Request, s account.Session) error {
	var q struct {
		FullyRead   matrix.EventID `json:"m.fully_read"`
		Read        matrix.EventID `json:"m.read"`
		ReadPrivate matrix.EventID `json:"m.read.private"`
	}
	if err := wire.ReadOptional(w, r, maxBody, &q); err != nil {
		return err
	}
	room, err := a.joinedRoom(r, s)
	if err != nil {
		return err
	}
	for _, m := range []struct {
		kind string
		id   matrix.EventID
	}{{push.FullyRead, q.FullyRead}, {push.Read, q.Read}, {push.ReadPrivate, q.ReadPrivate}} {
		if m.id == "" {
			continue
		}
		if err := a.setReceipt(r, s, room, m.kind, "", m.id); err != nil {
			return err
		}
	}
	return wire.Empty(w)
}
