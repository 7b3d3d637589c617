package clientapi

import (
	"net/http"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) oauthServerMetadataRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v1/auth_metadata", noOAuth)
}

// noOAuth says that this server has the legacy API, and only that.
// spec: client-server-api#authentication-api-discovery
func noOAuth(http.ResponseWriter, *http.Request) error {
	return matrix.Errorf(http.StatusNotFound, matrix.MUnrecognized, "This server does not use OAuth 2.0")
}
