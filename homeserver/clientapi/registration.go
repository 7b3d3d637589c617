package clientapi

import (
	"context"
	"encoding/json"
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) registrationRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/register", a.register)
	m.Handle("GET /_matrix/client/v3/register/available", a.getRegisterAvailable)
	m.Handle("POST /_matrix/client/v3/register/email/requestToken", a.noThirdParties)
	m.Handle("POST /_matrix/client/v3/register/msisdn/requestToken", a.noThirdParties)
}

// registration is the body of a request for an account.
type registration struct {
	Type         string          `json:"type"` // of the login of an application service
	Auth         json.RawMessage `json:"auth"`
	Username     *string         `json:"username"`
	Password     *string         `json:"password"`
	InhibitLogin bool            `json:"inhibit_login"`
	newDevice
}

// register makes an account. What can be refused is refused before authentication, as the specification says.
// spec: client-server-api#post_matrixclientv3register
func (a *API) register(w http.ResponseWriter, r *http.Request) error {
	if err := checkKind(r); err != nil {
		return err
	}
	body, err := wire.ReadObject(w, r, maxBody)
	if err != nil {
		return err
	}
	var in registration
	if err := wire.Decode(body, &in); err != nil {
		return err
	}
	if err := a.checkRegistration(r.Context(), &in); err != nil {
		return err
	}
	passed, err := a.interact(w, r, body, a.registrationChallenge())
	if passed == nil {
		return err
	}
	user, err := a.makeUser(r.Context(), &in, passed)
	if err != nil {
		return err
	}
	return a.registered(w, r, user, in.newDevice, in.InhibitLogin)
}

// makeUser makes the account of somebody who has passed the challenge.
func (a *API) makeUser(ctx context.Context, in *registration, passed *outcome) (matrix.UserID, error) {
	token := passed.kept[stageRegistrationToken]
	defer a.Accounts.ReleaseRegistrationToken(token, passed.session)
	if in.Password == nil {
		return "", matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "A password is needed")
	}
	name := ""
	if in.Username != nil {
		name = *in.Username
	}
	return a.Accounts.Create(ctx, name, *in.Password, account.NewUser{Invitation: token, Session: passed.session})
}

// registrationChallenge is what somebody must do to register: show a token unless anybody may register, accept the
// terms if there are some, or nothing.
func (a *API) registrationChallenge() challenge {
	c := challenge{operation: "register", stages: make(map[string]stage)}
	var flow []string
	add := func(name string, s stage) { flow, c.stages[name] = append(flow, name), s }
	if !a.Settings.Open {
		add(stageRegistrationToken, a.registrationToken())
	}
	if a.Settings.Terms.URL != "" {
		add(stageTerms, a.Settings.Terms.stage())
	}
	if len(flow) == 0 {
		add(stageDummy, dummy())
	}
	c.flows = [][]string{flow}
	return c
}

// checkKind refuses the kinds of account that nobody can make here.
func checkKind(r *http.Request) error {
	q, err := wire.Query(r)
	if err != nil {
		return err
	}
	kind, err := wire.Choice(q, "kind", "user", "guest")
	if err == nil && kind == "guest" {
		return matrix.Errorf(http.StatusForbidden, matrix.MGuestAccessForbidden, "This server has no guests")
	}
	return err
}

// errClosed refuses to make accounts, if nobody may; nil if some may.
func (a *API) errClosed() error {
	if a.Settings.Open || a.Settings.Invited {
		return nil
	}
	return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "Registration is disabled")
}

func (a *API) checkRegistration(ctx context.Context, in *registration) error {
	if in.Type == loginAppservice {
		return errNoAppserviceLogin()
	}
	if err := a.errClosed(); err != nil {
		return err
	}
	if in.Username != nil {
		if _, err := a.Accounts.Available(ctx, *in.Username); err != nil {
			return err
		}
	}
	if in.Password != nil {
		if err := account.CheckNewPassword(*in.Password); err != nil {
			return err
		}
	}
	return account.CheckDeviceID(in.DeviceID)
}

// registered answers with the new account and, unless the client does not want it, a session.
func (a *API) registered(w http.ResponseWriter, r *http.Request, user matrix.UserID, d newDevice, inhibitLogin bool) error {
	if inhibitLogin {
		return wire.Answer(w, loggedIn{UserID: user, HomeServer: a.Settings.Server})
	}
	g, err := a.startSession(r.Context(), user, d)
	if err != nil {
		return err
	}
	out := a.loggedIn(g)
	out.WellKnown = nil // only who logs in is told
	return wire.Answer(w, out)
}

// spec: client-server-api#get_matrixclientv3registeravailable
func (a *API) getRegisterAvailable(w http.ResponseWriter, r *http.Request) error {
	if err := a.errClosed(); err != nil {
		return err
	}
	q, err := wire.Query(r)
	if err != nil {
		return err
	}
	if !q.Has("username") {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "A user name is needed")
	}
	if _, err := a.Accounts.Available(r.Context(), q.Get("username")); err != nil {
		return err
	}
	return wire.Raw(w, []byte(`{"available":true}`))
}

// noThirdParties refuses addresses: this server binds none to accounts.
// spec: client-server-api#post_matrixclientv3registeremailrequesttoken
func (a *API) noThirdParties(http.ResponseWriter, *http.Request) error {
	return matrix.Errorf(http.StatusForbidden, matrix.MThreepidDenied, "This server does not use third-party identifiers")
}
