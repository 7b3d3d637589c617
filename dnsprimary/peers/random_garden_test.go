package peers_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// A garden is some zones that know of each other, which one server serves.
type garden struct {
	plots []*plot
	names []domain        // what may be interesting to ask for
	mixed map[string]bool // records, by type and rdata in lower case, of sets that have several TTLs

	once  sync.Once // makes what follows
	known map[string]bool
	sets  map[string]int
	glue  map[string][]string // addresses, by the zone that has them
}

// newGarden makes zones below a name: one, and perhaps a child that is delegated or is not, a child of that, and one beside.
func newGarden(seed, number uint64) *garden {
	chance := rand.New(rand.NewPCG(seed, number))
	top := domain{fmt.Sprintf("w%d", number), "test"}
	g := &garden{mixed: make(map[string]bool)}
	plant := func(apex domain) []domain {
		for _, p := range g.plots {
			if p.origin == apex.key() {
				return nil
			}
		}
		p, names, cuts := newPlot(chance, apex, g.names, false)
		p.denial = []string{"", "", "NSEC", "NSEC3"}[chance.IntN(4)]
		p.keys = chance.IntN(6)
		g.plots, g.names = append(g.plots, p), names
		return cuts
	}
	cuts := plant(top)
	if len(cuts) > 0 && chance.IntN(2) == 0 {
		if cut := cuts[chance.IntN(len(cuts))]; plain(cut) {
			plant(cut)
		}
	}
	if chance.IntN(4) == 0 {
		plant(top.under("a"))
	}
	if chance.IntN(6) == 0 {
		plant(top.under("b", "a"))
	}
	if chance.IntN(4) == 0 {
		plant(domain{fmt.Sprintf("v%d", number), "test"})
	}
	for _, p := range g.plots {
		g.mix(p)
	}
	return g
}

// mix notes the sets that have several TTLs.
func (g *garden) mix(p *plot) {
	sets := make(map[string][]entry)
	for _, e := range p.entries {
		kind := parse(e.owner).key() + e.typ
		sets[kind] = append(sets[kind], e)
	}
	for _, set := range sets {
		if !slices.ContainsFunc(set, func(e entry) bool { return e.ttl != set[0].ttl }) {
			continue
		}
		for _, e := range set {
			text := e.normal()
			g.mixed[fieldOf(text, 3)+" "+fieldOf(text, 4)] = true
		}
	}
}

// plain reports whether all servers' configurations can name a zone so.
func plain(d domain) bool {
	return d.size() < 120 && strings.Trim(d.key(), "abcdefghijklmnopqrstuvwxyz0123456789.") == ""
}

// typeOf returns the number of a type.
func typeOf(name string) uint16 {
	if typ, ok := dns.StringToType[name]; ok {
		return typ
	}
	var typ uint16
	_, _ = fmt.Sscanf(name, "TYPE%d", &typ) // 0 if it is none, which asks for nothing
	return typ
}
