package main

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hearth/dnsprimary/dnstest"
)

// serveFake answers by f, over both transports, until the test ends.
func serveFake(t *testing.T, f func(question, answer *dns.Msg)) netip.AddrPort {
	t.Helper()
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		if strings.HasPrefix(q.Question[0].Name, "no-") {
			a.Rcode = dns.RcodeNameError
		}
		f(q, a)
		_ = w.WriteMsg(a)
	})
	return dnstest.Serve(t, handler)
}

func TestAskingChecksAnswers(t *testing.T) {
	all, err := questions(small)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		spoil func(question, answer *dns.Msg)
		fault func(faults) int
	}{
		{"good", func(_, _ *dns.Msg) {}, nil},
		{"wrong", func(_, a *dns.Msg) { a.Rcode = dns.RcodeServerFailure }, func(f faults) int { return f.wrong }},
		{"truncated", func(_, a *dns.Msg) { a.Truncated = true }, func(f faults) int { return f.wrong }},
		{"strange", func(q, a *dns.Msg) { a.Id = q.Id ^ 0x8000 }, func(f faults) int { return f.strange }},
	} {
		server := serveFake(t, c.spoil)
		n, f, err := askUDP(t.Context(), server, all, 250*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.fault == nil && (n == 0 || f.strange+f.wrong > 0), c.fault != nil && c.fault(f) == 0:
			t.Errorf("%s over UDP: %d answered, %s", c.name, n, f)
		}
		if c.name == "strange" {
			continue // over TCP nothing else comes, and the connection ends
		}
		n, f, err = askTCP(t.Context(), server, all, 250*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.fault == nil && (n == 0 || f.strange+f.wrong > 0), c.fault != nil && c.fault(f) == 0:
			t.Errorf("%s over TCP: %d answered, %s", c.name, n, f)
		}
	}
}

func TestQuestionsUnderWay(t *testing.T) {
	all, err := questions(small)
	if err != nil {
		t.Fatal(err)
	}
	u := &underWay{questions: all}
	answer := u.ask(nil)
	u.take(answer) // it is a question
	answer[2] |= 0x80
	u.take(answer)
	u.take(answer) // twice
	u.take(answer[:4])
	u.ask(nil)
	u.giveUp()
	if want := (faults{lost: 1, strange: 3}); u.answered != 1 || u.count != 0 || u.faults != want {
		t.Errorf("%d answered, %d under way, %s", u.answered, u.count, u.faults)
	}
}

func TestTableJudgesByCPU(t *testing.T) {
	var out bytes.Buffer
	table := &table{out: &out}
	table.heading("10 names")
	cost := func(d time.Duration) result {
		return result{udp: rate{cpu: d}, tcp: rate{cpu: d, faults: faults{lost: 3}}, resident: 1 << 20}
	}
	table.row("ours", cost(10*time.Microsecond))
	table.row("Knot", cost(7*time.Microsecond))
	table.row("CoreDNS", cost(9*time.Microsecond))
	table.verdict(small)
	for _, want := range []string{"70 % of Knot over UDP, 70 % over TCP (aim 60 %);", "(aim 100 %) MISSED; 1.0 MiB (aim 32)\n", "3 not answered"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestZoneHasAllNames(t *testing.T) {
	var out bytes.Buffer
	if err := writeZone(&out, small); err != nil {
		t.Fatal(err)
	}
	owners := map[string]bool{}
	p := dns.NewZoneParser(&out, "", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		owners[rr.Header().Name] = true
	}
	if p.Err() != nil || len(owners) != small {
		t.Errorf("%d names, %v", len(owners), p.Err())
	}
}
