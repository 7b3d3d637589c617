package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) refreshRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/refresh", a.refresh)
}

// refreshed is what every answer with a session that can be refreshed says of it.
type refreshed struct {
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int64  `json:"expires_in_ms,omitempty"`
}

func refreshedOf(g account.Grant) refreshed {
	return refreshed{g.RefreshToken, g.Lifetime.Milliseconds()}
}

// spec: client-server-api#post_matrixclientv3refresh
func (a *API) refresh(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		RefreshToken *string `json:"refresh_token"`
	}
	if err := wire.Read(w, r, maxBody, &in); err != nil {
		return err
	}
	if in.RefreshToken == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "The refresh token is missing")
	}
	g, err := a.Accounts.Refresh(r.Context(), *in.RefreshToken)
	if err != nil {
		return err
	}
	return wire.Answer(w, struct {
		AccessToken string `json:"access_token"`
		refreshed
	}{g.Token, refreshedOf(g)})
}
