package clientapi

import (
	"context"
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) logoutRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/logout", a.leaving(a.logout))
	m.Handle("POST /_matrix/client/v3/logout/all", a.leaving(a.logoutAll))
}

// leaving is authed for the endpoints that locked users may call too.
// spec: client-server-api#account-locking
func (a *API) leaving(h sessionHandler) wire.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		token, err := wire.Token(r)
		if err != nil {
			return err
		}
		s, err := a.Accounts.AuthenticateLeaver(r.Context(), token)
		if err != nil {
			return err
		}
		return h(w, r, s)
	}
}

// spec: client-server-api#post_matrixclientv3logout
func (a *API) logout(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if _, err := a.LogOut(r.Context(), s.User, s.Device); err != nil {
		return err
	}
	return wire.Empty(w)
}

// spec: client-server-api#post_matrixclientv3logoutall
func (a *API) logoutAll(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if _, err := a.LogOut(r.Context(), s.User); err != nil {
		return err
	}
	return wire.Empty(w)
}

// LogOut ends the sessions of a user's devices, of all if none is named, removes what is kept for them, and returns
// which they were.
func (a *API) LogOut(ctx context.Context, user matrix.UserID, devices ...string) ([]string, error) {
	var err error
	if len(devices) == 0 {
		devices, err = a.Accounts.LogoutAll(ctx, user)
	} else {
		err = a.Accounts.RemoveDevices(ctx, user, devices...)
	}
	if err != nil {
		return nil, err
	}
	return devices, a.forgetDevices(ctx, user, devices)
}

// forgetDevices removes what other packages keep for devices that are no more. What was removed and not forgotten,
// because the program was killed between, is forgotten by FollowDepartures.
func (a *API) forgetDevices(ctx context.Context, user matrix.UserID, devices []string) error {
	for _, d := range devices {
		a.gone(user, d)
		if err := a.Push.ForgetPushers(ctx, user, d); err != nil {
			return err
		}
		if err := a.E2EE.Forget(ctx, user, d); err != nil {
			return err
		}
		if err := a.Accounts.Departed(ctx, account.Departure{User: user, Device: d}); err != nil {
			return err
		}
	}
	return nil
}
