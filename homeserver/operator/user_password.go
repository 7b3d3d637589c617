package operator

import (
	"context"
	"flag"
	"net/http"

	"hearth/homeserver/administration"
)

func userPassword() verb {
	var q administration.NewPassword
	var generate bool
	return verb{
		name: "user password", args: []string{"USER"}, short: "give an account a new password",
		help: `
Replaces the password of an account, for somebody who forgot it, and logs out all devices unless told not to. The new
one is asked for, read from standard input if that is no terminal, or generated and printed once.

  homeserver admin user password alice
  homeserver admin user password alice --generate
  homeserver admin user password alice --keep-sessions < password.txt`,
		flags: func(f *flag.FlagSet) {
			f.BoolVar(&q.KeepSessions, "keep-sessions", false, "leave the devices logged in")
			f.BoolVar(&generate, "generate", false, "generate a password and print it")
		},
		run: func(ctx context.Context, c *call) error {
			var err error
			if q.Password, err = c.newPassword(ctx, generate); err != nil {
				return err
			}
			var changed administration.Created
			return c.ask(ctx, http.MethodPost, path("users", c.args[0], "password"), q, &changed, func() {
				c.say("%s has a new password", changed.ID)
				c.sayPassword(changed.Password)
			})
		},
	}
}
