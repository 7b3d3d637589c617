package clientapi

import (
	"net/http"

	"hearth/matrix/wire"
)

func (a *API) versionsRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/versions", a.getVersions)
}

// getVersions names the released versions of the specification by which the API behaves. No feature is experimental.
// spec: client-server-api#get_matrixclientversions
func (a *API) getVersions(w http.ResponseWriter, _ *http.Request) error {
	return wire.Raw(w, []byte(`{"versions":["r0.6.1","v1.1","v1.2","v1.3","v1.4","v1.5","v1.6","v1.7","v1.8","v1.9",`+
		`"v1.10","v1.11","v1.12","v1.13","v1.14","v1.15","v1.16","v1.17","v1.18","v1.19"],"unstable_features":{}}`))
}
