package clientapi

import (
	"context"
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) adminRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/admin/whois/{userId}", a.authed(a.getWhois))
	for _, action := range []moderation{
		{"locked", func(u *account.User) bool { return u.Locked }, a.Accounts.SetLocked},
		{"suspended", func(u *account.User) bool { return u.Suspended }, a.Accounts.SetSuspended},
	} {
		path := "/_matrix/client/v1/admin/" + map[string]string{"locked": "lock", "suspended": "suspend"}[action.member] + "/{userId}"
		m.Handle("GET "+path, a.authed(a.getModeration(action)))
		m.Handle("PUT "+path, a.authed(a.putModeration(action)))
	}
}

// whois is what an administrator, or the user, sees of a user's sessions.
type whois struct {
	UserID  matrix.UserID          `json:"user_id"`
	Devices map[string]whoisDevice `json:"devices"`
}

type whoisDevice struct {
	Sessions []whoisSession `json:"sessions"`
}

type whoisSession struct {
	Connections []whoisConnection `json:"connections"`
}

// whoisConnection says when a device was last seen, and from where. What program it is, is not kept.
type whoisConnection struct {
	IP       string `json:"ip,omitempty"`
	LastSeen int64  `json:"last_seen"`
}

// spec: client-server-api#get_matrixclientv3adminwhoisuserid
func (a *API) getWhois(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if r.PathValue("userId") != string(s.User) {
		if err := a.adminOnly(r.Context(), s); err != nil {
			return err
		}
	}
	u, err := a.moderated(r)
	if err != nil {
		return err
	}
	devices, err := a.Accounts.Devices(r.Context(), u.ID)
	if err != nil {
		return err
	}
	out := whois{UserID: u.ID, Devices: make(map[string]whoisDevice)}
	for _, d := range devices {
		seen := whoisConnection{IP: d.Address, LastSeen: d.Seen.UnixMilli()}
		out.Devices[d.ID] = whoisDevice{[]whoisSession{{[]whoisConnection{seen}}}}
	}
	return wire.Answer(w, out)
}

// adminOnly refuses all but administrators. It comes before any look at the account that is asked for.
func (a *API) adminOnly(ctx context.Context, s account.Session) error {
	admin, err := a.Accounts.IsAdmin(ctx, s.User)
	if err != nil {
		return err
	}
	if !admin {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "Only administrators of this server may do this")
	}
	return nil
}

// moderated returns the user of the path. Errors: M_INVALID_PARAM (400), M_NOT_FOUND (404).
func (a *API) moderated(r *http.Request) (*account.User, error) {
	id, err := matrix.ParseUserID(r.PathValue("userId"))
	if err != nil {
		return nil, err
	}
	if id.Server() != a.Settings.Server {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The user does not belong to this server")
	}
	u, err := a.Accounts.User(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if u == nil || u.Deactivated {
		return nil, matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no user %s", id)
	}
	return u, nil
}

// moderation is something that an administrator may do with an account and undo.
type moderation struct {
	member string // of the body
	is     func(*account.User) bool
	set    func(context.Context, matrix.UserID, bool) error
}

// spec: client-server-api#get_matrixclientv1adminlockuserid
func (a *API) getModeration(m moderation) sessionHandler {
	return func(w http.ResponseWriter, r *http.Request, s account.Session) error {
		if err := a.adminOnly(r.Context(), s); err != nil {
			return err
		}
		u, err := a.moderated(r)
		if err != nil {
			return err
		}
		if u.Admin && u.ID != s.User {
			return errAdmin()
		}
		return wire.Answer(w, map[string]bool{m.member: m.is(u)})
	}
}

func errAdmin() error {
	return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "The user is another administrator")
}

// spec: client-server-api#put_matrixclientv1adminlockuserid
func (a *API) putModeration(m moderation) sessionHandler {
	return func(w http.ResponseWriter, r *http.Request, s account.Session) error {
		if err := a.adminOnly(r.Context(), s); err != nil {
			return err
		}
		var q map[string]any
		if err := wire.Read(w, r, maxBody, &q); err != nil {
			return err
		}
		to, ok := q[m.member].(bool)
		if !ok {
			return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "%q must be true or false", m.member)
		}
		u, err := a.moderated(r)
		switch {
		case err != nil:
			return err
		case u.ID == s.User:
			return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You cannot do this to yourself")
		case u.Admin:
			return errAdmin()
		}
		if err := m.set(r.Context(), u.ID, to); err != nil {
			return err
		}
		return wire.Answer(w, map[string]bool{m.member: to})
	}
}
