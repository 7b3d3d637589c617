package main

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hearth/dnsprimary/dnssec"
	"hearth/dnsprimary/dnstest"
)

// TestTheParentIsAsked has a resolver know the DS of a key from some time on.
func TestTheParentIsAsked(t *testing.T) {
	var known atomic.Pointer[dns.RR]
	parent := dnstest.Serve(t, dns.HandlerFunc(func(to dns.ResponseWriter, q *dns.Msg) {
		reply := new(dns.Msg).SetReply(q)
		if ds := known.Load(); ds != nil && q.Question[0].Qtype == dns.TypeDS {
			reply.Answer = []dns.RR{*ds}
		}
		_ = to.WriteMsg(reply)
	}))

	w := newWorld(t, func(s *Settings) {
		s.Sign.Sign, s.Sign.Resolvers = true, []string{parent.String()}
	})
	defer w.s.resolver.Close()
	entry := func() *dnssec.Key {
		for _, k := range w.s.zones[w.zone().Origin()].signer.Keys {
			if k.Role == dnssec.KSK {
				return k
			}
		}
		t.Fatal("there is no KSK")
		return nil
	}
	w.now = w.now.Add(48 * time.Hour)
	w.tend()
	if k := entry(); k.Activate.IsZero() {
		t.Fatal("the key is not used")
	}
	wrong, err := dns.NewRR("example.org. 3600 DS 1 13 2 0102")
	if err != nil {
		t.Fatal(err)
	}
	right, err := entry().DS(w.zone().Origin()).RR()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		says      *dns.RR
		confirmed bool
	}{{nil, false}, {&wrong, false}, {&right, true}} {
		known.Store(c.says)
		w.now = w.now.Add(2 * time.Hour) // longer than anything is remembered
		w.s.askParents(t.Context())
		if k := entry(); k.Confirm.IsZero() == c.confirmed {
			t.Errorf("the resolver says %v: confirmed at %s", c.says, k.Confirm)
		}
	}
}
