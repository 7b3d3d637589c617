package operator

import (
	"context"

	"hearth/homeserver/administration"
)

func roomDeletions() verb {
	return verb{
		name: "room deletions", short: "list rooms of which something is still to be removed",
		help: `
Lists the rooms that were deleted and of which not everything is removed yet. It goes on by itself.

  homeserver admin room deletions`,
		run: func(ctx context.Context, c *call) error {
			var out administration.Deletions
			return c.get(ctx, path("deletions"), &out, func() {
				var rows [][]string
				for _, id := range out.Rooms {
					rows = append(rows, []string{string(id)})
				}
				c.table("ROOM", rows)
			})
		},
	}
}
