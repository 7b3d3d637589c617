package clientapi

import (
	"context"
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// confirm is interact with the user's password, for what nobody shall do who only found an unlocked device. It returns
// the user: without a session that is who the password says. The user is "" if the answer was written.
func (a *API) confirm(w http.ResponseWriter, r *http.Request, body []byte, s account.Session, operation string) (matrix.UserID, error) {
	if s.User != "" {
		able, err := a.Accounts.HasPassword(r.Context(), s.User)
		if err != nil {
			return "", err
		}
		if !able {
			return "", matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "This account has no password to confirm this with")
		}
	}
	passed, err := a.interact(w, r, body, challenge{
		operation: string(s.User) + " " + operation,
		flows:     [][]string{{loginPassword}},
		stages:    map[string]stage{loginPassword: a.passwordOf(s.User)},
	})
	if passed == nil {
		return "", err
	}
	return matrix.UserID(passed.kept[loginPassword]), nil
}

// passwordOf is the stage that a user's password completes, anybody's if the user is "". It keeps the user.
// spec: client-server-api#password-based
func (a *API) passwordOf(user matrix.UserID) stage {
	return stage{check: func(ctx context.Context, _ string, auth []byte) (string, error) {
		var in struct {
			Identifier *identifier `json:"identifier"`
			User       *string     `json:"user"`
			Medium     *string     `json:"medium"`
			Address    *string     `json:"address"`
			Password   *string     `json:"password"`
		}
		if err := wire.Decode(auth, &in); err != nil {
			return "", err
		}
		if in.Password == nil {
			return "", matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "A password is needed")
		}
		named, err := a.identify(in.Identifier, in.User, in.Medium, in.Address)
		if err != nil {
			return "", err
		}
		if user != "" && named != user {
			return "", matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "This is another user's password")
		}
		return string(named), a.checkPassword(ctx, named, *in.Password)
	}}
}
