package operator

import (
	"context"
	"flag"
	"net/http"

	"hearth/homeserver/administration"
)

func roomDelete() verb {
	var q administration.RoomDeletion
	var yes bool
	return verb{
		name: "room delete", args: []string{"ROOM"}, short: "remove a room and all that was said in it",
		help: `
Makes all users of this server leave a room, who can read why, and removes what the server keeps of it: events, aliases,
receipts. It takes a while in a large room; "room deletions" shows what is not done yet, and it goes on after a restart.
The room lives on on other servers. With --block, nobody from here can join it again there.

  homeserver admin room delete '!AbCdEf:example.org' --reason "No longer needed"
  homeserver admin room delete '!AbCdEf:example.org' --block --yes`,
		flags: func(f *flag.FlagSet) {
			f.StringVar(&q.Reason, "reason", "", "what the members read: `TEXT`")
			f.BoolVar(&q.Block, "block", false, "let nobody from here join it again")
			f.BoolVar(&yes, "yes", false, "do not ask")
		},
		run: func(ctx context.Context, c *call) error {
			if err := c.confirm(ctx, yes, "deleting "+clean(c.args[0])); err != nil {
				return err
			}
			var out administration.RoomDeleted
			return c.ask(ctx, http.MethodDelete, path("rooms", c.args[0]), q, &out, func() {
				c.say("%s is deleted, %d users left it", out.ID, len(out.Left))
			})
		},
	}
}
