package primary

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// told is a notifier with one secondary that has a key and one without, both to be told of a change.
func told(t *testing.T) (*Notifier, *world, []Target) {
	w := newWorld(t)
	targets := []Target{{netip.MustParseAddrPort("192.0.2.53:53"), name("transfer.")}, {netip.MustParseAddrPort("[2001:db8::53]:53"), ""}}
	n := NewNotifier(w.state)
	h, _ := w.state.Zone(name("example.org."))
	n.Changed(w.now, h.Zone, targets)
	return n, w, targets
}

func four() uint16 { return 4 }

func TestNotify(t *testing.T) {
	n, w, targets := told(t)
	if at, any := n.Next(); !any || !at.Equal(w.now) {
		t.Errorf("the next message is due %v, %v", at, any)
	}
	send, lost := n.Due(w.now, four)
	if len(send) != 2 || len(lost) != 0 || send[0].To != targets[0].Address || send[1].To != targets[1].Address {
		t.Fatalf("the messages are %v", send)
	}
	m := w.parse(send[1].Message)
	if m.Opcode != dns.OpcodeNotify || m.Response || m.Id != 4 || !m.Authoritative || m.Question[0].Qtype != dns.TypeSOA || m.Question[0].Name != "example.org." {
		t.Errorf("the message is %v", m)
	}
	if soa, ok := m.Answer[0].(*dns.SOA); !ok || soa.Serial != 2026022801 {
		t.Errorf("the message tells %v", m.Answer)
	}
	if err := verifyMAC(send[0].Message, "", false); err != nil {
		t.Errorf("the message's signature: %v", err)
	}
	if send, _ := n.Due(w.now.Add(firstRetry-1), four); len(send) != 0 {
		t.Error("a message is sent again at once")
	}
}

// TestNotifyAgain waits longer each time, then gives up (RFC 1996 §3.6).
func TestNotifyAgain(t *testing.T) {
	n, w, targets := told(t)
	var waits []time.Duration
	for {
		send, lost := n.Due(w.now, four)
		if len(send) == 0 {
			if len(lost) != 2 || lost[0] != targets[0] && lost[1] != targets[0] {
				t.Errorf("%v are given up", lost)
			}
			break
		}
		at, _ := n.Next()
		waits = append(waits, at.Sub(w.now))
		w.now = at
	}
	if len(waits) != maxTries || waits[0] != firstRetry || waits[1] != 2*firstRetry || waits[maxTries-1] != lastRetry {
		t.Errorf("the waits are %v", waits)
	}
	if _, any := n.Next(); any {
		t.Error("something is due though all is given up")
	}
}

func TestRepliesToNotify(t *testing.T) {
	n, w, targets := told(t)
	send, _ := n.Due(w.now, four)
	reply := new(dns.Msg).SetReply(w.parse(send[1].Message))
	wire := pack(t, reply)
	other := *reply
	other.Id = 5
	strange := reply.Copy()
	strange.Question[0].Name = "example.net."
	for what, c := range map[string]struct {
		message []byte
		from    netip.AddrPort
	}{
		"from elsewhere":        {wire, netip.MustParseAddrPort("192.0.2.99:53")},
		"of another message":    {pack(t, &other), targets[1].Address},
		"for another zone":      {pack(t, strange), targets[1].Address},
		"that is a question":    {send[1].Message, targets[1].Address},
		"that is half":          {wire[:11], targets[1].Address},
		"that is cut":           {wire[:len(wire)-1], targets[1].Address},
		"without its signature": {wire, targets[0].Address},
	} {
		if n.Reply(w.now, c.message, c.from) {
			t.Errorf("a reply %s is taken", what)
		}
	}
	if !n.Reply(w.now, wire, targets[1].Address) || n.Reply(w.now, wire, targets[1].Address) {
		t.Error("a reply is not taken once")
	}
	requestMAC := w.parse(send[0].Message).IsTsig().MAC
	sign := func(m *dns.Msg, p provider, at time.Time) []byte {
		m = m.Copy()
		m.Extra = nil
		m.SetTsig("transfer.", dns.HmacSHA256, 300, at.Unix())
		wire, _, err := dns.TsigGenerateWithProvider(m, p, requestMAC, false)
		if err != nil {
			t.Fatal(err)
		}
		return wire
	}
	for what, wire := range map[string][]byte{"by another secret": sign(reply, provider{secret: "another"}, w.now), "long ago": sign(reply, provider{secret: secret}, w.now.Add(-time.Hour))} {
		if n.Reply(w.now, wire, targets[0].Address) {
			t.Errorf("a reply signed %s is taken", what)
		}
	}
	if !n.Reply(w.now, sign(reply, provider{secret: secret}, w.now), targets[0].Address) {
		t.Error("a good reply is not taken")
	}
	if _, any := n.Next(); any {
		t.Error("something is due though all is confirmed")
	}
}

func TestANewerVersionTakesTheOldOnesPlace(t *testing.T) {
	n, w, targets := told(t)
	for range 5 {
		n.Due(w.now, four)
		w.now = w.now.Add(time.Hour)
	}
	w.signed(update(t, "add new 60 A 192.0.2.9"), "update.")
	h, _ := w.state.Zone(name("example.org."))
	n.Changed(w.now, h.Zone, targets)
	send, _ := n.Due(w.now, four)
	if len(send) != 2 || w.parse(send[1].Message).Answer[0].(*dns.SOA).Serial != 2026022802 {
		t.Errorf("%d messages are sent", len(send))
	}
	n.Forget(name("example.org."))
	if _, any := n.Next(); any {
		t.Error("what was forgotten is due")
	}
}
