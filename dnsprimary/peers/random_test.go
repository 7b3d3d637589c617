package peers_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

// TestRandomQuestions asks questions that chance makes about zones that chance makes, of us and of other servers, which
// have the same zone files.
func TestRandomQuestions(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what runs other servers")
	}
	rounds, gardens, questions := 1, 30, 60
	if long() {
		rounds, gardens, questions = 4, 60, 250
	}
	for round := range rounds {
		e := newExam(t, seed(t)+uint64(round), gardens)
		e.start("bind", "knot", "nsd")
		e.ask(questions)
		e.report()
		for _, r := range e.rivals {
			r.program.kill()
		}
		if t.Failed() {
			return
		}
	}
}

// seed is what chance begins with: HEARTH_SEED, or always the same. The long form goes on with the numbers behind it.
func seed(t *testing.T) uint64 {
	text := os.Getenv("HEARTH_SEED")
	if text == "" {
		return 1
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// An exam is some gardens that are served by us and by others.
type exam struct {
	t       *testing.T
	seed    uint64
	gardens []*garden
	ours    *ours
	zones   []string
	texts   []string
	rivals  []*rival
	keys    map[string][]*dns.DNSKEY // of signed zones
	asked   atomic.Int64
	proved  atomic.Int64

	mu       sync.Mutex // guards what follows
	used     map[string]int
	failures map[string][]*comparison // by what differs
}

func newExam(t *testing.T, seed uint64, gardens int) *exam {
	var all []*garden
	for i := range gardens {
		all = append(all, newGarden(seed, uint64(i)))
	}
	e, err := examOf(t, all)
	if err != nil {
		t.Fatal(err)
	}
	e.seed = seed
	return e
}

// examOf returns an exam about gardens.
func examOf(t *testing.T, gardens []*garden) (*exam, error) {
	e := &exam{t: t, gardens: gardens, used: make(map[string]int), failures: make(map[string][]*comparison)}
	var plots []*plot
	for _, g := range gardens {
		plots = append(plots, g.plots...)
	}
	for _, p := range plots {
		e.zones = append(e.zones, p.origin)
	}
	var err error
	e.ours, e.texts, err = newOurs(plots)
	if err != nil {
		return nil, err
	}
	e.keys = e.ours.keys
	return e, nil
}

func (e *exam) start(names ...string) {
	e.t.Helper()
	folder := e.t.TempDir()
	for i, text := range e.texts {
		write(e.t, folder, fmt.Sprint(i), text)
	}
	fatal := make(map[string]bool)
	for _, g := range e.gardens {
		for _, p := range g.plots {
			fatal[p.origin] = p.denial == "NSEC3" && slices.ContainsFunc(p.entries, func(e entry) bool { return parse(e.owner).size() > 253 })
		}
	}
	e.rivals = rivals(e.t, folder, e.zones, false, fatal, names...)
}

// ask asks each server questions about each garden.
func (e *exam) ask(questions int) {
	var all sync.WaitGroup
	for _, r := range e.rivals {
		const lines = 4
		for i := range lines {
			all.Go(func() {
				line := &line{address: r.address}
				defer line.close()
				for n := i; n < len(e.gardens); n += lines {
					if r.lacks(e.gardens[n]) {
						continue
					}
					x := newExaminer(e.seed, uint64(n), e.gardens[n])
					for range questions {
						q := x.probe()
						if c := e.one(r, line, e.gardens[n], q); c != nil {
							e.fail(c)
						}
					}
				}
			})
		}
	}
	all.Wait()
}

// lacks reports whether a server does not have all zones of a garden.
func (r *rival) lacks(g *garden) bool {
	return slices.ContainsFunc(g.plots, func(p *plot) bool { return r.missing[p.origin] || r.fatal[p.origin] })
}

// one asks one question of a rival and of us, and judges. It returns what cannot be explained.
func (e *exam) one(r *rival, line *line, g *garden, q probe) *comparison {
	e.asked.Add(1)
	c := &comparison{rival: r.name, garden: g, q: q, keys: e.keys}
	message, err := q.message(uint16(e.asked.Load())).Pack()
	if err != nil {
		return c.wrong("the question cannot be packed: %v", err)
	}
	for _, mine := range []struct {
		s      **sight
		stream bool
	}{{&c.ours, q.stream}, {&c.whole, true}} {
		reply := e.ours.answer(message, mine.stream)
		m := new(dns.Msg)
		if reply == nil {
			m = nil
		} else if err := m.Unpack(reply); err != nil {
			return c.wrong("our reply cannot be unpacked: %v", err)
		}
		*mine.s, c.message = behold(m, len(reply)), m
	}
	if q.typ == dns.TypeAXFR || q.typ == dns.TypeIXFR { // a transfer is for who has the right
		return nil
	}
	theirs := func(stream bool) *sight {
		reply, size, err := line.exchange(message, stream)
		if err != nil && reply != nil {
			return &sight{silent: true}
		}
		c.theirMessage = reply
		return behold(reply, size)
	}
	if c.theirs = theirs(q.stream); !q.stream && len(differences(c.ours, c.theirs)) > 0 {
		c.theirWhole = theirs(true)
	}
	c.all = differences(c.ours, c.theirs)
	c.left = append(c.left, unsound(c)...)
	if keys := e.keys[c.served()]; q.do && q.version == 0 && keys != nil && !c.openWildcard() && q.class == dns.ClassINET && q.opcode == dns.OpcodeQuery && !c.ours.silent && c.ours.rcode != dns.RcodeFormatError && c.ours.rcode != dns.RcodeNotImplemented {
		e.proved.Add(1)
		c.left = append(c.left, validate(c.served(), keys, q, c.message)...)
	}
	left, used := c.settle(freedoms())
	c.left = append(c.left, left...)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range used {
		e.used[r.name+": "+name]++
	}
	if len(c.left) > 0 {
		return c
	}
	return nil
}

func (e *exam) fail(c *comparison) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failures[c.kind()] = append(e.failures[c.kind()], c)
}

// report fails the test for what cannot be explained. The first case of a few kinds is made as small as it can be.
func (e *exam) report() {
	e.t.Logf("%d questions about %d zones; %d answers of signed zones were validated", e.asked.Load(), len(e.zones), e.proved.Load())
	for _, r := range e.rivals {
		e.t.Logf("%s does not have %d of them", r.name, len(r.missing))
	}
	for _, name := range slices.Sorted(maps.Keys(e.used)) {
		e.t.Logf("%6d × %s", e.used[name], name)
	}
	kinds := slices.SortedFunc(maps.Keys(e.failures), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(e.failures[b]), len(e.failures[a])), cmp.Compare(a, b))
	})
	const most = 6
	for i, kind := range kinds {
		if i >= most {
			e.t.Errorf("%d × %s", len(e.failures[kind]), kind)
			continue
		}
		e.t.Errorf("%d × %s", len(e.failures[kind]), shrink(e.t, e.failures[kind][0]))
	}
}
