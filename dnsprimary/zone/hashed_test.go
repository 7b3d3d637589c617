package zone

import "testing"

// TestOwnersOfHashesDoNotExist is RFC 5155 §7.2.8.
func TestOwnersOfHashesDoNotExist(t *testing.T) {
	const hash = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"
	text := soa + hash + " NSEC3 1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A\n" +
		hash + " RRSIG NSEC3 13 2 300 20300101000000 20200101000000 12345 example. AAAA\n"
	absent := func(name, next string) question {
		return question{name + " A", "NXDOMAIN aa\nau example. 300 SOA\nno NoName " + name + " encloser example. next " + next}
	}
	z := mustZone(t, "example.", text)
	check(t, z, []question{absent(hash+".example.", hash+".example."), absent("x."+hash+".example.", hash+".example."), absent("0.example.", "0.example.")})
	if len(z.Sets(mustName(t, hash+".example."))) != 2 {
		t.Error("the records are not there for who signs and transfers")
	}

	check(t, mustZone(t, "example.", text+"* A 192.0.2.1\n"), []question{{hash + ".example. A", "NOERROR aa\nan " + hash + ".example. 3600 A 192.0.2.1 ; wildcard *.example.\nno Expanded " + hash + ".example. encloser example. next " + hash + ".example."}})
	check(t, mustZone(t, "example.", text+hash+" A 192.0.2.1\n"), []question{{hash + ".example. A", "NOERROR aa\nan " + hash + ".example. 3600 A 192.0.2.1"}})
	check(t, mustZone(t, "example.", text+"b."+hash+" A 192.0.2.1\n"), []question{
		{hash + ".example. A", "NOERROR aa\nau example. 300 SOA\nno NoType " + hash + ".example."},
		{"a." + hash + ".example. A", "NXDOMAIN aa\nau example. 300 SOA\nno NoName a." + hash + ".example. encloser " + hash + ".example. next a." + hash + ".example."},
		{"c." + hash + ".example. A", "NXDOMAIN aa\nau example. 300 SOA\nno NoName c." + hash + ".example. encloser " + hash + ".example. next c." + hash + ".example."},
	})
}
