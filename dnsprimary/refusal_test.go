package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestRefusalsAreToldOf asks for what is refused: the log says why, and never more than once a second.
func TestRefusalsAreToldOf(t *testing.T) {
	w := newWorld(t)
	var log strings.Builder
	w.s.log = slog.New(slog.NewTextHandler(&log, nil))
	send := func(m *dns.Msg, key, with string) {
		t.Helper()
		w.now = w.now.Add(time.Second)
		wire, err := m.Pack()
		if key != "" {
			m.SetTsig(key, dns.HmacSHA256, 300, w.now.Unix())
			wire, _, err = dns.TsigGenerate(m, with, "", false)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.ask(wire)
	}
	axfr, update, query := new(dns.Msg).SetAxfr("example.org."), new(dns.Msg).SetUpdate("example.org."), new(dns.Msg).SetQuestion("example.com.", dns.TypeA)
	for _, c := range []struct {
		m                *dns.Msg
		key, with, wants string
	}{
		{axfr, "", "", `what=AXFR zone=example.org. from="this box" key=none rcode=REFUSED why="it needs a key`},
		{update, "", "", "what=UPDATE zone=example.org."},
		{axfr, "laptop.", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "another one"},
		{axfr, "nobody.", secret, "no key of this name"},
		{query, "", "", ""},
	} {
		log.Reset()
		send(c.m.Copy(), c.key, c.with)
		if got := log.String(); !strings.Contains(got, c.wants) || (got == "") != (c.wants == "") || strings.Contains(got, secret) {
			t.Errorf("want %q, the log says %q", c.wants, got)
		}
	}
	log.Reset()
	send(axfr.Copy(), "", "")
	for range 10 {
		w.now = w.now.Add(50 * time.Millisecond)
		wire, _ := axfr.Pack()
		w.ask(wire)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines in half a second", n)
	}
}
