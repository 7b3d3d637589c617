package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// membershipRequest is the body that the endpoints which change a membership share.
type membershipRequest struct {
	UserID *string `json:"user_id"`
	Reason string  `json:"reason"`
}

// target returns the user whom the request is about.
func (q *membershipRequest) target() (matrix.UserID, error) {
	if q.UserID == nil {
		return "", matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "user_id is missing")
	}
	user, err := matrix.ParseUserID(*q.UserID)
	if err != nil {
		return "", err
	}
	return user, nil
}

// changeOther serves the endpoints by which one user changes another's membership.
func (a *API) changeOther(membership string, was []string, wasMessage string) sessionHandler {
	return func(w http.ResponseWriter, r *http.Request, s account.Session) error {
		var q membershipRequest
		if err := wire.Read(w, r, maxBody, &q); err != nil {
			return err
		}
		return a.changeMembership(w, r, s, &q, membership, was, wasMessage)
	}
}

func (a *API) changeMembership(w http.ResponseWriter, r *http.Request, s account.Session, q *membershipRequest, membership string, was []string, wasMessage string) error {
	target, err := q.target()
	if err != nil {
		return err
	}
	if membership == "invite" {
		if err := a.limits.invite(s.User, 1); err != nil {
			return err
		}
		if target, err = a.localTarget(r, string(target)); err != nil {
			return err
		}
	}
	known, err := a.knownRoom(r)
	if err != nil {
		return err
	}
	_, err = a.Rooms.SetMembership(r.Context(), known, room.Change{
		Sender: s.User, Target: target, Membership: membership, Reason: q.Reason, Was: was, WasMessage: wasMessage,
	})
	if err != nil {
		return err
	}
	return wire.Empty(w)
}
