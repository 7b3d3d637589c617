package zone

import (
	"fmt"
	"github.com/miekg/dns"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestEditsAgainstAMap edits a zone at random, beside a plain map, and keeps old versions to see that they last.
func TestEditsAgainstAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	z, plain := New("\x04test\x00"), map[Name]uint32{}
	type version struct {
		zone  *Zone
		plain map[Name]uint32
	}
	var versions []version
	for round := range 60 {
		e := z.Edit()
		for range 300 {
			n := Name(fmt.Sprintf("\x05%05d\x04test\x00", random.IntN(4000)))
			if random.IntN(60) < round { // grow first, shrink later
				e.RemoveName(n)
				delete(plain, n)
				continue
			}
			ttl := random.Uint32N(100)
			if _, err := e.Add(Record{n, dns.TypeA, ttl, "\x7f\x00\x00\x01"}); err != nil {
				t.Fatal(err)
			}
			plain[n] = ttl
		}
		z = e.Zone()
		versions = append(versions, version{z, maps.Clone(plain)})
	}
	for i, v := range versions {
		checkAgainst(t, fmt.Sprintf("version %d", i), v.zone, v.plain)
		if i > 0 {
			checkDiff(t, versions[i-1].zone, v.zone)
		}
	}
	e := z.Edit()
	for n := range plain {
		e.RemoveName(n)
	}
	checkAgainst(t, "empty", e.Zone(), nil)
}

func checkAgainst(t *testing.T, what string, z *Zone, plain map[Name]uint32) {
	t.Helper()
	if z.Owners() != len(plain) || z.Records() != len(plain) {
		t.Errorf("%s has %d owners and %d records, want %d", what, z.Owners(), z.Records(), len(plain))
	}
	var names []Name
	for n, sets := range z.All() {
		if names = append(names, n); sets[0].TTL != plain[n] || z.Set(n, dns.TypeA).TTL != plain[n] {
			t.Errorf("%s: %s has the TTL %d, want %d", what, n, sets[0].TTL, plain[n])
		}
	}
	if want := slices.Sorted(maps.Keys(plain)); !slices.Equal(names, want) {
		t.Errorf("%s has %d names in another order than %d wanted", what, len(names), len(want))
	}
	back := slices.Collect(first(z.Before("\x0599999\x04test\x00")))
	slices.Reverse(back)
	if !slices.Equal(back, names) {
		t.Errorf("%s has %d names backwards, %d forwards", what, len(back), len(names))
	}
}

// TestTheTreeShrinks takes names out of a tree of several levels, in orders that leave pages thin, and looks at all pages.
func TestTheTreeShrinks(t *testing.T) {
	const n = 20_000
	random := rand.New(rand.NewPCG(3, 4))
	orders := map[string]func(i int) int{
		"ascending":  func(i int) int { return i },
		"descending": func(i int) int { return n - 1 - i },
		"strided":    func(i int) int { return i * 37 % n },
		"two ends":   func(i int) int { return (i%2*(n-1-i) + (i+1)%2*i) % n },
	}
	shuffled := random.Perm(n)
	orders["random"] = func(i int) int { return shuffled[i] }
	for what, order := range orders {
		e := New("\x04test\x00").Edit()
		for _, i := range random.Perm(n) {
			if _, err := e.Add(Record{numbered(i), dns.TypeA, 1, "\x7f\x00\x00\x01"}); err != nil {
				t.Fatal(err)
			}
		}
		left := make(map[Name]uint32, n)
		for i := range n {
			left[numbered(i)] = 1
		}
		for i := range n {
			e.RemoveName(numbered(order(i)))
			delete(left, numbered(order(i)))
			if i%2500 == 0 || i > n-3 {
				z := e.Zone()
				checkPages(t, what, z.root, true)
				checkAgainst(t, what, z, left)
			}
		}
	}
}

func numbered(i int) Name { return Name(fmt.Sprintf("\x05%05d\x04test\x00", i)) }

// checkPages checks that no page but an empty root is empty, none is too full, and keys separate children.
func checkPages(t *testing.T, what string, p *page, root bool) {
	t.Helper()
	if p.size() > pageMax || p.size() == 0 && !root || len(p.keys) != len(p.children) || root && len(p.children) == 1 {
		t.Errorf("%s: a page has %d entries, %d children and %d keys", what, len(p.entries), len(p.children), len(p.keys))
	}
	for i, child := range p.children {
		checkPages(t, what, child, false)
		if i > 0 && (p.keys[i] > child.first() || p.keys[i] <= p.children[i-1].end(-1).key) {
			t.Errorf("%s: the key %q does not separate %q from %q", what, p.keys[i], p.children[i-1].end(-1).key, child.first())
		}
	}
}

func first(seq func(func(Name, []RRset) bool)) func(func(Name) bool) {
	return func(yield func(Name) bool) {
		for n := range seq {
			if !yield(n) {
				return
			}
		}
	}
}

func TestAnEditDoesNotChangeWhatItMadeBefore(t *testing.T) {
	e := New("\x04test\x00").Edit()
	for i := range 500 {
		if _, err := e.Add(Record{Name(fmt.Sprintf("\x03%03d\x04test\x00", i)), dns.TypeA, 1, "\x7f\x00\x00\x01"}); err != nil {
			t.Fatal(err)
		}
	}
	a := e.Zone()
	e.RemoveName("\x03123\x04test\x00")
	if b := e.Zone(); a.Owners() != 500 || len(a.Sets("\x03123\x04test\x00")) != 1 || b.Owners() != 499 {
		t.Errorf("the first zone has %d owners, the second %d", a.Owners(), b.Owners())
	}
}
