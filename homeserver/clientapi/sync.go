package clientapi

import (
	"net/http"
	"strings"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/clientsync"
	"hearth/homeserver/presence"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) syncRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/sync", a.authed(a.sync))
}

// spec: client-server-api#get_matrixclientv3sync
func (a *API) sync(w http.ResponseWriter, r *http.Request, s account.Session) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	q := clientsync.Request{Since: query.Get("since")}
	if q.FullState, err = wire.Bool(query, "full_state", false); err != nil {
		return err
	}
	if q.StateAfter, err = wire.Bool(query, "use_state_after", false); err != nil {
		return err
	}
	timeout, err := wire.Int(query, "timeout", 0, 0, clientsync.MaxTimeout.Milliseconds())
	if err != nil {
		return err
	}
	q.Timeout = time.Duration(timeout) * time.Millisecond
	switch q.Presence = query.Get("set_presence"); q.Presence {
	case "", presence.Online, presence.Offline, presence.Unavailable:
	default:
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "set_presence must be online, offline or unavailable")
	}
	if q.Filter, err = a.syncFilter(r, s, query.Get("filter")); err != nil {
		return err
	}
	return a.Sync.Sync(r.Context(), w, s, q)
}

// syncFilter reads the filter parameter: JSON, or the id of a filter that was stored.
func (a *API) syncFilter(r *http.Request, s account.Session, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	if strings.HasPrefix(text, "{") {
		return []byte(text), nil
	}
	f, err := a.Accounts.Filter(r.Context(), s.User, text)
	if err == nil && f == nil {
		err = matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "You have no filter %q", text)
	}
	return f, err
}
