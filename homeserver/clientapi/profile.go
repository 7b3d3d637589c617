package clientapi

import (
	"context"
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) profileRoutes(m *wire.Mux) {
	const user, field = "/_matrix/client/v3/profile/{userId}", "/_matrix/client/v3/profile/{userId}/{keyName}"
	m.Handle("GET "+user, a.getProfile)
	m.Handle("GET "+field, a.getProfileField)
	m.Handle("PUT "+field, a.authed(a.putProfileField))
	m.Handle("DELETE "+field, a.authed(a.deleteProfileField))
}

// profileOf returns the profile of the path's user. Of users of other servers nothing is known.
func (a *API) profileOf(r *http.Request) (account.Profile, error) {
	user, err := matrix.ParseUserID(r.PathValue("userId"))
	if err != nil {
		return account.Profile{}, err
	}
	return a.Accounts.Profile(r.Context(), user)
}

// spec: client-server-api#get_matrixclientv3profileuserid
func (a *API) getProfile(w http.ResponseWriter, r *http.Request) error {
	p, err := a.profileOf(r)
	if err != nil {
		return err
	}
	if p.Empty() {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no profile of this user")
	}
	return wire.Raw(w, p.JSON)
}

// spec: client-server-api#get_matrixclientv3profileuseridkeyname
func (a *API) getProfileField(w http.ResponseWriter, r *http.Request) error {
	p, err := a.profileOf(r)
	if err != nil {
		return err
	}
	name := r.PathValue("keyName")
	value := p.Field(name)
	if value == nil {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "The user's profile has no such field")
	}
	return wire.Raw(w, append(append(append(matrix.AppendString([]byte{'{'}, name), ':'), value...), '}'))
}

// spec: client-server-api#put_matrixclientv3profileuseridkeyname
func (a *API) putProfileField(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if err := self(r, s); err != nil {
		return err
	}
	name := r.PathValue("keyName")
	if err := account.CheckFieldName(name); err != nil {
		return err
	}
	body, err := wire.ReadObject(w, r, maxBody)
	if err != nil {
		return err
	}
	value, ok := matrix.Field(body, name)
	if !ok {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "The body lacks %q", name)
	}
	return a.setProfileField(r.Context(), w, s.User, name, value)
}

// spec: client-server-api#delete_matrixclientv3profileuseridkeyname
func (a *API) deleteProfileField(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if err := self(r, s); err != nil {
		return err
	}
	return a.setProfileField(r.Context(), w, s.User, r.PathValue("keyName"), nil)
}

// setProfileField changes a profile and then, if rooms show the field, the user's membership of each room.
// spec: client-server-api#events-on-change-of-profile-information
func (a *API) setProfileField(ctx context.Context, w http.ResponseWriter, user matrix.UserID, name string, value []byte) error {
	if name != "displayname" && name != "avatar_url" {
		if _, err := a.Accounts.SetProfileField(ctx, user, name, value); err != nil {
			return err
		}
		return wire.Empty(w)
	}
	_, err := a.Accounts.SetProfileField(ctx, user, name, value, func(tx *store.Tx, pos store.Pos) { room.MarkProfile(tx, user, pos) })
	if err != nil {
		return err
	}
	// A client that is gone does not leave the rooms with different names.
	if err := a.Rooms.ProfileChanged(context.WithoutCancel(ctx), user); err != nil {
		return err
	}
	return wire.Empty(w)
}
