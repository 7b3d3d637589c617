package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/clientsync"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) filterRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/user/{userId}/filter", a.authed(a.postFilter))
	m.Handle("GET /_matrix/client/v3/user/{userId}/filter/{filterId}", a.authed(a.getFilter))
}

// maxFilter is the largest filter that is kept, in bytes.
const maxFilter = 64 << 10

// spec: client-server-api#post_matrixclientv3useruseridfilter
func (a *API) postFilter(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if err := self(r, s); err != nil {
		return err
	}
	body, err := wire.ReadObject(w, r, maxFilter)
	if err != nil {
		return err
	}
	if err := clientsync.CheckFilter(body); err != nil {
		return err
	}
	id, err := a.Accounts.PutFilter(r.Context(), s.User, body)
	if err != nil {
		return err
	}
	return wire.Answer(w, map[string]string{"filter_id": id})
}

// spec: client-server-api#get_matrixclientv3useruseridfilterfilterid
func (a *API) getFilter(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if err := self(r, s); err != nil {
		return err
	}
	filter, err := a.Accounts.Filter(r.Context(), s.User, r.PathValue("filterId"))
	if err != nil {
		return err
	}
	if filter == nil {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no such filter")
	}
	return wire.Raw(w, filter)
}
