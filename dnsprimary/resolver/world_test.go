package resolver

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hearth/dnsprimary/dnstest"
)

// world is a resolver that asks a server which is scripted: under "name TYPE" are the records of the answer, as in a
// zone file, after them perhaps "authority", the records of that section and words such as "NXDOMAIN", "AD" and "TC",
// which is for UDP only. What has no script is SERVFAIL.
type world struct {
	t *testing.T
	*Resolver
	server netip.AddrPort
	came   chan struct{} // gets something when a question has to wait

	mu      sync.Mutex // guards the fields below
	now     time.Time
	scripts map[string]string
	asked   []string                // name, type and transport of each question
	change  func(q, reply *dns.Msg) // before a reply is sent; nil leaves it
	hold    chan struct{}           // replies wait until it is closed; nil does not
}

func newWorld(t *testing.T, change ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), scripts: map[string]string{}, came: make(chan struct{}, 1)}
	w.server = dnstest.Serve(t, dns.HandlerFunc(w.answer))
	o := Options{
		Servers: []Server{{Address: w.server}}, Now: w.clock, Random: func(int) int { return 0 },
		Timeout: 10 * time.Second, Attempts: 1, Patience: 20 * time.Second,
	}
	for _, c := range change {
		c(&o)
	}
	r := New(o)
	t.Cleanup(r.Close)
	w.Resolver = r
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// says sets a script.
func (w *world) says(question, script string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scripts[question] = script
}

// questions returns how often the server was asked.
func (w *world) questions() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked)
}

func (w *world) answer(to dns.ResponseWriter, q *dns.Msg) {
	network := to.LocalAddr().Network()
	question := strings.ToLower(q.Question[0].Name) + " " + dns.TypeToString[q.Question[0].Qtype]
	w.mu.Lock()
	w.asked = append(w.asked, question+" "+network)
	script, ok := w.scripts[question]
	change, hold := w.change, w.hold
	w.mu.Unlock()
	reply := new(dns.Msg).SetReply(q)
	if !ok {
		reply.Rcode = dns.RcodeServerFailure
	}
	w.fill(reply, script, network)
	if change != nil {
		change(q, reply)
	}
	if hold != nil {
		w.came <- struct{}{}
		<-hold
	}
	_ = to.WriteMsg(reply) // who asked may be gone
}

func (w *world) fill(reply *dns.Msg, script, network string) {
	section := &reply.Answer
	for line := range strings.Lines(script) {
		switch line = strings.TrimSpace(line); line {
		case "":
		case "authority":
			section = &reply.Ns
		case "NXDOMAIN":
			reply.Rcode = dns.RcodeNameError
		case "AD":
			reply.AuthenticatedData = true
		case "TC":
			reply.Truncated = network == "udp"
		default:
			rr, err := dns.NewRR(line)
			if err != nil {
				w.t.Errorf("%q: %v", line, err)
				return
			}
			*section = append(*section, rr)
		}
	}
}

// get looks up A.
func (w *world) get(name string) string { return w.getContext(w.t.Context(), name) }

func (w *world) getContext(ctx context.Context, name string) string {
	found, err := w.IPv4(ctx, name)
	return text(found, err)
}

// text is a short form of a result.
func text(found Result[netip.Addr], err error) string {
	if err != nil {
		return err.Error()
	}
	var parts []string
	for _, a := range found.Values {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, " ")
}

const soa = "\nauthority\nexample.org. 3600 SOA ns. h. 1 2 3 4 60\n"
