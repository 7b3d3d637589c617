package operator

import (
	"context"
	"flag"
	"net/http"

	"hearth/homeserver/administration"
)

func userDeactivate() verb {
	var erase, yes bool
	return verb{
		name: "user deactivate", args: []string{"USER"}, short: "end an account for good",
		help: `
Ends an account for good: its devices are logged out, its profile and data are removed, it leaves all rooms, and its
name is never given out again. With --erase, those who come into a room later do not see what the user wrote there.

  homeserver admin user deactivate alice
  homeserver admin user deactivate alice --erase --yes`,
		flags: func(f *flag.FlagSet) {
			f.BoolVar(&erase, "erase", false, "hide what the user wrote from those who come later")
			f.BoolVar(&yes, "yes", false, "do not ask")
		},
		run: func(ctx context.Context, c *call) error {
			if err := c.confirm(ctx, yes, "deactivating "+clean(c.args[0])); err != nil {
				return err
			}
			var u administration.User
			return c.ask(ctx, http.MethodPost, path("users", c.args[0], "deactivate"), map[string]bool{"erase": erase}, &u, func() {
				c.say("%s is %s", u.ID, stateOf(&u))
			})
		},
	}
}
