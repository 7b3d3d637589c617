package operator

import (
	"context"
	"flag"
	"net/http"

	"hearth/homeserver/administration"
)

func userLogout() verb {
	var device string
	return verb{
		name: "user logout", args: []string{"USER"}, short: "log a user's devices out",
		help: `
Logs out all devices of a user, or one of them. Encrypted messages that only they could read are lost to them.

  homeserver admin user logout alice
  homeserver admin user logout alice --device ABCDEFGHIJ`,
		flags: func(f *flag.FlagSet) { f.StringVar(&device, "device", "", "only the device of this `ID`") },
		run: func(ctx context.Context, c *call) error {
			var q, out administration.LoggedOut
			if device != "" {
				q.Devices = []string{device}
			}
			return c.ask(ctx, http.MethodPost, path("users", c.args[0], "logout"), q, &out, func() {
				c.say("logged out: %s", clean(list(out.Devices...)))
			})
		},
	}
}
