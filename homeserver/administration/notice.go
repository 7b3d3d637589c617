package administration

import (
	"errors"
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *Administration) noticeRoutes(m *wire.Mux) {
	m.Handle("POST /admin/v1/notices", a.postNotice)
}

// Notice is a text for one user, or for all.
type Notice struct {
	User string `json:"user,omitempty"`
	All  bool   `json:"all,omitempty"`
	Body string `json:"body"`
}

// NoticeSent says what became of a notice.
type NoticeSent struct {
	Sent   int            `json:"sent"`
	Failed []NoticeFailed `json:"failed"` // at most maxFailed of them
}

// NoticeFailed says who did not get a notice, and why.
type NoticeFailed struct {
	User  matrix.UserID `json:"user"`
	Error string        `json:"error"`
}

const maxFailed = 1000

func (a *Administration) postNotice(w http.ResponseWriter, r *http.Request) error {
	var q Notice
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	if q.All == (q.User != "") {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A notice is for a user, or for all")
	}
	out := NoticeSent{Failed: []NoticeFailed{}}
	if q.All {
		if err := a.noticeToAll(r, q.Body, &out); err != nil {
			return err
		}
		return wire.Answer(w, out)
	}
	u, err := a.find(r.Context(), q.User)
	if err != nil {
		return err
	}
	if _, err := a.Notices.Send(r.Context(), u.ID, q.Body); err != nil {
		return err
	}
	out.Sent = 1
	return wire.Answer(w, out)
}

// noticeToAll sends a notice to all people who can read it. What one of them refuses, or what is wrong with one,
// keeps none of the others from it; what is wrong with the notice ends it at once.
func (a *Administration) noticeToAll(r *http.Request, body string, out *NoticeSent) error {
	for u, err := range a.Accounts.Users(r.Context(), "") {
		if err != nil {
			return err
		}
		if u.Deactivated || u.Kind == "bot" || u.Kind == account.KindServer {
			continue
		}
		_, err = a.Notices.Send(r.Context(), u.ID, body)
		var refused *matrix.Error
		switch {
		case err == nil:
			out.Sent++
		case !errors.As(err, &refused), out.Sent == 0 && refused.Code != matrix.MInviteBlocked:
			return err
		case len(out.Failed) < maxFailed:
			out.Failed = append(out.Failed, NoticeFailed{u.ID, refused.Message})
		}
	}
	return nil
}
