package operator

import (
	"context"
	"flag"
	"strconv"

	"hearth/homeserver/administration"
)

func roomList() verb {
	var p paging
	var sort string
	return verb{
		name: "room list", short: "list rooms",
		help: `
Lists the rooms that the server knows, those with most members first, 100 at a time.

  homeserver admin room list
  homeserver admin room list --sort events --limit 10    the ten largest
  homeserver admin room list --search choir              whose name or id contains "choir"`,
		flags: func(f *flag.FlagSet) {
			p.flags(f)
			f.StringVar(&p.search, "search", "", "only those whose name or id contains `TEXT`")
			f.StringVar(&sort, "sort", "", "members, events, name or created (the newest first): `ORDER`")
		},
		run: func(ctx context.Context, c *call) error {
			var out administration.Rooms
			return c.get(ctx, path("rooms")+p.query("sort", sort), &out, func() {
				var rows [][]string
				for _, r := range out.Rooms {
					rows = append(rows, []string{string(r.ID), list(r.Name), list(r.Alias), strconv.FormatInt(r.Members, 10), strconv.FormatInt(r.Events, 10), string(r.Creator), moment(r.Created)})
				}
				c.table("ROOM NAME ALIAS MEMBERS EVENTS CREATOR CREATED", rows)
				c.more(out.Next)
			})
		},
	}
}
