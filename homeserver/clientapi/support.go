package clientapi

import (
	"net/http"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) supportRoutes(m *wire.Mux) {
	m.Handle("GET /.well-known/matrix/support", a.getSupport)
}

// Support says whom people may ask for help, also those who cannot use their account; the zero value says nothing.
type Support struct {
	Page     string `toml:"page" doc:"URL of a page that helps the users of this server, served in .well-known/matrix/support."`
	MatrixID string `toml:"matrix_id" doc:"Matrix user id of an administrator, served there."`
	Email    string `toml:"email" doc:"Email address of an administrator, served there."`
}

type supportContact struct {
	Role     string `json:"role"`
	MatrixID string `json:"matrix_id,omitempty"`
	Email    string `json:"email_address,omitempty"`
}

// Check refuses a Matrix id that is none.
func (s Support) Check() error {
	if s.MatrixID == "" {
		return nil
	}
	_, err := matrix.ParseUserID(s.MatrixID)
	return err
}

// spec: client-server-api#getwell-knownmatrixsupport
func (a *API) getSupport(w http.ResponseWriter, _ *http.Request) error {
	s := a.Settings.Support
	if s == (Support{}) {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "This server does not say whom to ask for help")
	}
	var out struct {
		Contacts []supportContact `json:"contacts,omitempty"`
		Page     string           `json:"support_page,omitempty"`
	}
	out.Page = s.Page
	if s.MatrixID != "" || s.Email != "" {
		out.Contacts = []supportContact{{"m.role.admin", s.MatrixID, s.Email}}
	}
	return wire.Answer(w, out)
}
