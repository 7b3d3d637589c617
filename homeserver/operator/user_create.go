package operator

import (
	"context"
	"flag"
	"net/http"

	"hearth/homeserver/administration"
)

func userCreate() verb {
	var q administration.NewUser
	var generate bool
	return verb{
		name: "user create", args: []string{"NAME"}, short: "make an account",
		help: `
Makes an account, whether or not people may register themselves. The password is asked for, read from standard input if
that is no terminal, or generated and printed once.

  homeserver admin user create alice
  homeserver admin user create alice --generate --display-name "Alice A."
  homeserver admin user create root --admin < password.txt
  homeserver admin user create weather --kind bot --generate`,
		flags: func(f *flag.FlagSet) {
			f.BoolVar(&q.Admin, "admin", false, "let the user administer the server")
			f.StringVar(&q.DisplayName, "display-name", "", "the `NAME` that others see")
			f.StringVar(&q.Kind, "kind", "", "bot or support, if it is no person: `KIND`")
			f.BoolVar(&generate, "generate", false, "generate a password and print it")
		},
		run: func(ctx context.Context, c *call) error {
			var err error
			if q.Password, err = c.newPassword(ctx, generate); err != nil {
				return err
			}
			q.Name = c.args[0]
			var made administration.Created
			return c.ask(ctx, http.MethodPost, path("users"), q, &made, func() {
				c.say("%s was created", made.ID)
				c.sayPassword(made.Password)
			})
		},
	}
}

// sayPassword prints a generated password; nobody can print it again.
func (c *call) sayPassword(p string) {
	if p != "" {
		c.say("password: %s", p)
	}
}
