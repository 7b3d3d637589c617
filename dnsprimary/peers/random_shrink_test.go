package peers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// shrink makes a case smaller as long as it stays one of the same kind, and shows it: question, zone files, differences.
func shrink(t *testing.T, c *comparison) string {
	t.Helper()
	until := time.Now().Add(30 * time.Second)
	small, kind := c, c.kind()
	try := func(plots []*plot) bool {
		if time.Now().After(until) {
			return false
		}
		g := &garden{plots: plots, mixed: c.garden.mixed}
		got := retry(t, c.rival, g, c.q)
		if got == nil || got.kind() != kind {
			return false
		}
		small = got
		return true
	}
	if !try(c.garden.plots) {
		return "not seen again: " + c.String()
	}
	plots := c.garden.plots
	for i := len(plots) - 1; i >= 0 && len(plots) > 1; i-- {
		if fewer := slices.Delete(slices.Clone(plots), i, i+1); try(fewer) {
			plots = fewer
		}
	}
	for i := range plots {
		for step := len(plots[i].entries) / 2; step > 0; step /= 2 {
			for at := len(plots[i].entries) - step; at >= 0; at -= step {
				p := *plots[i]
				p.entries = slices.DeleteFunc(slices.Clone(p.entries[at:min(at+step, len(p.entries))]), func(e entry) bool { return !p.needs(e) })
				p.entries = slices.Concat(plots[i].entries[:at], p.entries, plots[i].entries[min(at+step, len(plots[i].entries)):])
				if len(p.entries) == len(plots[i].entries) {
					continue
				}
				fewer := slices.Clone(plots)
				fewer[i] = &p
				if try(fewer) {
					plots = fewer
				}
			}
		}
	}
	var b strings.Builder
	fmt.Fprintln(&b, small)
	for _, p := range plots {
		fmt.Fprintf(&b, "; zone %s %s\n%s", p.origin, p.denial, p.text())
	}
	return b.String()
}

// needs reports whether no server loads the zone without a record.
func (p *plot) needs(e entry) bool {
	owner := parse(e.owner).key()
	return owner == p.origin && (e.typ == "SOA" || e.typ == "NS") || owner == "ns."+p.origin
}

// retry asks one question of a server that has nothing else.
func retry(t *testing.T, name string, g *garden, q probe) *comparison {
	t.Helper()
	e, err := examOf(t, []*garden{g})
	if err != nil {
		return nil
	}
	e.start(name)
	defer e.rivals[0].program.kill()
	if e.rivals[0].lacks(g) {
		return nil
	}
	line := &line{address: e.rivals[0].address}
	defer line.close()
	return e.one(e.rivals[0], line, g, q)
}
