package clientapi

import (
	"errors"
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// sessionHandler answers an authenticated request.
type sessionHandler func(w http.ResponseWriter, r *http.Request, s account.Session) error

// authed lets only requests with a valid access token reach h, and of suspended users only those that they may make.
// spec: client-server-api#client-authentication
func (a *API) authed(h sessionHandler) wire.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		token, err := wire.Token(r)
		if err != nil {
			return err
		}
		s, err := a.Accounts.Authenticate(r.Context(), token)
		if err != nil {
			return err
		}
		if err := a.limits.session(r.Pattern, s); err != nil {
			return err
		}
		if err := checkSuspension(r.Pattern, s); err != nil {
			return err
		}
		a.Accounts.Saw(s, a.clientAddress(r))
		return h(w, r, s)
	}
}

// authedOrNot is authed for what can also be asked without an access token; the session is the zero value then.
func (a *API) authedOrNot(h sessionHandler) wire.Handler {
	authed := a.authed(h)
	return func(w http.ResponseWriter, r *http.Request) error {
		if len(r.Header["Authorization"]) == 0 {
			return h(w, r, account.Session{})
		}
		return authed(w, r)
	}
}

// knownRoom returns the room of the request's path. To those who may not know whether it exists, an unknown room
// and a forbidden one look the same.
func (a *API) knownRoom(r *http.Request) (*store.Room, error) {
	id, err := matrix.ParseRoomID(r.PathValue("roomId"))
	if err != nil {
		return nil, err
	}
	room, err := a.Store.RoomByID(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if room == nil || room.Deleted {
		return nil, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are not in room %s", id)
	}
	return room, nil
}

// self refuses requests in which the path's user is not the one who asks.
func self(r *http.Request, s account.Session) error {
	if matrix.UserID(r.PathValue("userId")) != s.User {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "This is another user's")
	}
	return nil
}

// hasCode reports whether err is a Matrix error with this code.
func hasCode(err error, code string) bool {
	var m *matrix.Error
	return errors.As(err, &m) && m.Code == code
}
