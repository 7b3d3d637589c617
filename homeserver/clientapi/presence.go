package clientapi

import (
	"context"
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/clientsync"
	"hearth/homeserver/presence"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) presenceRoutes(m *wire.Mux) {
	const path = "/_matrix/client/v3/presence/{userId}/status"
	m.Handle("GET "+path, a.authed(a.getPresence))
	m.Handle("PUT "+path, a.authed(a.putPresence))
}

// spec: client-server-api#get_matrixclientv3presenceuseridstatus
func (a *API) getPresence(w http.ResponseWriter, r *http.Request, s account.Session) error {
	user, err := matrix.ParseUserID(r.PathValue("userId"))
	if err != nil {
		return err
	}
	shares, err := a.Sync.Shares(r.Context(), s.User, user)
	if err != nil {
		return err
	}
	if !shares {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You share no room with %s", user)
	}
	if a.Presence == nil {
		return wire.Raw(w, []byte(`{"presence":"offline"}`))
	}
	statuses, err := a.Presence.Statuses(r.Context(), user)
	if err != nil {
		return err
	}
	return wire.Raw(w, clientsync.AppendStatus(nil, statuses[0], a.Now()))
}

// spec: client-server-api#put_matrixclientv3presenceuseridstatus
func (a *API) putPresence(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if err := self(r, s); err != nil {
		return err
	}
	var q struct {
		Presence *string `json:"presence"`
		Message  string  `json:"status_msg"`
	}
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	if q.Presence == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "presence is missing")
	}
	if err := presence.Check(*q.Presence, q.Message); err != nil {
		return err
	}
	if a.Presence != nil {
		if err := a.Presence.Set(r.Context(), s, *q.Presence, q.Message); err != nil {
			return err
		}
	}
	return wire.Empty(w)
}

// forgetPresence removes what is kept of the presence of a user who is gone for good.
func (a *API) forgetPresence(ctx context.Context, user matrix.UserID) error {
	if a.Presence == nil {
		return presence.Erase(ctx, a.Store, user)
	}
	return a.Presence.Forget(ctx, user)
}

// gone notes that a device is logged out.
func (a *API) gone(user matrix.UserID, device string) {
	if a.Presence != nil {
		a.Presence.Gone(user, device)
	}
}

// acts notes that the person at a device did something.
func (a *API) acts(s account.Session) {
	if a.Presence != nil {
		a.Presence.Acts(s)
	}
}
