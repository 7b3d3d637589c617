package peers_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hearth/dnsprimary/primary"
	"hearth/dnsprimary/zone"
)

const updateKey = "0123456789abcdef0123456789abcdef"

// A gardener changes a zone of ours.
type gardener struct {
	*rand.Rand
	t        *testing.T
	number   uint64
	seed     uint64
	plot     *plot
	planter  *planter
	origin   zone.Name
	state    *primary.State
	desk     primary.Desk
	now      time.Time
	steps    []step // all that was sent since the beginning
	versions map[uint32][]string
}

// String shows what the zone is now, and the last step.
func (g *gardener) String() string {
	return fmt.Sprintf("the last update was\n%v; the zone at the beginning\n%s", g.steps[len(g.steps)-1], g.plot.text())
}

// A step is one update: prerequisites and changes.
type step struct{ needs, changes []dns.RR }

func (s step) String() string {
	var b strings.Builder
	for _, rr := range s.needs {
		fmt.Fprintf(&b, "    prerequisite %s\n", rr)
	}
	for _, rr := range s.changes {
		fmt.Fprintf(&b, "    change %s\n", rr)
	}
	return b.String()
}

func newGardener(t *testing.T, seed, number uint64, denial string) *gardener {
	t.Helper()
	g := &gardener{t: t, number: number, seed: seed}
	chance := rand.New(rand.NewPCG(seed^0x5555, number))
	apex := domain{fmt.Sprintf("u%d", number), "test"}
	g.plot, _, _ = newPlot(chance, apex, nil, true)
	g.plot.denial, g.plot.keys = denial, int(number/2)
	var err error
	if g.origin, err = zone.ParseName(g.plot.origin); err != nil {
		t.Fatal(err)
	}
	g.reset()
	return g
}

// reset begins anew, with the same chance.
func (g *gardener) reset() {
	g.t.Helper()
	g.Rand = rand.New(rand.NewPCG(g.seed^0x3333, g.number))
	apex := parse(g.plot.origin)
	g.planter = &planter{Rand: g.Rand, apex: apex, plot: &plot{origin: g.plot.origin}, owners: make(map[string]map[string]bool), ttls: make(map[string]int), names: []domain{apex, apex.under("ns")}, loose: true}
	for _, e := range g.plot.entries {
		g.planter.names = append(g.planter.names, parse(e.owner))
	}
	o, _, err := newOurs([]*plot{g.plot})
	if err != nil {
		g.t.Fatal(err)
	}
	hosted, _ := o.state.Zone(g.origin)
	state, err := primary.NewState(primary.Settings{Keys: []primary.Key{{Name: "\x03key\x00", Algorithm: primary.HMACSHA256, Secret: []byte(updateKey),
		Grants: []primary.Grant{{Zone: g.origin, Transfer: true, Update: true, Name: g.origin}}}}})
	if err != nil {
		g.t.Fatal(err)
	}
	g.state, g.now, g.steps, g.versions = state.With(hosted), time.Now(), nil, make(map[uint32][]string)
	g.note()
}

// note keeps the version that is now.
func (g *gardener) note() {
	h, _ := g.state.Zone(g.origin)
	g.versions[h.Zone.Serial()] = g.transfer(0)
}

// records returns the records of our zone of now.
func (g *gardener) records() (all []dns.RR) {
	h, _ := g.state.Zone(g.origin)
	for owner, sets := range h.Zone.All() {
		for _, set := range sets {
			if h.Signer != nil && h.Signer.Makes(set.Type) {
				continue
			}
			for rdata := range set.All() {
				rr, err := zone.Record{Owner: owner, Type: set.Type, TTL: set.TTL, Rdata: rdata}.RR()
				if err != nil {
					g.t.Fatal(err)
				}
				all = append(all, rr)
			}
		}
	}
	return all
}

// plan makes up the next update.
func (g *gardener) plan() {
	var s step
	have := g.records()
	for range g.IntN(3) * g.IntN(2) {
		s.needs = append(s.needs, g.need(have))
	}
	for range 1 + g.IntN(5) {
		s.changes = append(s.changes, g.change(have))
	}
	g.steps = append(g.steps, s)
}

func (g *gardener) one(have []dns.RR) dns.RR { return dns.Copy(have[g.IntN(len(have))]) }

// fresh makes a record that might be added.
func (g *gardener) fresh() dns.RR {
	for {
		owner := g.planter.owner()
		typ, rdata := g.planter.anything()
		if typ == "DS" && g.IntN(8) > 0 {
			continue
		}
		switch g.IntN(10) {
		case 0:
			typ, rdata = "CNAME", g.planter.target().text(g.Rand)
		case 1:
			typ, rdata = "NS", g.planter.target().text(g.Rand)
		case 2:
			typ, rdata = "DNAME", g.planter.target().text(g.Rand)
		}
		if len(owner) > 0 && owner[0] == "*" && (typ == "NS" || typ == "DNAME") {
			continue
		}
		rr, err := dns.NewRR(entry{owner.text(g.Rand), fmt.Sprint([]int{0, 1, 60, 300, 86400}[g.IntN(5)]), typ, rdata}.String())
		if err != nil {
			continue
		}
		return rr
	}
}

// soa makes a SOA for the zone, with a serial near the one that it has.
func (g *gardener) soa(have []dns.RR) dns.RR {
	for _, rr := range have {
		if soa, ok := rr.(*dns.SOA); ok {
			soa = dns.Copy(soa).(*dns.SOA)
			soa.Serial += []uint32{0, 1, 2, 1000, ^uint32(0), 1 << 20}[g.IntN(6)]
			soa.Minttl = uint32(g.IntN(1000))
			return soa
		}
	}
	g.t.Fatal("the zone has no SOA")
	return nil
}

func meant(class uint16, rr dns.RR, bare bool) dns.RR {
	h := *rr.Header()
	h.Class, h.Ttl = class, 0
	if bare {
		h.Rdlength = 0
		return &dns.ANY{Hdr: h}
	}
	*rr.Header() = h
	return rr
}

func (g *gardener) need(have []dns.RR) dns.RR {
	rr := g.one(have)
	if g.IntN(3) == 0 {
		rr = g.fresh()
	}
	class := []uint16{dns.ClassANY, dns.ClassNONE, dns.ClassINET}[g.IntN(3)]
	if class == dns.ClassINET {
		if rr.Header().Rrtype == dns.TypeSOA { // serials differ
			return meant(dns.ClassANY, rr, true)
		}
		return meant(class, rr, false)
	}
	if g.IntN(2) == 0 {
		rr.Header().Rrtype = dns.TypeANY
	}
	return meant(class, rr, true)
}

func (g *gardener) change(have []dns.RR) dns.RR {
	switch g.IntN(16) {
	case 0, 1, 2:
		return meant(dns.ClassNONE, g.one(have), false)
	case 3:
		return meant(dns.ClassNONE, g.fresh(), false)
	case 4, 5:
		return meant(dns.ClassANY, g.one(have), true)
	case 6:
		rr := g.one(have)
		if g.IntN(3) == 0 {
			rr = g.fresh()
		}
		rr.Header().Rrtype = dns.TypeANY
		return meant(dns.ClassANY, rr, true)
	case 7:
		if g.IntN(2) == 0 {
			return g.soa(have)
		}
		rr := g.one(have) // again, with another TTL
		rr.Header().Ttl = uint32(g.IntN(1000))
		if rr.Header().Rrtype == dns.TypeSOA {
			return g.fresh()
		}
		return rr
	case 8:
		return g.odd(have)
	}
	return g.fresh()
}

// odd makes a change that is not allowed, or nearly not.
func (g *gardener) odd(have []dns.RR) dns.RR {
	rr := g.one(have)
	switch g.IntN(8) {
	case 0:
		rr.Header().Name = "outside.invalid."
	case 1:
		rr = meant(dns.ClassANY, rr, false) // has data
	case 2:
		rr = meant(dns.ClassNONE, rr, false)
		rr.Header().Ttl = 1
	case 3:
		rr.Header().Class = dns.ClassCHAOS
	case 4:
		rr = meant(dns.ClassINET, rr, true)
		rr.Header().Rrtype = []uint16{dns.TypeANY, dns.TypeMAILB, dns.TypeA}[g.IntN(3)]
	case 5:
		rr = g.soa(have)
		rr.Header().Name = "below." + g.plot.origin
	case 6:
		rr = meant(dns.ClassANY, &dns.ANY{Hdr: dns.RR_Header{Name: g.plot.origin, Rrtype: []uint16{dns.TypeANY, dns.TypeNS, dns.TypeSOA}[g.IntN(3)]}}, true)
	default:
		rr = meant(dns.ClassNONE, rr, true) // lacks data
	}
	return rr
}
