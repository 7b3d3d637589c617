package zone

import (
	"testing"

	"github.com/miekg/dns"
)

func TestNearest(t *testing.T) {
	z := mustZone(t, "example.org.", soa+"@ NS ns1\n@ TXT a\nns1 A 192.0.2.1\nb TXT b\nc.b A 192.0.2.1\nz TXT z\n")
	for asked, want := range map[string]string{
		"example.org": "example.org.", "a.example.org": "example.org.", "b.example.org": "b.example.org.",
		"c.b.example.org": "b.example.org.", "y.example.org": "b.example.org.", "zz.example.org": "z.example.org.",
	} {
		name, err := ParseName(asked)
		if err != nil {
			t.Fatal(err)
		}
		if owner, set := z.Nearest(name, dns.TypeTXT); owner.String() != want || set.Empty() {
			t.Errorf("%s: %s, want %s", asked, owner, want)
		}
		if owner, set := z.Nearest(name, dns.TypeTLSA); owner != "" || !set.Empty() {
			t.Errorf("%s: %s has TLSA", asked, owner)
		}
	}
	if owner, _ := z.Nearest("\x01a\x04test\x00", dns.TypeTXT); owner != "" {
		t.Errorf("a name of another zone: %s", owner)
	}
}
