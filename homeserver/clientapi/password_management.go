package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) passwordManagementRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/account/password", a.authedOrNot(a.changePassword))
	m.Handle("POST /_matrix/client/v3/account/password/email/requestToken", unknownAddress)
	m.Handle("POST /_matrix/client/v3/account/password/msisdn/requestToken", unknownAddress)
}

// changePassword replaces the password of who knows it. Unless it is asked not to, that logs out all devices but the
// one that asks.
// spec: client-server-api#post_matrixclientv3accountpassword
func (a *API) changePassword(w http.ResponseWriter, r *http.Request, s account.Session) error {
	body, err := wire.ReadObject(w, r, maxBody)
	if err != nil {
		return err
	}
	in := struct {
		New    *string `json:"new_password"`
		Logout bool    `json:"logout_devices"`
	}{Logout: true}
	if err := wire.Decode(body, &in); err != nil {
		return err
	}
	if in.New == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "The new password is missing")
	}
	if err := account.CheckNewPassword(*in.New); err != nil {
		return err
	}
	user, err := a.confirm(w, r, body, s, "change the password")
	if user == "" {
		return err
	}
	if !in.Logout {
		if err := a.Accounts.SetPassword(r.Context(), user, *in.New); err != nil {
			return err
		}
		return wire.Empty(w)
	}
	gone, err := a.Accounts.ChangePassword(r.Context(), user, *in.New, s.Device)
	if err != nil {
		return err
	}
	if err := a.forgetDevices(r.Context(), user, gone); err != nil {
		return err
	}
	return wire.Empty(w)
}

// unknownAddress says of an address that it is nobody's here.
// spec: client-server-api#post_matrixclientv3accountpasswordemailrequesttoken
func unknownAddress(http.ResponseWriter, *http.Request) error {
	return matrix.Errorf(http.StatusBadRequest, matrix.MThreepidNotFound, "No account of this server has this address")
}
