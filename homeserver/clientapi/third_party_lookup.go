package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// Third-party networks are reached by application services; there are none here, so every look-up finds nothing.
func (a *API) thirdPartyLookupRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/thirdparty/protocols", a.authed(a.getProtocols))
	m.Handle("GET /_matrix/client/v3/thirdparty/protocol/{protocol}", a.authed(a.noProtocol))
	m.Handle("GET /_matrix/client/v3/thirdparty/location/{protocol}", a.authed(a.noProtocol))
	m.Handle("GET /_matrix/client/v3/thirdparty/user/{protocol}", a.authed(a.noProtocol))
	m.Handle("GET /_matrix/client/v3/thirdparty/location", a.authed(noPortal("alias")))
	m.Handle("GET /_matrix/client/v3/thirdparty/user", a.authed(noPortal("userid")))
}

// spec: client-server-api#get_matrixclientv3thirdpartyprotocols
func (a *API) getProtocols(w http.ResponseWriter, _ *http.Request, _ account.Session) error {
	return wire.Empty(w)
}

// spec: client-server-api#get_matrixclientv3thirdpartyprotocolprotocol
func (a *API) noProtocol(_ http.ResponseWriter, r *http.Request, _ account.Session) error {
	return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "This server has no bridge to %q", shorten(r.PathValue("protocol")))
}

// noPortal answers the look-ups by an alias or a user, which the parameter gives.
// spec: client-server-api#get_matrixclientv3thirdpartylocation
func noPortal(parameter string) sessionHandler {
	return func(_ http.ResponseWriter, r *http.Request, _ account.Session) error {
		q, err := wire.Query(r)
		if err != nil {
			return err
		}
		if !q.Has(parameter) {
			return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "%s is missing", parameter)
		}
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "This server has no bridges")
	}
}
