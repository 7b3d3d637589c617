package operator

import (
	"context"
	"strconv"

	"hearth/homeserver/administration"
)

func reportList() verb {
	var p paging
	return verb{
		name: "report list", short: "list what users reported",
		help: `
Lists what users reported, the newest first. A report stays until you delete it.

  homeserver admin report list`,
		flags: p.flags,
		run: func(ctx context.Context, c *call) error {
			var out administration.Reports
			return c.get(ctx, path("reports")+p.query(), &out, func() {
				var rows [][]string
				for _, r := range out.Reports {
					rows = append(rows, []string{strconv.FormatUint(uint64(r.ID), 10), moment(r.Time), string(r.Reporter), about(&r), list(r.Reason)})
				}
				c.table("REPORT TIME BY ABOUT REASON", rows)
				c.more(out.Next)
			})
		},
	}
}

// about says what a report is about.
func about(r *administration.Report) string {
	switch {
	case r.Event != "":
		return "event " + string(r.Event)
	case r.Room != "":
		return "room " + string(r.Room)
	}
	return "user " + string(r.User)
}
