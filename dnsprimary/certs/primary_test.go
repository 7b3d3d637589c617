package certs

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"hearth/dnsprimary/dnstest"
)

const (
	keyName = "homeserver."
	secret  = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0ISEhISE="
)

// primary is as much of a primary DNS server as proving a name needs: it takes updates of TXT records over a unix
// socket, and answers over UDP and TCP.
type primary struct {
	socket string // takes updates
	public string // answers queries, host:port

	mu      sync.Mutex // guards the fields below
	records []*dns.TXT
	added   int
	refuse  bool
}

func newPrimary(t *testing.T) *primary {
	t.Helper()
	p := &primary{socket: filepath.Join(t.TempDir(), "dns.sock")}
	updates, err := net.Listen("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	p.public = dnstest.Serve(t, dns.HandlerFunc(p.query)).String()
	dnstest.Start(t, &dns.Server{
		Listener: updates, Handler: dns.HandlerFunc(p.update), TsigSecret: map[string]string{keyName: secret}, MsgAcceptFunc: acceptAll,
	})
	return p
}

func acceptAll(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }

func (p *primary) update(w dns.ResponseWriter, m *dns.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := new(dns.Msg).SetReply(m)
	if p.refuse || m.IsTsig() == nil || w.TsigStatus() != nil || m.Opcode != dns.OpcodeUpdate {
		answer.Rcode = dns.RcodeRefused
		w.WriteMsg(answer)
		return
	}
	for _, rr := range m.Ns {
		txt, ok := rr.(*dns.TXT)
		switch {
		case ok && txt.Hdr.Class == dns.ClassINET:
			p.records = append(p.records, txt)
			p.added++
		case ok && txt.Hdr.Class == dns.ClassNONE:
			p.records = slices.DeleteFunc(p.records, func(r *dns.TXT) bool {
				return r.Hdr.Name == txt.Hdr.Name && slices.Equal(r.Txt, txt.Txt)
			})
		}
	}
	answer.SetTsig(keyName, dns.HmacSHA256, 300, int64(m.IsTsig().TimeSigned))
	w.WriteMsg(answer)
}

func (p *primary) query(w dns.ResponseWriter, m *dns.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := new(dns.Msg).SetReply(m)
	for _, r := range p.records {
		if dns.CanonicalName(r.Hdr.Name) == dns.CanonicalName(m.Question[0].Name) && m.Question[0].Qtype == dns.TypeTXT {
			answer.Answer = append(answer.Answer, r)
		}
	}
	w.WriteMsg(answer)
}

func (p *primary) challenges() Challenges {
	return Challenges{
		Zone: "example.org",
		Dial: func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "unix", p.socket) },
		Key:  keyName, Algorithm: dns.HmacSHA256, Secret: secret,
		Nameservers: func(context.Context, string) ([]string, error) { return []string{p.public}, nil },
	}
}
