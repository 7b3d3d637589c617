package operator

import (
	"context"
	"flag"
	"net/url"
	"strconv"

	"hearth/homeserver/administration"
)

func userList() verb {
	var p paging
	var state string
	return verb{
		name: "user list", short: "list accounts",
		help: `
Lists accounts by their names, 100 at a time.

  homeserver admin user list
  homeserver admin user list --state admin          who may administer the server
  homeserver admin user list --search ali           whose id contains "ali"
  homeserver admin user list --limit 1000 --json    for a program`,
		flags: func(f *flag.FlagSet) {
			p.flags(f)
			f.StringVar(&p.search, "search", "", "only those whose id contains `TEXT`")
			f.StringVar(&state, "state", "", "only those that are active, admin, locked, suspended or deactivated: `STATE`")
		},
		run: func(ctx context.Context, c *call) error {
			var out administration.Users
			return c.get(ctx, path("users")+p.query("state", state), &out, func() {
				var rows [][]string
				for _, u := range out.Users {
					rows = append(rows, []string{string(u.ID), list(u.DisplayName), moment(u.Made), stateOf(&u)})
				}
				c.table("USER NAME MADE STATE", rows)
				c.more(string(out.Next))
			})
		},
	}
}

// stateOf says in words what an account is beside an ordinary one.
func stateOf(u *administration.User) string {
	return list(when(u.Admin, "admin"), when(u.Locked, "locked"), when(u.Suspended, "suspended"),
		when(u.Deactivated, "deactivated"), when(u.Erased, "erased"), u.Kind)
}

// paging is what verbs take that list something.
type paging struct {
	from, search string
	limit        int
}

func (p *paging) flags(f *flag.FlagSet) {
	f.StringVar(&p.from, "from", "", "go on behind a page, as it says at its end: `PLACE`")
	f.IntVar(&p.limit, "limit", 100, "at most `N` at a time")
}

// query writes the parameters of a list, those that are not "".
func (p *paging) query(more ...string) string {
	q := url.Values{"limit": {strconv.Itoa(p.limit)}}
	for i := 0; i < len(more); i += 2 {
		if more[i+1] != "" {
			q.Set(more[i], more[i+1])
		}
	}
	if p.from != "" {
		q.Set("from", p.from)
	}
	if p.search != "" {
		q.Set("search", p.search)
	}
	return "?" + q.Encode()
}

// more says how to see the next page, if there is one.
func (c *call) more(next string) {
	if next != "" {
		c.say("There are more: --from %s", clean(next))
	}
}
