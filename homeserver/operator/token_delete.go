package operator

import (
	"context"
	"net/http"
)

func tokenDelete() verb {
	return verb{
		name: "token delete", args: []string{"TOKEN"}, short: "remove a registration token",
		help: `
Removes a registration token. Who has registered with it stays.

  homeserver admin token delete choir2026`,
		run: func(ctx context.Context, c *call) error {
			return c.ask(ctx, http.MethodDelete, path("tokens", c.args[0]), nil, nil, func() {
				c.say("%s was deleted", clean(c.args[0]))
			})
		},
	}
}
