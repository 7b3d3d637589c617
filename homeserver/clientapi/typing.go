package clientapi

import (
	"net/http"
	"time"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) typingRoutes(m *wire.Mux) {
	m.Handle("PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}", a.authed(a.typing))
}

// defaultTyping is how long a notice holds that gives no timeout.
const defaultTyping = 30 * time.Second

// spec: client-server-api#put_matrixclientv3roomsroomidtypinguserid
func (a *API) typing(w http.ResponseWriter, r *http.Request, s account.Session) error {
	var q struct {
		Typing  *bool  `json:"typing"`
		Timeout *int64 `json:"timeout"`
	}
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	if q.Typing == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "typing is missing")
	}
	if err := self(r, s); err != nil {
		return err
	}
	room, err := a.joinedRoom(r, s)
	if err != nil {
		return err
	}
	timeout := defaultTyping
	if q.Timeout != nil {
		timeout = time.Duration(min(max(*q.Timeout, 0), 1<<31)) * time.Millisecond
	}
	if !*q.Typing {
		timeout = 0
	}
	if timeout > 0 {
		a.acts(s)
	}
	a.Sync.Typing(room.Num, s.User, timeout)
	return wire.Empty(w)
}
