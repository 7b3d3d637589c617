package operator

import (
	"context"

	"hearth/homeserver/administration"
)

func userDevices() verb {
	return verb{
		name: "user devices", args: []string{"USER"}, short: "list a user's devices",
		help: `
Lists the devices of a user, and when each was seen last.

  homeserver admin user devices alice`,
		run: func(ctx context.Context, c *call) error {
			var out administration.Devices
			return c.get(ctx, path("users", c.args[0], "devices"), &out, func() {
				var rows [][]string
				for _, d := range out.Devices {
					rows = append(rows, []string{d.ID, list(d.Name), moment(d.Made), moment(d.Seen), list(d.Address)})
				}
				c.table("DEVICE NAME MADE SEEN FROM", rows)
			})
		},
	}
}
