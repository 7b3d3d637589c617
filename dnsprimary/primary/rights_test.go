package primary

import (
	"errors"
	"testing"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// TestRights has grants, an update, and whether it is carried out. What is not granted is denied.
func TestRights(t *testing.T) {
	origin := name("example.org.")
	whole := Grant{Zone: origin, Update: true, Name: origin}
	below := Grant{Zone: origin, Update: true, Name: name("home.example.org.")}
	exact := Grant{Zone: origin, Update: true, Name: name("www.example.org."), Exact: true}
	addresses := Grant{Zone: origin, Update: true, Name: origin, Types: []uint16{dns.TypeA, dns.TypeAAAA}}
	challenge := Grant{Zone: origin, Update: true, Name: name("_acme-challenge.example.org."), Types: []uint16{dns.TypeTXT}}
	for _, c := range []struct {
		grants []Grant
		text   string
		want   int
	}{
		{nil, "add new 60 A 192.0.2.9", dns.RcodeRefused},
		{[]Grant{{Zone: origin, Transfer: true}}, "add new 60 A 192.0.2.9", dns.RcodeRefused},
		{[]Grant{{Zone: name("example.net."), Update: true, Name: name("example.net.")}}, "add new 60 A 192.0.2.9", dns.RcodeRefused},
		{[]Grant{whole}, "add new 60 A 192.0.2.9", dns.RcodeSuccess},
		{[]Grant{below}, "add home 60 A 192.0.2.9", dns.RcodeSuccess},
		{[]Grant{below}, "add x.home 60 A 192.0.2.9", dns.RcodeSuccess},
		{[]Grant{below}, "add xhome 60 A 192.0.2.9", dns.RcodeRefused},
		{[]Grant{below}, "add home 60 A 192.0.2.9\nadd www 60 A 192.0.2.9", dns.RcodeRefused}, // all or nothing
		{[]Grant{exact}, "delete www", dns.RcodeSuccess},
		{[]Grant{exact}, "add x.www 60 A 192.0.2.9", dns.RcodeRefused},
		{[]Grant{addresses}, "add new 60 A 192.0.2.9", dns.RcodeSuccess},
		{[]Grant{addresses}, "add new 60 TXT x", dns.RcodeRefused},
		{[]Grant{addresses}, "delete new TXT", dns.RcodeRefused},
		{[]Grant{addresses}, "delete www", dns.RcodeSuccess}, // only addresses are there
		{[]Grant{addresses}, "delete mail", dns.RcodeRefused},
		{[]Grant{addresses}, "delete none", dns.RcodeRefused},
		{[]Grant{challenge}, "add _acme-challenge 60 TXT x", dns.RcodeSuccess},
		{[]Grant{challenge}, "add _acme-challenge 60 A 192.0.2.9", dns.RcodeRefused},
		{[]Grant{challenge, below}, "add home 60 A 192.0.2.9", dns.RcodeSuccess},
		{[]Grant{challenge}, "prereq yxdomain none\nadd www 60 TXT x", dns.RcodeNameError}, // RFC 2136 §3.3 follows §3.2
	} {
		w := newWorld(t, func(s *Settings) {
			s.Keys = []Key{{Name: name("key."), Algorithm: HMACSHA256, Secret: []byte(secret), Grants: c.grants}}
		})
		if got := w.signed(update(t, c.text), "key.").Rcode; got != c.want {
			t.Errorf("%+v: %q is answered %s, want %s", c.grants, c.text, dns.RcodeToString[got], dns.RcodeToString[c.want])
		}
	}
}

// TestAnUnsignedUpdateIsRefused also sees that it learns nothing from prerequisites.
func TestAnUnsignedUpdateIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, text := range []string{"add new 60 A 192.0.2.9", "prereq yxdomain none\nadd new 60 A 192.0.2.9", "prereq nxdomain www", ""} {
		for _, transport := range []Transport{UDP, TCP, Local} {
			w.from.Transport = transport
			d := w.handle(pack(t, update(t, text)))
			if w.parse(d.Reply).Rcode != dns.RcodeRefused || d.Next != nil || d.Change != nil {
				t.Errorf("%q over %d is answered %s", text, transport, render(w.parse(d.Reply)))
			}
		}
	}
}

// signer signs nothing, but says that NSEC is its own.
type signer struct{ signed int }

func (s *signer) Makes(typ uint16) bool { return typ == dns.TypeNSEC }

func TestWhatTheSignerMakesIsNotUpdated(t *testing.T) {
	w := newWorld(t)
	h, _ := w.state.Zone(name("example.org."))
	s := new(signer)
	h.Signer = s
	w.state = w.state.With(h)
	if got := w.signed(update(t, "add new 60 NSEC x.example.org. A"), "update.").Rcode; got != dns.RcodeRefused {
		t.Errorf("a proof is added with %s", dns.RcodeToString[got])
	}
	if got := w.signed(update(t, "add new 60 A 192.0.2.9"), "update.").Rcode; got != dns.RcodeSuccess || s.signed != 1 {
		t.Errorf("an address is added with %s, signed %d times", dns.RcodeToString[got], s.signed)
	}
	m := query(t, "new.example.org. A")
	m.SetEdns0(1232, true)
	if got := render(w.ask(m)); got != "NOERROR aa\nan new.example.org. 60 IN A 192.0.2.9\nau proof.example.org. 0 IN TXT \"proved\"" {
		t.Errorf("the proved answer is %s", got)
	}
	w.expect("new.example.org. A", "NOERROR aa\nan new.example.org. 60 IN A 192.0.2.9")
	w.now = w.now.Add(1e9)
	w.signed(update(t, "add broken 60 A 192.0.2.9"), "update.")
	if m := query(t, "broken.example.org. A").SetEdns0(1232, true); w.ask(m).Rcode != dns.RcodeServerFailure {
		t.Error("what cannot be proved is answered all the same")
	}
}

func proof() zone.Fact {
	return zone.Fact{Owner: name("proof.example.org."), Set: zone.NewRRset(dns.TypeTXT, 0, "\x06proved")}
}

func (s *signer) Prove(_ time.Time, _ *zone.Zone, a *zone.Answer) error {
	if a.Answer[0].Owner == name("broken.example.org.") {
		return errors.New("there is no signature")
	}
	a.Authority = append(a.Authority, proof())
	return nil
}

func (s *signer) Sign(_ time.Time, _, next *zone.Zone) (*zone.Zone, error) {
	s.signed++
	return next, nil
}
