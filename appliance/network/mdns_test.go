package network

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func claimed(t testing.TB, label string, addresses ...string) claim {
	t.Helper()
	var all []netip.Addr
	for _, a := range addresses {
		all = append(all, netip.MustParseAddr(a))
	}
	c, err := newClaim(label, all)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func asks(name string, kind dnsmessage.Type) *dnsmessage.Message {
	return &dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{
		{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET},
	}}
}

// spell writes a message's records down, the additional ones after a /.
func spell(m *dnsmessage.Message) string {
	if m == nil {
		return "nothing"
	}
	var words []string
	for i, section := range [][]dnsmessage.Resource{m.Answers, m.Additionals} {
		if i == 1 {
			words = append(words, "/")
		}
		for _, r := range section {
			switch body := r.Body.(type) {
			case *dnsmessage.AResource:
				words = append(words, netip.AddrFrom4(body.A).String())
			case *dnsmessage.AAAAResource:
				words = append(words, netip.AddrFrom16(body.AAAA).String())
			case *dnsmessage.UnknownResource:
				words = append(words, string(body.Data))
			}
		}
	}
	return strings.TrimSuffix(strings.Join(words, " "), " /")
}

func TestReply(t *testing.T) {
	both, six := claimed(t, "hearth", "192.0.2.7", "2001:db8::7", "fe80::7"), claimed(t, "hearth", "2001:db8::7")
	knowing := asks("hearth.local.", dnsmessage.TypeA)
	knowing.Answers = both.records(dnsmessage.TypeA, 100, dnsmessage.ClassINET)
	forgetting := asks("hearth.local.", dnsmessage.TypeA)
	forgetting.Answers = both.records(dnsmessage.TypeA, 50, dnsmessage.ClassINET)
	for _, c := range []struct {
		name   string
		claim  claim
		asked  *dnsmessage.Message
		legacy bool
		want   string
	}{
		{"IPv4", both, asks("hearth.local.", dnsmessage.TypeA), false, "192.0.2.7 / 2001:db8::7 fe80::7"},
		{"IPv6, in other letters", both, asks("Hearth.LOCAL.", dnsmessage.TypeAAAA), false, "2001:db8::7 fe80::7 / 192.0.2.7"},
		{"all", both, asks("hearth.local.", dnsmessage.TypeALL), false, "192.0.2.7 2001:db8::7 fe80::7"},
		{"another name", both, asks("heart.local.", dnsmessage.TypeA), false, "nothing"},
		{"what it has not got", six, asks("hearth.local.", dnsmessage.TypeA), false, "\x06hearth\x05local\x00\x00\x04\x00\x00\x00\x08 / 2001:db8::7"},
		{"text", both, asks("hearth.local.", dnsmessage.TypeTXT), false, "\x06hearth\x05local\x00\x00\x04\x40\x00\x00\x08 / 192.0.2.7 2001:db8::7 fe80::7"},
		{"what it has not got, by DNS", six, asks("hearth.local.", dnsmessage.TypeA), true, "nothing"},
		{"what is known", both, knowing, false, "nothing"},
		{"what is known and nearly over", both, forgetting, false, "192.0.2.7 / 2001:db8::7 fe80::7"},
	} {
		got := c.claim.reply(c.asked, c.legacy)
		if spell(got) != c.want {
			t.Errorf("%s: got %q", c.name, spell(got))
		}
		if got != nil {
			if _, err := got.Pack(); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
	legacy := both.reply(asks("hearth.local.", dnsmessage.TypeA), true)
	if h := legacy.Answers[0].Header; legacy.ID != 7 || len(legacy.Questions) != 1 || h.TTL > 10 || h.Class != dnsmessage.ClassINET {
		t.Errorf("to a resolver of DNS it says %+v", legacy)
	}
	if h := both.reply(asks("hearth.local.", dnsmessage.TypeA), false).Answers[0].Header; h.TTL != 120 || h.Class != dnsmessage.ClassINET|topBit {
		t.Errorf("to others it says %+v", h)
	}
}

// RFC 6762 §8.2: who has the records that come later goes first.
func TestYields(t *testing.T) {
	ours := claimed(t, "hearth", "192.0.2.7", "fe80::7")
	for _, c := range []struct {
		theirs []string
		want   bool
	}{
		{[]string{"192.0.2.7", "fe80::7"}, false},
		{[]string{"192.0.2.6", "fe80::7"}, false},
		{[]string{"192.0.2.8"}, true},
		{[]string{"192.0.2.7"}, false},
		{[]string{"192.0.2.7", "fe80::7", "fe80::8"}, true},
		{[]string{"fe80::1"}, true},
		{nil, false},
	} {
		if got := ours.yields(claimed(t, "HEARTH", c.theirs...).probe()); got != c.want {
			t.Errorf("against %v: %v", c.theirs, got)
		}
	}
	if ours.yields(claimed(t, "other", "192.0.2.8").probe()) {
		t.Error("it yields to another name")
	}
}

// link is a network of responders in a bubble, in which all hear all.
type link struct {
	mu    sync.Mutex // guards boxes
	boxes []*boxOf
}

func (l *link) put(b *boxOf) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.boxes = append(l.boxes, b)
}

func (l *link) all() []*boxOf {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.boxes)
}

// boxOf is a responder with its address.
type boxOf struct {
	address netip.Addr
	heard   chan arrived
	mu      sync.Mutex // guards name
	name    string
}

// add starts a responder on the network, until ctx ends.
func (l *link) add(ctx context.Context, host, address string) *boxOf {
	b := &boxOf{address: netip.MustParseAddr(address), heard: make(chan arrived, 1000)}
	l.put(b)
	r := &responder{
		host: host, places: map[int][]netip.Prefix{1: {netip.PrefixFrom(b.address, 24)}}, heard: b.heard,
		named: func(name string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.name = name
		},
		send: func(_ int, to netip.AddrPort, m *dnsmessage.Message) error {
			packet, err := m.Pack()
			if err != nil {
				return err
			}
			for _, other := range l.all() {
				a := arrived{link: 1, from: netip.AddrPortFrom(b.address, mdnsPort), direct: !to.Addr().IsMulticast()}
				if err := a.message.Unpack(packet); err != nil {
					return err
				}
				if to.Addr().IsMulticast() || to.Addr() == other.address {
					other.heard <- a
				}
			}
			return nil
		},
	}
	go r.run(ctx)
	return b
}

func (b *boxOf) called() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.name
}

// Many boxes that are turned on at the same time share the names out, each one's its own.
func TestManyBoxes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		l := new(link)
		var boxes []*boxOf
		for _, a := range []string{"192.0.2.3", "192.0.2.1", "192.0.2.2", "192.0.2.4"} {
			boxes = append(boxes, l.add(ctx, "hearth", a))
		}
		time.Sleep(time.Minute)
		var names []string
		for _, b := range boxes {
			names = append(names, b.called())
		}
		slices.Sort(names)
		if want := []string{"hearth", "hearth-2", "hearth-3", "hearth-4"}; !slices.Equal(names, want) {
			t.Errorf("the names are %v", names)
		}
	})
}

// Two networks that become one, each with a hearth: one of the two gets another name, the other keeps it.
func TestNetworksThatMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		l := new(link)
		a := l.add(ctx, "hearth", "192.0.2.3")
		time.Sleep(time.Minute)
		strange := claimed(t, "hearth", "192.0.2.9").announcement(ttlHost)
		a.heard <- arrived{link: 1, from: netip.MustParseAddrPort("192.0.2.9:5353"), message: *strange}
		time.Sleep(100 * time.Millisecond)
		a.heard <- arrived{link: 1, from: netip.MustParseAddrPort("192.0.2.9:5353"), direct: true, message: *strange}
		time.Sleep(time.Minute)
		if a.called() != "hearth-2" {
			t.Errorf("it is called %s", a.called())
		}
		far := arrived{link: 1, from: netip.MustParseAddrPort("198.51.100.9:5353"), message: *claimed(t, "hearth-2", "192.0.2.9").announcement(ttlHost)}
		for range 100 {
			a.heard <- far
		}
		time.Sleep(time.Minute)
		if a.called() != "hearth-2" {
			t.Errorf("somebody from far away makes it %s", a.called())
		}
	})
}

// A box that is turned off says so, unless the name was never its own.
func TestLeave(t *testing.T) {
	for lasts, want := range map[time.Duration]bool{100 * time.Millisecond: false, time.Minute: true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), lasts)
			defer cancel()
			var last *dnsmessage.Message
			r := &responder{
				host: "hearth", places: map[int][]netip.Prefix{1: {netip.MustParsePrefix("192.0.2.7/24")}}, named: func(string) {},
				send: func(_ int, _ netip.AddrPort, m *dnsmessage.Message) error { last = m; return nil },
			}
			if err := r.run(ctx); err != nil {
				t.Fatal(err)
			}
			r.leave()
			if left := last != nil && last.Response && last.Answers[0].Header.TTL == 0; left != want {
				t.Errorf("after %v it says %+v", lasts, last)
			}
		})
	}
}

// One who says to have every name keeps the box from having one, and does not keep it busy.
func TestWhoHasAllNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		l := new(link)
		a := l.add(ctx, strings.Repeat("a", 63), "192.0.2.3")
		greedy := &boxOf{address: netip.MustParseAddr("192.0.2.9"), heard: make(chan arrived, 1000)}
		l.put(greedy)
		probes := 0
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case m := <-greedy.heard:
					probes++
					theirs := claim{m.message.Questions[0].Name, []netip.Addr{greedy.address}}
					a.heard <- arrived{link: 1, from: netip.AddrPortFrom(greedy.address, mdnsPort), message: *theirs.announcement(ttlHost)}
				}
			}
		}()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if a.called() != "" || probes > 200 {
			t.Errorf("it is called %q after %d questions", a.called(), probes)
		}
	})
}

func FuzzMDNS(f *testing.F) {
	c := claimed(f, "hearth", "192.0.2.7", "fe80::7")
	for _, m := range []*dnsmessage.Message{c.probe(), c.announcement(ttlHost), asks("hearth.local.", dnsmessage.TypeA), asks("hearth.local.", dnsmessage.TypeTXT)} {
		packet, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet, false)
	}
	f.Fuzz(func(t *testing.T, packet []byte, legacy bool) {
		a := arrived{link: 1, from: netip.MustParseAddrPort("192.0.2.9:5353")}
		if len(packet) > maxMDNS || a.message.Unpack(packet) != nil {
			return
		}
		c.disputed(&a.message, c.addresses)
		c.yields(&a.message)
		a.addressOf(c, a.message.ID)
		if m := c.reply(&a.message, legacy); m != nil {
			answer, err := m.Pack()
			if err != nil {
				t.Errorf("the reply cannot be sent: %v", err)
			}
			if len(answer) > 2*len(packet)+1000 {
				t.Errorf("%d bytes are answered with %d", len(packet), len(answer))
			}
		}
	})
}
