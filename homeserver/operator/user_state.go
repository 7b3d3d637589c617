package operator

import (
	"context"
	"net/http"

	"hearth/homeserver/administration"
)

// setState is what the verbs do that turn something of an account on or off; what they did is said with the user's id.
func setState(state string, on bool, did string) func(context.Context, *call) error {
	return func(ctx context.Context, c *call) error {
		var u administration.User
		return c.ask(ctx, http.MethodPut, path("users", c.args[0], state), map[string]bool{"on": on}, &u, func() {
			c.say("%s %s", u.ID, did)
		})
	}
}
