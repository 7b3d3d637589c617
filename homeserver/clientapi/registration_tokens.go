package clientapi

import (
	"context"
	"net/http"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// stageRegistrationToken is completed by who was given a registration token.
// spec: client-server-api#token-authenticated-registration
const stageRegistrationToken = "m.login.registration_token"

const getRegistrationTokenValidity = "GET /_matrix/client/v1/register/m.login.registration_token/validity"

func (a *API) registrationTokensRoutes(m *wire.Mux) {
	m.Handle(getRegistrationTokenValidity, a.getRegistrationTokenValidity)
}

// spec: client-server-api#get_matrixclientv1registermloginregistration_tokenvalidity
func (a *API) getRegistrationTokenValidity(w http.ResponseWriter, r *http.Request) error {
	if err := a.errClosed(); err != nil {
		return err
	}
	q, err := wire.Query(r)
	if err != nil {
		return err
	}
	if !q.Has("token") {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "A token is needed")
	}
	t, err := a.Accounts.RegistrationToken(r.Context(), q.Get("token"))
	if err != nil {
		return err
	}
	return wire.Answer(w, map[string]bool{"valid": t != nil && t.Valid(a.Now())})
}

// registrationToken is the stage that keeps a place of a token until its session ends, and the token itself for
// whoever makes the account.
func (a *API) registrationToken() stage {
	return stage{check: func(ctx context.Context, session string, auth []byte) (string, error) {
		var in struct {
			Token *string `json:"token"`
		}
		if err := wire.Decode(auth, &in); err != nil {
			return "", err
		}
		if in.Token == nil {
			return "", matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "A registration token is needed")
		}
		return *in.Token, a.Accounts.HoldRegistrationToken(ctx, *in.Token, session, a.Now().Add(authLifetime))
	}}
}
