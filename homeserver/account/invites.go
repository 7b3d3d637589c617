package account

import (
	"context"

	"hearth/matrix"
)

// InvitePermission is the type of the account data by which a user says who may invite them.
const InvitePermission = "m.invite_permission_config"

// BlocksInvites reports whether a user does not want to be invited by anybody. What cannot be read blocks nothing.
// spec: client-server-api#invite-permission
func (a *Accounts) BlocksInvites(ctx context.Context, user matrix.UserID) (bool, error) {
	wishes, err := a.Data(ctx, user, 0, InvitePermission)
	if err != nil {
		return false, err
	}
	action, _ := matrix.StringField(wishes, "default_action")
	return action == "block", nil
}
