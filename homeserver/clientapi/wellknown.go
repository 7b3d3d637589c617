package clientapi

import (
	"net/http"
	"strings"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) wellknownRoutes(m *wire.Mux) {
	m.Handle("GET /.well-known/matrix/client", a.getWellknown)
}

// wellknown is what clients find out about a server by its name.
// spec: client-server-api#getwell-knownmatrixclient
type wellknown struct {
	Homeserver struct {
		BaseURL string `json:"base_url"`
	} `json:"m.homeserver"`
}

// wellknown returns the discovery document, nil if the owner has not said where the API is.
func (a *API) wellknown() *wellknown {
	if a.Settings.PublicURL == "" {
		return nil
	}
	var doc wellknown
	doc.Homeserver.BaseURL = strings.TrimRight(a.Settings.PublicURL, "/")
	return &doc
}

func (a *API) getWellknown(w http.ResponseWriter, _ *http.Request) error {
	doc := a.wellknown()
	if doc == nil {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "This server does not say where its API is")
	}
	return wire.Answer(w, doc)
}
