package operator

import (
	"context"

	"hearth/homeserver/administration"
)

func reportShow() verb {
	return verb{
		name: "report show", args: []string{"REPORT"}, short: "show a report, and what it is about",
		help: `
Shows a report and, of an event, the event as it is now. What is encrypted stays so: nobody but its readers has the key.

  homeserver admin report show 4711`,
		run: func(ctx context.Context, c *call) error {
			var r administration.ReportDetails
			return c.get(ctx, path("reports", c.args[0]), &r, func() {
				c.facts("about", about(&r.Report), "known here", list(when(r.Known, "yes"), when(!r.Known, "no")), "room", string(r.Room),
					"by", string(r.Reporter), "time", moment(r.Time), "reason", r.Reason,
					"sender", string(r.Sender), "event", string(r.Content))
			})
		},
	}
}
