package zone

import (
	"slices"
	"testing"
)

// sound is a zone without any problem; the cases add to it.
const sound = soa + "@ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n"

func TestCheckingAZone(t *testing.T) {
	for text, want := range map[string][]string{
		sound: nil,
		"$TTL 60\n@ NS ns1.example.net.\n@ NS ns2.example.net.\n": {"the zone has no SOA record at example.org."},
		soa:                            {"the zone has no NS record at example.org.: name at least one server"},
		soa + "@ NS ns.example.net.\n": {"warning: the zone has one name server only; a second one keeps it alive while the first is away (RFC 2182)"},
		sound + "@ SOA ns1 hostmaster 2 7200 900 1209600 300\n":                                    {"the zone has more than one SOA record"},
		sound + "www SOA ns1 hostmaster 2 7200 900 1209600 300\n":                                  {"www.example.org. has a SOA, which belongs to example.org. only"},
		sound + "www CNAME ns1\nwww TXT x\n":                                                       {"www.example.org. has a CNAME beside its TXT: a CNAME stands alone, since it means that all is at another name"},
		sound + "www CNAME ns1\nwww CNAME ns2\n":                                                   {"www.example.org. has more than one CNAME"},
		sound + "www DNAME ns1\nwww DNAME ns2\n":                                                   {"www.example.org. has more than one DNAME"},
		sound + "@ NS ns3\n":                                                                       {"the name server ns3.example.org. of example.org. has no address"},
		sound + "@ MX 1 nick\nnick CNAME ns1\n":                                                    {"the MX of example.org. points to nick.example.org., which has a CNAME; it must be a name with addresses"},
		sound + "@ MX 1 mail\n":                                                                    {"warning: the MX of example.org. points to mail.example.org., which has no address"},
		sound + "_x._tcp SRV 1 1 1 none\n_y._tcp SRV 0 0 0 .\n":                                    {"warning: the SRV of _x._tcp.example.org. points to none.example.org., which has no address"},
		sound + "sub NS ns.sub\n":                                                                  {"the name server ns.sub.example.org. of sub.example.org. has no address here (glue), so nobody can find it"},
		sound + "sub NS ns.sub\nns.sub A 192.0.2.9\nns.sub TXT x\n":                                {"warning: the TXT records of ns.sub.example.org. cannot be seen: a DNAME, or NS records of another zone, are above"},
		sound + "sub NS ns1\nsub TXT x\n":                                                          {"warning: the TXT records of sub.example.org. cannot be seen: its NS records make it another zone's"},
		sound + "sub NS ns.other\nother NS ns.other\nns.other A 192.0.2.7\n":                       nil,
		sound + "www DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n": {"warning: www.example.org. has DS records but no NS records, so they mean nothing"},
		sound + "@ DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n":   {"the zone has DS records of its own: they belong into the zone above, and must not be at example.org."},
		sound + "* NS ns1\n":                                                                       {"warning: *.example.org. is a wildcard with NS records, which servers understand in different ways (RFC 4592 §4)"},
		"$TTL 60\n@ SOA ns1 hostmaster 1 7200 900 600 300000\n@ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n": {
			"warning: the SOA lets secondaries forget the zone (expire 600) before they could try twice (refresh 7200, retry 900)",
			"warning: the SOA lets resolvers remember for 300000 seconds that a name is absent; a day (86400) should be the most"},
	} {
		var got []string
		for _, p := range mustZone(t, "example.org.", text).Check() {
			got = append(got, p.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s\nthe problems are %q, want %q", text, got, want)
		}
	}
}
