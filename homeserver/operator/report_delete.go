package operator

import (
	"context"
	"net/http"
)

func reportDelete() verb {
	return verb{
		name: "report delete", args: []string{"REPORT"}, short: "remove a report that was dealt with",
		help: `
Removes a report.

  homeserver admin report delete 4711`,
		run: func(ctx context.Context, c *call) error {
			return c.ask(ctx, http.MethodDelete, path("reports", c.args[0]), nil, nil, func() {
				c.say("report %s was deleted", clean(c.args[0]))
			})
		},
	}
}
