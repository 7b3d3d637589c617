package operator

import (
	"context"
	"net/http"
)

func roomUnblock() verb {
	return verb{
		name: "room unblock", args: []string{"ROOM"}, short: "let users join a deleted room again",
		help: `
Takes back what "room delete --block" said: users of this server may join the room again where it lives on.

  homeserver admin room unblock '!AbCdEf:example.org'`,
		run: func(ctx context.Context, c *call) error {
			return c.ask(ctx, http.MethodPut, path("rooms", c.args[0], "blocked"), map[string]bool{"on": false}, nil, func() {
				c.say("%s is not blocked", clean(c.args[0]))
			})
		},
	}
}
