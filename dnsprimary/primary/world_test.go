package primary

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// noon is when tests happen.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const exampleZone = `$TTL 3600
@      SOA   ns1 hostmaster 2026022801 7200 900 1209600 300
@      NS    ns1
@      NS    ns2.example.net.
ns1    A     192.0.2.1
www    A     192.0.2.2
www    AAAA  2001:db8::2
mail   MX    10 www
alias  CNAME www
*.wild TXT   "wild"
sub    NS    ns.sub
ns.sub A     192.0.2.3
`

func name(text string) zone.Name {
	n, err := zone.ParseName(text)
	if err != nil {
		panic(err)
	}
	return n
}

func readZone(t testing.TB, origin, text string) *zone.Zone {
	t.Helper()
	z, problems := zone.Read(name(origin), text)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return z
}

// world is a state with a desk, as one goroutine has it.
type world struct {
	t     testing.TB
	state *State
	desk  Desk
	now   time.Time
	from  Peer
}

// secret is that of all keys in tests.
const secret = "0123456789abcdef0123456789abcdef"

// newWorld serves example.org, and has the keys transfer., update. and stranger.
func newWorld(t testing.TB, change ...func(*Settings)) *world {
	t.Helper()
	origin := name("example.org.")
	settings := Settings{Keys: []Key{
		{Name: name("transfer."), Algorithm: HMACSHA256, Secret: []byte(secret), Grants: []Grant{{Zone: origin, Transfer: true}}},
		{Name: name("update."), Algorithm: HMACSHA256, Secret: []byte(secret), Grants: []Grant{{Zone: origin, Update: true, Name: origin}}},
		{Name: name("stranger."), Algorithm: HMACSHA256, Secret: []byte(secret)},
	}}
	for _, c := range change {
		c(&settings)
	}
	state, err := NewState(settings)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, now: noon, from: Peer{Address: netip.MustParseAddr("198.51.100.7"), Transport: UDP}}
	w.state = state.With(Hosted{Zone: readZone(t, "example.org.", exampleZone)})
	return w
}

// handle hands over a message, and takes the next state for its own.
func (w *world) handle(message []byte) Decision {
	w.t.Helper()
	d := w.state.Handle(&w.desk, w.now, message, w.from)
	if d.Next != nil {
		w.state = d.Next
	}
	return d
}

// ask hands over a message and reads the reply.
func (w *world) ask(m *dns.Msg) *dns.Msg {
	w.t.Helper()
	return w.parse(w.handle(pack(w.t, m)).Reply)
}

func pack(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	wire, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

func (w *world) parse(reply []byte) *dns.Msg {
	w.t.Helper()
	if reply == nil {
		w.t.Fatal("there is no reply")
	}
	m := new(dns.Msg)
	if err := m.Unpack(reply); err != nil {
		w.t.Fatalf("the reply %x cannot be read: %v", reply, err)
	}
	return m
}

// query returns a question such as "www.example.org. A".
func query(t testing.TB, question string) *dns.Msg {
	t.Helper()
	owner, typ, _ := strings.Cut(question, " ")
	number, ok := dns.StringToType[typ]
	if !ok {
		t.Fatalf("%s: no such type", question)
	}
	m := new(dns.Msg)
	m.SetQuestion(owner, number)
	m.RecursionDesired = false
	return m
}

// render writes a reply: rcode and flags, then a line for each record, with "an", "au" or "ad" before it.
func render(m *dns.Msg) string {
	head := dns.RcodeToString[m.Rcode]
	for flag, set := range map[string]bool{" aa": m.Authoritative} {
		if set {
			head += flag
		}
	}
	if m.Truncated {
		head += " tc"
	}
	lines := []string{head}
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if h := rr.Header(); h.Rrtype != dns.TypeOPT && h.Rrtype != dns.TypeTSIG {
				lines = append(lines, []string{"an ", "au ", "ad "}[i]+rr.String())
			}
		}
	}
	return squeeze(strings.Join(lines, "\n"))
}

func squeeze(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// expect asks and compares.
func (w *world) expect(question, want string) {
	w.t.Helper()
	if got := render(w.ask(query(w.t, question))); got != squeeze(want) {
		w.t.Errorf("%s: the answer is\n%s\nwant\n%s", question, got, squeeze(want))
	}
}
