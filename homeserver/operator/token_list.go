package operator

import (
	"context"
	"strconv"

	"hearth/homeserver/administration"
)

func tokenList() verb {
	return verb{
		name: "token list", short: "list registration tokens",
		help: `
Lists the tokens with which people may register where not everybody may.

  homeserver admin token list`,
		run: func(ctx context.Context, c *call) error {
			var out administration.Tokens
			return c.get(ctx, path("tokens"), &out, func() {
				var rows [][]string
				for _, t := range out.Tokens {
					rows = append(rows, []string{t.Token, usesOf(&t), strconv.FormatInt(t.Pending, 10), strconv.FormatInt(t.Completed, 10), moment(t.Expires)})
				}
				c.table("TOKEN USES PENDING USED EXPIRES", rows)
			})
		},
	}
}

func usesOf(t *administration.Token) string {
	if t.Uses == nil {
		return "any"
	}
	return strconv.FormatInt(*t.Uses, 10)
}

func (c *call) showToken(t *administration.Token) {
	c.facts("token", t.Token, "uses", usesOf(t), "used", strconv.FormatInt(t.Completed, 10), "expires", moment(t.Expires))
}
