package zone

import "testing"

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
