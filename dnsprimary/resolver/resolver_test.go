package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hearth/dnsprimary/dnstest"
)

func TestResultsAreKeptForTheirTTL(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Most = time.Hour })
	w.says("www.example.org. A", "www.example.org. 300 A 192.0.2.1\nwww.example.org. 60 A 192.0.2.2")
	w.says("short.example.org. A", "short.example.org. 0 A 192.0.2.1")
	w.says("long.example.org. A", "long.example.org. 999999 A 192.0.2.1")
	for _, c := range []struct {
		name string
		kept time.Duration
	}{{"www.example.org", 60 * time.Second}, {"WWW.Example.ORG.", 60 * time.Second}, {"short.example.org", 5 * time.Second}, {"long.example.org", time.Hour}} {
		w.pass(24 * time.Hour)
		first := w.get(c.name)
		if !strings.HasPrefix(first, "192.0.2.1") {
			t.Fatalf("%s: %s", c.name, first)
		}
		before := w.questions()
		w.pass(c.kept - time.Second)
		if again := w.get(c.name); again != first || w.questions() != before {
			t.Errorf("%s: %s, asked again %v", c.name, again, w.questions() != before)
		}
		w.pass(time.Second)
		if w.get(c.name); w.questions() != before+1 {
			t.Errorf("%s is kept for longer than %s", c.name, c.kept)
		}
	}
}

func TestAbsenceIsKept(t *testing.T) {
	w := newWorld(t)
	w.says("none.example.org. A", "NXDOMAIN"+soa)
	w.says("empty.example.org. A", soa)
	w.says("undated.example.org. A", "NXDOMAIN")
	w.says("alias.example.org. A", "alias.example.org. 30 CNAME none.example.org.\nNXDOMAIN"+soa)
	w.says("long.example.org. A", "NXDOMAIN\nauthority\nexample.org. 999999 SOA ns. h. 1 2 3 4 999999")
	for name, kept := range map[string]time.Duration{
		"none": time.Minute, "empty": time.Minute, "undated": 5 * time.Second, "alias": 30 * time.Second, "long": 10 * time.Minute,
	} {
		name += ".example.org"
		if _, err := w.IPv4(t.Context(), name); !errors.Is(err, ErrNotFound) {
			t.Fatalf("%s: %v", name, err)
		}
		before := w.questions()
		w.pass(kept - time.Second)
		w.get(name)
		if w.questions() != before {
			t.Errorf("%s is not kept for %s", name, kept)
		}
		w.pass(time.Second)
		w.get(name)
		if w.questions() != before+1 {
			t.Errorf("%s is kept for longer than %s", name, kept)
		}
	}
}

func TestFailureIsKeptShortly(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		if _, err := w.IPv4(t.Context(), "broken.example.org"); err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "SERVFAIL") {
			t.Fatal(err)
		}
	}
	if n := w.questions(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	w.pass(5 * time.Second)
	w.says("broken.example.org. A", "broken.example.org. 300 A 192.0.2.1")
	if got := w.get("broken.example.org"); got != "192.0.2.1" {
		t.Error(got)
	}
	if c := w.Counts(); c.Failed != 1 || c.Hits != 2 || c.Misses != 2 || c.Asked != 2 || c.Memory == 0 {
		t.Errorf("%+v", c)
	}
}

func TestAliases(t *testing.T) {
	w := newWorld(t)
	w.says("a.example.org. A", "a.example.org. 300 CNAME b.example.org.\nb.example.org. 60 CNAME c.example.org.\nc.example.org. 300 A 192.0.2.3")
	w.says("far.example.org. A", "far.example.org. 300 CNAME a.example.org.") // the rest is to be asked for
	w.says("loop.example.org. A", "loop.example.org. 300 CNAME pool.example.org.\npool.example.org. 300 CNAME loop.example.org.")
	w.says("one.example.org. A", "one.example.org. 300 CNAME two.example.org.")
	w.says("two.example.org. A", "two.example.org. 300 CNAME one.example.org.")
	w.says("odd.example.org. A", `odd.example.org. 300 CNAME a\.b.example.org.`)
	w.says("alien.example.org. A", "victim.example.org. 300 A 192.0.2.66") // nobody asked for that
	for name, want := range map[string]string{
		"a": "192.0.2.3", "far": "192.0.2.3", "loop": "too many aliases", "one": "from one to the next", "odd": "no host's name", "alien": "not found",
	} {
		if got := w.get(name + ".example.org"); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	found, err := w.IPv4(t.Context(), "far.example.org")
	if err != nil || found.Name != "c.example.org" || found.Until != w.clock().Add(time.Minute) {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestLongAnswersComeOverTCP(t *testing.T) {
	w := newWorld(t)
	w.says("long.example.org. A", "TC\nlong.example.org. 300 A 192.0.2.1")
	if got := w.get("long.example.org"); got != "192.0.2.1" {
		t.Error(got)
	}
	if want := []string{"long.example.org. A udp", "long.example.org. A tcp"}; !slices.Equal(w.asked, want) {
		t.Errorf("asked %q", w.asked)
	}
}

// TestForgedAnswersAreNoAnswers has the server send others before the true one; after many of them TCP is used.
func TestForgedAnswersAreNoAnswers(t *testing.T) {
	for name, forge := range map[string]func(m *dns.Msg){
		"id":      func(m *dns.Msg) { m.Id++ },
		"name":    func(m *dns.Msg) { m.Question[0].Name = "other.example.org." },
		"type":    func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA },
		"query":   func(m *dns.Msg) { m.Response = false },
		"no name": func(m *dns.Msg) { m.Question = nil },
		"case":    func(m *dns.Msg) { m.Question[0].Name = strings.Map(turn, m.Question[0].Name) },
		"opcode":  func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
		"two":     func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) },
	} {
		for _, many := range []int{1, maxStrange} {
			server := dnstest.Serve(t, dns.HandlerFunc(func(to dns.ResponseWriter, q *dns.Msg) {
				good := new(dns.Msg).SetReply(q)
				good.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: []byte{192, 0, 2, 1}}}
				if to.LocalAddr().Network() == "udp" {
					bad := good.Copy()
					bad.Answer[0].(*dns.A).A = []byte{192, 0, 2, 66}
					forge(bad)
					for range many {
						_ = to.WriteMsg(bad)
					}
				}
				_ = to.WriteMsg(good)
			}))
			r := New(Options{Servers: []Server{{Address: server}}, MixCase: true, Timeout: 10 * time.Second})
			defer r.Close()
			if got := text(r.IPv4(t.Context(), "www.example.org")); got != "192.0.2.1" {
				t.Errorf("%s, %d times: %s", name, many, got)
			}
		}
	}
}

// turn turns the case of a letter.
func turn(c rune) rune {
	if c >= 'A' && c != '.' {
		return c ^ 0x20
	}
	return c
}

func TestOthersAreAskedIfOneFails(t *testing.T) {
	w := newWorld(t)
	w.says("www.example.org. A", "www.example.org. 300 A 192.0.2.1")
	w.says("www.example.net. A", "www.example.net. 300 A 192.0.2.2")
	failing := dnstest.Serve(t, dns.HandlerFunc(func(to dns.ResponseWriter, q *dns.Msg) { _ = to.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeRefused)) }))
	r := New(Options{Servers: []Server{{Address: failing}, {Address: w.server}}})
	defer r.Close()
	if got := text(r.IPv4(t.Context(), "www.example.org")); got != "192.0.2.1" {
		t.Error(got)
	}
	if got := text(r.IPv4(t.Context(), "www.example.net")); got != "192.0.2.2" || r.Counts().Asked != 3 {
		t.Errorf("%s after %d questions", got, r.Counts().Asked)
	}
}

func TestServersWithoutEDNS(t *testing.T) {
	w := newWorld(t)
	w.says("www.example.org. A", "www.example.org. 300 A 192.0.2.1")
	w.change = func(q, reply *dns.Msg) {
		if q.IsEdns0() != nil {
			*reply = dns.Msg{MsgHdr: dns.MsgHdr{Id: q.Id, Response: true, Rcode: dns.RcodeFormatError}}
		}
	}
	if got := w.get("www.example.org"); got != "192.0.2.1" {
		t.Error(got)
	}
}

func TestOnlyTrustedServersAreBelievedToValidate(t *testing.T) {
	w := newWorld(t)
	w.says("signed.example.org. A", "AD\nsigned.example.org. 300 A 192.0.2.1")
	w.says("half.example.org. A", "AD\nhalf.example.org. 300 CNAME plain.example.org.")
	w.says("plain.example.org. A", "plain.example.org. 300 A 192.0.2.1")
	for name, want := range map[string]bool{"signed": true, "half": false, "plain": false} {
		found, err := w.IPv4(t.Context(), name+".example.org")
		if err != nil || found.Authentic != want {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
	far := netip.MustParseAddrPort("192.0.2.53:53")
	if (Server{Address: far}).trusted() || !(Server{Address: far, Trusted: true}).trusted() || !(Server{Address: w.server}).trusted() {
		t.Error("the wrong servers are trusted")
	}
}

func TestEqualQuestionsAreAskedOnce(t *testing.T) {
	w := newWorld(t)
	w.says("www.example.org. A", "www.example.org. 300 A 192.0.2.1")
	w.hold = make(chan struct{})
	gone, cancel := context.WithCancel(t.Context())
	cancel() // who gives up is not kept waiting, and what was asked goes on
	for range 10 {
		if got := w.getContext(gone, "www.example.org"); !strings.Contains(got, "canceled") {
			t.Error(got)
		}
	}
	if n := w.Counts().Misses; n != 10 {
		t.Errorf("%d did not know it", n)
	}
	close(w.hold)
	if got := w.get("www.example.org"); got != "192.0.2.1" || w.questions() != 1 {
		t.Errorf("%s after %d questions", got, w.questions())
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const bound = 20_000
	w := newWorld(t, func(o *Options) { o.Memory = bound })
	for i := range 100 {
		name := fmt.Sprintf("host%d.example.org", i)
		w.says(name+". A", name+". 300 A 192.0.2.1")
		w.get(name)
		w.get("host0.example.org") // used all the time
		if c := w.Counts(); c.Memory > bound || c.Memory < perEntry {
			t.Fatalf("%d bytes", c.Memory)
		}
	}
	before := w.questions()
	if w.get("host0.example.org"); w.questions() != before {
		t.Error("what is used all the time was forgotten")
	}
	if w.get("host1.example.org"); w.questions() != before+1 {
		t.Error("what was not used for longest was kept")
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	w := newWorld(t)
	w.hold = make(chan struct{})
	defer close(w.hold)
	result := make(chan string)
	go func() { result <- w.get("www.example.org") }()
	<-w.came
	w.Close()
	if got := <-result; !strings.Contains(got, "asking 127.0.0.1") {
		t.Error(got)
	}
	if got := w.get("other.example.org"); !strings.Contains(got, "closed") {
		t.Error(got)
	}
}

func TestNamesThatAreNoneAreNotAsked(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"", ".", "a..b", ".a", "a b", "a\\.b", "ä.example.org", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "aa", "a\x00b"} {
		if got := w.get(name); !strings.Contains(got, "not found") {
			t.Errorf("%q: %s", name, got)
		}
	}
	if w.questions() != 0 {
		t.Errorf("asked %q", w.asked)
	}
}
