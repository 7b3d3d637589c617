package operator

import (
	"context"

	"hearth/homeserver/administration"
)

func userShow() verb {
	return verb{
		name: "user show", args: []string{"USER"}, short: "show an account",
		help: `
Shows what is known of an account.

  homeserver admin user show alice
  homeserver admin user show @alice:example.org --json`,
		run: func(ctx context.Context, c *call) error {
			var u administration.User
			return c.get(ctx, path("users", c.args[0]), &u, func() { c.showUser(&u) })
		},
	}
}

func (c *call) showUser(u *administration.User) {
	c.facts("user", string(u.ID), "name", u.DisplayName, "made", moment(u.Made), "state", stateOf(u))
}
