package operator

import (
	"context"
	"flag"
	"net/http"
	"strconv"
	"time"

	"hearth/homeserver/administration"
)

func tokenChange() verb {
	var q administration.TokenChange
	return verb{
		name: "token change", args: []string{"TOKEN"}, short: "change a registration token",
		help: `
Changes how many may register with a token, and how long.

  homeserver admin token change choir2026 --uses 40
  homeserver admin token change choir2026 --uses -1 --valid 720h    any number, for a month from now
  homeserver admin token change choir2026 --valid 0                 for ever`,
		flags: func(f *flag.FlagSet) {
			f.Func("uses", "how many may register with it; -1 for any number: `N`", func(s string) error {
				n, err := strconv.ParseInt(s, 10, 64)
				q.Uses = &n
				return err
			})
			f.Func("valid", "how long from now, such as 48h; 0 for ever: `TIME`", func(s string) error {
				d, err := time.ParseDuration(s)
				until := int64(0)
				if d > 0 {
					until = time.Now().Add(d).UnixMilli()
				}
				q.Expires = &until
				return err
			})
		},
		run: func(ctx context.Context, c *call) error {
			if q.Uses == nil && q.Expires == nil {
				return fault("say what to change, by --uses or --valid")
			}
			var t administration.Token
			return c.ask(ctx, http.MethodPut, path("tokens", c.args[0]), q, &t, func() { c.showToken(&t) })
		},
	}
}
