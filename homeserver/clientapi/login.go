package clientapi

import (
	"context"
	"net/http"
	"strings"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) loginRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/login", a.getLogin)
	m.Handle("POST /_matrix/client/v3/login", a.login)
}

// The types of login.
// spec: client-server-api#legacy-login
const (
	loginPassword   = "m.login.password"
	loginToken      = "m.login.token"
	loginAppservice = "m.login.application_service"
)

// spec: client-server-api#get_matrixclientv3login
func (a *API) getLogin(w http.ResponseWriter, _ *http.Request) error {
	if a.Settings.LoginTokens {
		return wire.Raw(w, []byte(`{"flows":[{"type":"`+loginPassword+`"},{"type":"`+loginToken+`","get_login_token":true}]}`))
	}
	return wire.Raw(w, []byte(`{"flows":[{"type":"`+loginPassword+`"}]}`))
}

// credentials is the body of a login, with the deprecated ways of naming the user.
type credentials struct {
	Type       string      `json:"type"`
	Identifier *identifier `json:"identifier"`
	User       *string     `json:"user"`
	Medium     *string     `json:"medium"`
	Address    *string     `json:"address"`
	Password   *string     `json:"password"`
	Token      *string     `json:"token"`
	newDevice
}

// newDevice is what registering and logging in say of the device.
type newDevice struct {
	DeviceID   string `json:"device_id"`
	DeviceName string `json:"initial_device_display_name"`
	Refresh    bool   `json:"refresh_token"` // the client can refresh its session
}

// identifier says who somebody is.
// spec: client-server-api#identifier-types
type identifier struct {
	Type    string  `json:"type"`
	User    *string `json:"user"`
	Medium  *string `json:"medium"`
	Address *string `json:"address"`
	Country *string `json:"country"`
	Phone   *string `json:"phone"`
}

// loggedIn answers who logged in or registered.
type loggedIn struct {
	UserID      matrix.UserID     `json:"user_id"`
	AccessToken string            `json:"access_token,omitempty"`
	DeviceID    string            `json:"device_id,omitempty"`
	HomeServer  matrix.ServerName `json:"home_server"`
	WellKnown   *wellknown        `json:"well_known,omitempty"`
	refreshed
}

func (a *API) loggedIn(g account.Grant) loggedIn {
	return loggedIn{
		UserID: g.User, AccessToken: g.Token, DeviceID: g.Device, HomeServer: a.Settings.Server,
		WellKnown: a.wellknown(), refreshed: refreshedOf(g),
	}
}

// spec: client-server-api#post_matrixclientv3login
func (a *API) login(w http.ResponseWriter, r *http.Request) error {
	var in credentials
	if err := wire.Read(w, r, maxBody, &in); err != nil {
		return err
	}
	if err := account.CheckDeviceID(in.DeviceID); err != nil {
		return err
	}
	user, err := a.authenticate(r.Context(), &in)
	if err != nil {
		return err
	}
	a.loginSucceeded(r)
	g, err := a.startSession(r.Context(), user, in.newDevice)
	if err != nil {
		return err
	}
	return wire.Answer(w, a.loggedIn(g))
}

// authenticate returns whose credentials these are.
func (a *API) authenticate(ctx context.Context, in *credentials) (matrix.UserID, error) {
	switch {
	case in.Type == loginPassword && in.Password == nil:
		return "", matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "A password is needed")
	case in.Type == loginPassword:
		user, err := a.identify(in.Identifier, in.User, in.Medium, in.Address)
		if err != nil {
			return "", err
		}
		return user, a.checkPassword(ctx, user, *in.Password)
	case in.Type == loginToken && a.Settings.LoginTokens:
		if in.Token == nil {
			return "", matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "A login token is needed")
		}
		return a.Accounts.RedeemLoginToken(ctx, *in.Token)
	case in.Type == loginAppservice:
		return "", errNoAppserviceLogin()
	}
	return "", matrix.Errorf(http.StatusBadRequest, matrix.MUnknown, "Unknown type of login %q", shorten(in.Type))
}

// errNoAppserviceLogin refuses what only application services do. No token is one of theirs here.
// spec: client-server-api#appservice-login
func errNoAppserviceLogin() error {
	return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "There is no application service with this access token")
}

// checkPassword checks a password unless too many wrong ones were tried for that user lately.
func (a *API) checkPassword(ctx context.Context, user matrix.UserID, password string) error {
	tried := a.limits.passwords.Key(string(user)) // also of a user who does not exist
	if err := tooMany(a.limits.passwords.Take(tried, loginCost)); err != nil {
		return err
	}
	err := a.Accounts.CheckPassword(ctx, user, password)
	if err == nil {
		a.limits.passwords.Give(tried, loginCost-1)
	}
	return err
}

// identify returns who somebody says to be, by an identifier or in the deprecated ways; a user whom no password opens
// if that is nobody.
func (a *API) identify(id *identifier, user, medium, address *string) (matrix.UserID, error) {
	if id == nil {
		id = &identifier{User: user, Medium: medium, Address: address}
	}
	if id.Type == "" {
		id.Type = "m.id.user"
		if id.User == nil && id.Medium != nil {
			id.Type = "m.id.thirdparty"
		}
	}
	switch id.Type {
	case "m.id.user":
		if id.User == nil {
			return "", matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "The user is missing")
		}
		return a.userOf(*id.User), nil
	case "m.id.thirdparty":
		if id.Medium == nil || id.Address == nil {
			return "", matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "The medium or the address is missing")
		}
		return "", nil // no account has a third-party identifier
	case "m.id.phone":
		if id.Country == nil || id.Phone == nil {
			return "", matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "The country or the phone number is missing")
		}
		return "", nil
	}
	return "", matrix.Errorf(http.StatusBadRequest, matrix.MUnknown, "Unknown type of identifier %q", shorten(id.Type))
}

// userOf returns the user that somebody means by a user id or a localpart.
func (a *API) userOf(name string) matrix.UserID {
	if !strings.HasPrefix(name, "@") {
		return matrix.UserID("@" + account.Fold(name) + ":" + string(a.Settings.Server))
	}
	id, err := matrix.ParseUserID(name)
	if err != nil {
		return ""
	}
	return matrix.UserID("@" + account.Fold(id.Localpart()) + ":" + string(id.Server()))
}

// startSession logs a user in. What an earlier device of the same id left behind is not for the new one.
func (a *API) startSession(ctx context.Context, user matrix.UserID, d newDevice) (account.Grant, error) {
	if d.DeviceID != "" {
		gone := account.Departure{User: user, Device: d.DeviceID}
		waits, err := a.Accounts.IsDeparting(ctx, gone)
		if err != nil {
			return account.Grant{}, err
		}
		if waits {
			if err := a.finishDevice(ctx, gone); err != nil {
				return account.Grant{}, err
			}
		}
	}
	g, err := a.Accounts.Login(ctx, user, account.Login{Device: d.DeviceID, Name: d.DeviceName, Refresh: d.Refresh})
	if err != nil || d.DeviceID == "" {
		return g, err
	}
	return g, a.E2EE.Acknowledge(ctx, user, g.Device, g.Born)
}
