package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// No account has an address here: what would add one is refused, what would remove one has nothing to do.
func (a *API) administrativeContactRoutes(m *wire.Mux) {
	const contacts = "/_matrix/client/v3/account/3pid"
	m.Handle("GET "+contacts, a.authed(getThreepids))
	for _, path := range []string{"", "/add", "/bind"} {
		m.Handle("POST "+contacts+path, a.authed(refuseThreepid))
	}
	for _, path := range []string{"/delete", "/unbind"} {
		m.Handle("POST "+contacts+path, a.authed(removeThreepid))
	}
	m.Handle("POST "+contacts+"/email/requestToken", refuseMedium)
	m.Handle("POST "+contacts+"/msisdn/requestToken", refuseMedium)
}

// spec: client-server-api#get_matrixclientv3account3pid
func getThreepids(w http.ResponseWriter, _ *http.Request, _ account.Session) error {
	return wire.Raw(w, []byte(`{"threepids":[]}`))
}

// spec: client-server-api#post_matrixclientv3account3pidadd
func refuseThreepid(http.ResponseWriter, *http.Request, account.Session) error {
	return matrix.Errorf(http.StatusForbidden, matrix.MThreepidDenied, "This server does not use third-party identifiers")
}

// spec: client-server-api#post_matrixclientv3account3piddelete
func removeThreepid(w http.ResponseWriter, r *http.Request, _ account.Session) error {
	body, err := wire.ReadObject(w, r, maxBody)
	if err != nil {
		return err
	}
	if err := needFields(body, "medium", "address"); err != nil {
		return err
	}
	return wire.Raw(w, []byte(`{"id_server_unbind_result":"no-support"}`))
}

// spec: client-server-api#post_matrixclientv3account3pidemailrequesttoken
func refuseMedium(http.ResponseWriter, *http.Request) error {
	return matrix.Errorf(http.StatusBadRequest, matrix.MThreepidMediumNotSupported, "This server does not use third-party identifiers")
}
