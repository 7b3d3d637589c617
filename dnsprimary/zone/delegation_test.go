package zone

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestDelegations(t *testing.T) {
	z := mustZone(t, "example.org.", soa+`
@              NS   ns1
ns1            A    192.0.2.1
child          NS   ns.child
child          NS   ns1
child          NS   ns.sibling
child          NS   ns.example.net.
child          TXT  "nobody sees this"
ns.child       A    192.0.2.2
ns.child       AAAA 2001:db8::2
deep.child     NS   ns.deep.child
ns.deep.child  A    192.0.2.9
sibling        NS   ns.sibling
ns.sibling     A    192.0.2.3
signed         NS   ns1
signed         DS   12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
mail           MX   10 ns.child
`)
	const referral = `NOERROR
			au child.example.org. 3600 NS ns.child.example.org.
			au child.example.org. 3600 NS ns.example.net.
			au child.example.org. 3600 NS ns.sibling.example.org.
			au child.example.org. 3600 NS ns1.example.org.
			ad ns.child.example.org. 3600 A 192.0.2.2 ; needed
			ad ns.child.example.org. 3600 AAAA 2001:db8::2 ; needed
			ad ns.sibling.example.org. 3600 A 192.0.2.3
			ad ns1.example.org. 3600 A 192.0.2.1
			no NoDS child.example.org.`
	check(t, z, []question{
		{"child.example.org. NS", referral},
		{"child.example.org. TXT", referral},
		{"www.child.example.org. A", referral},
		{"ns.child.example.org. A", referral},       // glue is no answer
		{"www.deep.child.example.org. A", referral}, // the highest cut counts
		{"child.example.org. DS", `NOERROR aa
			au example.org. 300 SOA
			no NoType child.example.org.`},
		{"www.child.example.org. DS", referral},
		{"signed.example.org. DS", `NOERROR aa
			an signed.example.org. 3600 DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF`},
		{"www.signed.example.org. A", `NOERROR
			au signed.example.org. 3600 NS ns1.example.org.
			ad ns1.example.org. 3600 A 192.0.2.1`},
		{"mail.example.org. MX", `NOERROR aa
			an mail.example.org. 3600 MX 10 ns.child.example.org.`}, // nor is it for anything but NS
	})
	for name, want := range map[string]Standing{
		"example.org.": Within, "ns1.example.org.": Within, "none.example.org.": Within, "child.example.org.": Delegation,
		"ns.child.example.org.": Occluded, "deep.child.example.org.": Occluded,
	} {
		if got := z.Standing(mustName(t, name)); got != want {
			t.Errorf("%s stands %d, want %d", name, got, want)
		}
	}
}

// TestAllGlueIsGiven is RFC 9471 §3.1: however many servers below the cut there are, and first.
func TestAllGlueIsGiven(t *testing.T) {
	var text strings.Builder
	text.WriteString(soa + "@ NS ns1\nns1 A 192.0.2.1\n")
	const servers = 60
	for i := range servers {
		fmt.Fprintf(&text, "child NS a%d\na%d A 192.0.2.9\n", i, i)
		fmt.Fprintf(&text, "child NS ns%d.child\nns%d.child A 192.0.2.%d\nns%d.child AAAA 2001:db8::%d\n", i, i, i, i, i)
	}
	var a Answer
	mustZone(t, "example.org.", text.String()).Answer(&a, mustName(t, "www.child.example.org."), dns.TypeA)
	needed := 0
	for i, f := range a.Additional {
		if f.Needed {
			needed++
		}
		if f.Needed != (i < 2*servers) {
			t.Fatalf("%s is number %d, needed %v", f.Owner, i, f.Needed)
		}
	}
	if needed != 2*servers {
		t.Errorf("%d sets of glue are given, want %d", needed, 2*servers)
	}
}
