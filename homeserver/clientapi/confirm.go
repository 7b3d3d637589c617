package clientapi

import (
	"context"
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// confirm is interact with the user's password, for what nobody shall do who only found an unlocked device.
func (a *API) confirm(w http.ResponseWriter, r *http.Request, body []byte, s account.Session, operation string) (*outcome, error) {
	able, err := a.Accounts.HasPassword(r.Context(), s.User)
	if err != nil {
		return nil, err
	}
	if !able {
		return nil, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "This account has no password to confirm this with")
	}
	return a.interact(w, r, body, challenge{
		operation: string(s.User) + " " + s.Device + " " + operation,
		flows:     [][]string{{loginPassword}},
		stages:    map[string]stage{loginPassword: a.passwordOf(s.User)},
	})
}

// passwordOf is the stage that a user's password completes.
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
		if named != user {
			return "", matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "This is another user's password")
		}
		return "", a.checkPassword(ctx, user, *in.Password)
	}}
}
