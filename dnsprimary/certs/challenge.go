package certs

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/mholt/acmez/v3/acme"
	"github.com/miekg/dns"
)

// Challenges is how names are proved: by records in a zone of the primary.
type Challenges struct {
	Zone string // such as "example.org"; all names are in it
	// Dial connects to the primary, which speaks DNS as over TCP: each message after its length in two bytes.
	Dial func(ctx context.Context) (net.Conn, error)
	// Key signs the updates: its name, algorithm (hmac-sha256. and so on) and secret in Base64.
	Key, Algorithm, Secret string
	// Nameservers returns the addresses (host:port) of those of whom the authority may ask the zone, so that they can be
	// waited for. If it is nil they are looked up.
	Nameservers func(ctx context.Context, zone string) ([]string, error)
	// Patience is how long they are waited for; 0 is two minutes, less than 0 not at all.
	Patience time.Duration
}

func (c *Challenges) check(names []string) error {
	for _, name := range names {
		if isAddress(name) || !dns.IsSubDomain(dns.Fqdn(c.Zone), dns.Fqdn(name)) {
			return fmt.Errorf("getting a certificate for %s: %w", name, errNoZone)
		}
	}
	return nil
}

const (
	challengeTTL = 60 // of the records, in seconds
	askPause     = 2 * time.Second
	askTimeout   = 5 * time.Second
)

// solver proves names by TXT records: it implements acmez.Solver and acmez.Waiter.
type solver struct{ Challenges }

func record(challenge acme.Challenge) *dns.TXT {
	return &dns.TXT{
		Hdr: dns.RR_Header{Name: dns.Fqdn(challenge.DNS01TXTRecordName()), Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: challengeTTL},
		Txt: []string{challenge.DNS01KeyAuthorization()},
	}
}

// Present adds the record.
func (s *solver) Present(ctx context.Context, challenge acme.Challenge) error {
	m := new(dns.Msg).SetUpdate(dns.Fqdn(s.Zone))
	m.Insert([]dns.RR{record(challenge)})
	if err := s.update(ctx, m); err != nil {
		return fmt.Errorf("adding %s to the zone: %w", challenge.DNS01TXTRecordName(), err)
	}
	return nil
}

// CleanUp removes the record.
func (s *solver) CleanUp(ctx context.Context, challenge acme.Challenge) error {
	m := new(dns.Msg).SetUpdate(dns.Fqdn(s.Zone))
	m.Remove([]dns.RR{record(challenge)})
	if err := s.update(ctx, m); err != nil {
		return fmt.Errorf("removing %s from the zone: %w", challenge.DNS01TXTRecordName(), err)
	}
	return nil
}

// update sends an update and wants it done.
// spec: RFC 2136 §2, RFC 8945 §5
func (s *solver) update(ctx context.Context, m *dns.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := s.Dial(ctx)
	if err != nil {
		return fmt.Errorf("reaching the primary DNS server: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	key := dns.Fqdn(s.Key)
	m.SetTsig(key, s.Algorithm, 300, time.Now().Unix())
	c := &dns.Conn{Conn: conn, TsigSecret: map[string]string{key: s.Secret}}
	if err := c.WriteMsg(m); err != nil {
		return fmt.Errorf("asking the primary DNS server: %w", err)
	}
	answer, err := c.ReadMsg()
	if err != nil {
		return fmt.Errorf("reading the primary DNS server's answer: %w", err)
	}
	if answer.Id != m.Id || answer.Rcode != dns.RcodeSuccess {
		return fmt.Errorf("the primary DNS server refused it: %s", dns.RcodeToString[answer.Rcode])
	}
	return nil
}

// Wait returns when all that serve the zone have the record, or patience has ended: then the authority may say itself
// what it lacks.
func (s *solver) Wait(ctx context.Context, challenge acme.Challenge) error {
	patience := s.Patience
	if patience < 0 {
		return nil
	}
	if patience == 0 {
		patience = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	servers, err := s.servers(ctx)
	if err != nil {
		return nil // the authority finds them, or says why not
	}
	tick := time.NewTicker(askPause)
	defer tick.Stop()
	for _, server := range servers {
		for !has(ctx, server, record(challenge)) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
	}
	return nil
}

func (s *solver) servers(ctx context.Context) ([]string, error) {
	if s.Nameservers != nil {
		return s.Nameservers(ctx, s.Zone)
	}
	found, err := net.DefaultResolver.LookupNS(ctx, s.Zone)
	if err != nil {
		return nil, err
	}
	var servers []string
	for _, ns := range found {
		servers = append(servers, net.JoinHostPort(strings.TrimSuffix(ns.Host, "."), "53"))
	}
	return servers, nil
}

// has asks a server whether it serves a record.
func has(ctx context.Context, server string, want *dns.TXT) bool {
	m := new(dns.Msg).SetQuestion(want.Hdr.Name, dns.TypeTXT)
	m.RecursionDesired = false
	c := dns.Client{Timeout: askTimeout}
	answer, _, err := c.ExchangeContext(ctx, m, server)
	if err != nil {
		return false
	}
	for _, rr := range answer.Answer {
		if got, ok := rr.(*dns.TXT); ok && strings.Join(got.Txt, "") == want.Txt[0] {
			return true
		}
	}
	return false
}

func externalAccount(a Authority) *acme.EAB {
	return &acme.EAB{KeyID: a.KeyID, MACKey: a.MACKey}
}
