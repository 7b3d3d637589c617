package peers_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// TestRandomUpdates sends updates that chance makes to us and to BIND, and compares what both say and what the zone is then; and
// has every earlier version brought to the newest by IXFR. Knot (3.2) is no judge here: it ends at some of them.
func TestRandomUpdates(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what runs other servers")
	}
	zones, updates := 12, 30
	if long() {
		zones, updates = 60, 100
	}
	var all []*gardener
	var origins []string
	folder := t.TempDir()
	for i := range zones {
		g := newGardener(t, seed(t), uint64(i), "")
		write(t, folder, fmt.Sprint(i), g.plot.text())
		all, origins = append(all, g), append(origins, g.plot.origin)
	}
	tally := make(map[string]int)
	sent := 0
	for _, r := range rivals(t, folder, origins, true, nil, "bind") {
		for i, g := range all {
			if r.missing[g.plot.origin] {
				t.Logf("%s does not load %s", r.name, g.plot.origin)
				continue
			}
			g.reset()
			line := &line{address: r.address}
			for n := range updates {
				g.plan()
				sent++
				d, lost := g.compare(t, r, line, tally)
				if d != "" {
					t.Errorf("%s, seed %d, zone %d, update %d: %s\n%s", r.name, seed(t), i, n, d, g)
				}
				if lost {
					break
				}
			}
			line.close()
			g.replay()
		}
	}
	for what, n := range tally {
		t.Logf("%6d × %s", n, what)
	}
	t.Logf("%d updates", sent)
}

// TestRandomUpdatesOfSignedZones changes signed zones by chance: whatever is asked then must be proved, by signatures and denials
// that were made step by step.
func TestRandomUpdatesOfSignedZones(t *testing.T) {
	zones, updates, questions := 6, 15, 60
	if long() {
		zones, updates, questions = 60, 40, 200
	}
	asked := 0
	for i := range zones {
		g := newGardener(t, seed(t), uint64(i), []string{"NSEC", "NSEC3"}[i%2])
		for range updates {
			g.plan()
			g.send(g.message())
		}
		g.replay()
		asked += g.examine(questions)
		g.verified()
	}
	t.Logf("%d answers were validated", asked)
}

// verified has BIND's tool judge our signed zone: all its signatures, and the whole chain of denial. ldns and Knot are no judges
// of such zones: the one takes an escaped @ for the origin, the other wants no names below DNAME.
func (g *gardener) verified() {
	g.t.Helper()
	if _, err := exec.LookPath(find("dnssec-verify")); err != nil {
		g.t.Log("dnssec-verify is not installed: it cannot judge")
		return
	}
	h, _ := g.state.Zone(g.origin)
	if slices.ContainsFunc(g.records(), func(rr dns.RR) bool {
		return strings.HasPrefix(rr.Header().Name, "*.") && rr.Header().Rrtype == dns.TypeNS
	}) {
		return // BIND takes no such zone
	}
	var b strings.Builder
	if err := h.Zone.Print(&b); err != nil {
		g.t.Fatal(err)
	}
	args := []string{"-q", "-o", g.plot.origin}
	if g.plot.keys%3 != 0 {
		args = append(args, "-z") // one key for both is as good
	}
	if out, err := try(g.t, "", "dnssec-verify", append(args, write(g.t, g.t.TempDir(), "zone", b.String()))...); err != nil {
		g.t.Errorf("seed %d, zone %d: %v\n%s\n%s", g.seed, g.number, err, out, b.String())
	}
}

// compare sends the last step to another server and to us. It returns what differs without a reason.
func (g *gardener) compare(t *testing.T, r *rival, line *line, tally map[string]int) (wrong string, lost bool) {
	t.Helper()
	m := g.message()
	reply, _, err := line.exchange(wire(t, m), true)
	if err != nil || reply == nil {
		return fmt.Sprintf("no reply: %v", err), true
	}
	u := updated{rival: r.name, last: g.steps[len(g.steps)-1], before: g.records(), theirs: reply.Rcode}
	state := g.state
	u.ours = g.send(m)
	u.after = g.records()
	theirs, err := transfer(r.address, g.plot.origin, nil)
	if err != nil {
		return fmt.Sprintf("transferring: %v", err), true
	}
	ours := g.transfer(0)
	for _, all := range [][]string{ours, theirs} {
		for i, rr := range all {
			all[i] = strings.ToLower(rr)
		}
	}
	if u.ours != u.theirs {
		u.left = append(u.left, fmt.Sprintf("rcode %s, theirs %s", dns.RcodeToString[u.ours], dns.RcodeToString[u.theirs]))
	}
	u.more, u.less = without(ours, theirs), without(theirs, ours)
	for _, rr := range u.more {
		u.left = append(u.left, "only ours has "+rr)
	}
	for _, rr := range u.less {
		u.left = append(u.left, "only theirs has "+rr)
	}
	if len(u.left) == 0 {
		return "", false
	}
	for _, f := range updateFreedoms() {
		if !f.applies(&u) {
			continue
		}
		tally[r.name+": "+f.name]++
		if u.theirs == dns.RcodeSuccess && len(u.more)+len(u.less) > 0 {
			return "", true
		}
		if len(u.more)+len(u.less) > 0 { // they have not changed the zone: neither have we
			g.state = state
		}
		return "", false
	}
	return strings.Join(u.left[:min(len(u.left), 12)], "\n    "), true
}

// updated is what became of an update.
type updated struct {
	rival         string
	last          step
	before, after []dns.RR
	ours, theirs  int
	more, less    []string // what only our zone has then, what only theirs
	left          []string
}

// An updateFreedom is a difference for which the standards have room, or in which another server departs from them.
type updateFreedom struct {
	name    string
	applies func(u *updated) bool
}

func updateFreedoms() []updateFreedom {
	return []updateFreedom{
		{"BIND refuses what leaves a name server of the zone without address, or below a DNAME, of which RFC 2136 §3.4 says nothing", func(u *updated) bool {
			return u.ours == dns.RcodeSuccess && u.theirs == dns.RcodeRefused && u.orphaned()
		}},
		{"BIND reads and looks over all changes before the prerequisites, which come first in RFC 2136 §3.2 and §3.4.1", func(u *updated) bool {
			return len(u.last.needs) > 0 && slices.Contains([]int{dns.RcodeNXRrset, dns.RcodeYXRrset, dns.RcodeNameError, dns.RcodeYXDomain}, u.ours) &&
				slices.Contains([]int{dns.RcodeNotZone, dns.RcodeFormatError, dns.RcodeRefused}, u.theirs)
		}},
		{"BIND counts twice what a prerequisite has twice; a set has no duplicates (RFC 2136 §3.2.3, RFC 2181 §5)", func(u *updated) bool {
			seen := make(map[string]bool)
			return u.theirs == dns.RcodeNXRrset && slices.ContainsFunc(u.last.needs, func(rr dns.RR) bool {
				text := strings.ToLower(rr.String())
				twice := seen[text]
				seen[text] = true
				return twice
			})
		}},
		{"BIND passes over DS for a name without NS; RFC 4035 §2.4 forbids it at the apex only", func(u *updated) bool {
			return len(u.less) == 0 && !slices.ContainsFunc(u.more, func(rr string) bool { return fieldOf(rr, 3) != "ds" })
		}},
	}
}

// orphaned reports whether a server of the zone that is a name in it has no address after an update.
func (u *updated) orphaned() bool {
	apex, servers, moved, addressed := "", []string{}, []string{}, make(map[string]bool)
	for _, rr := range u.after {
		switch rr := rr.(type) {
		case *dns.SOA:
			apex = rr.Hdr.Name
		case *dns.A, *dns.AAAA:
			addressed[rr.Header().Name] = true
		case *dns.DNAME:
			moved = append(moved, rr.Hdr.Name)
		}
	}
	for _, rr := range u.after {
		if ns, ok := rr.(*dns.NS); ok && ns.Hdr.Name == apex {
			servers = append(servers, ns.Ns)
		}
	}
	return slices.ContainsFunc(servers, func(name string) bool {
		return dns.IsSubDomain(apex, name) && (!addressed[name] || slices.ContainsFunc(moved, func(owner string) bool { return dns.IsSubDomain(owner, name) }))
	})
}
