package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/directory"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) usersRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/user_directory/search", a.authed(a.searchUsers))
}

// How many users one answer has, if the request does not say and at most, and the longest term, in bytes.
const (
	foundUsers    = 10
	maxFoundUsers = 50
	maxTerm       = 1000
)

// searchUsers compares without regard to case and accents, in every language alike.
// spec: client-server-api#post_matrixclientv3user_directorysearch
func (a *API) searchUsers(w http.ResponseWriter, r *http.Request, s account.Session) error {
	q := struct {
		Term  *string `json:"search_term"`
		Limit int64   `json:"limit"`
	}{Limit: foundUsers}
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	switch {
	case q.Term == nil:
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "search_term is missing")
	case len(*q.Term) > maxTerm:
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "search_term has at most %d bytes", maxTerm)
	case q.Limit < 0:
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "limit must not be negative")
	}
	found, limited, err := a.People.Search(r.Context(), directory.Search{
		User: s.User, Term: *q.Term, Limit: int(min(q.Limit, maxFoundUsers)), All: a.Settings.SearchAllUsers,
	})
	if err != nil {
		return err
	}
	out := wire.NewStream(w)
	out.Open('{')
	out.Name("limited")
	out.Bool(limited)
	out.Name("results")
	out.Open('[')
	for _, p := range found {
		out.Open('{')
		writeStrings(out, [][2]string{{"avatar_url", p.Avatar}, {"display_name", p.Name}, {"user_id", string(p.ID)}})
		out.Close('}')
	}
	out.Close(']')
	out.Close('}')
	return out.End()
}
