package clientapi

import (
	"net/http"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) ssoLoginRedirectRoutes(m *wire.Mux) {
	for _, path := range []string{"/sso/redirect", "/sso/redirect/{idpId}", "/cas/redirect"} {
		m.Handle("GET /_matrix/client/v3/login"+path, noSSO)
	}
}

// noSSO refuses a way to log in that the login flows do not name: passwords and login tokens are this server's own.
// spec: client-server-api#get_matrixclientv3loginssoredirect
func noSSO(http.ResponseWriter, *http.Request) error {
	return matrix.Errorf(http.StatusNotFound, matrix.MUnrecognized, "This server does not log in by single sign-on")
}
