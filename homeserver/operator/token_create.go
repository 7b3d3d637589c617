package operator

import (
	"context"
	"flag"
	"net/http"
	"time"

	"hearth/homeserver/administration"
)

func tokenCreate() verb {
	var t administration.Token
	var uses int64
	var valid time.Duration
	return verb{
		name: "token create", short: "make a registration token",
		help: `
Makes a token with which people may register where not everybody may, and prints it. Give it to those whom you want.

  homeserver admin token create                                   for as many as you give it to
  homeserver admin token create --uses 1 --valid 48h              for one person, within two days
  homeserver admin token create --token choir2026 --uses 30`,
		flags: func(f *flag.FlagSet) {
			f.StringVar(&t.Token, "token", "", "the token itself: letters, digits and -._~, at most 64 (default: random): `TEXT`")
			f.Int64Var(&uses, "uses", -1, "how many may register with it; -1 for any number: `N`")
			f.DurationVar(&valid, "valid", 0, "how long, such as 48h (default: for ever): `TIME`")
		},
		run: func(ctx context.Context, c *call) error {
			if uses >= 0 {
				t.Uses = &uses
			}
			if valid > 0 {
				t.Expires = time.Now().Add(valid).UnixMilli()
			}
			var made administration.Token
			return c.ask(ctx, http.MethodPost, path("tokens"), t, &made, func() { c.showToken(&made) })
		},
	}
}
