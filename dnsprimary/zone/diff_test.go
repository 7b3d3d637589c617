package zone

import (
	"maps"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	a := mustZone(t, "example.org.", soa+`
@    NS   ns1
ns1  A    192.0.2.1
old  A    192.0.2.2
old  TXT  "gone"
www  A    192.0.2.3
www  A    192.0.2.4
slow 60 A 192.0.2.5
`)
	b := mustZone(t, "example.org.", strings.Replace(soa, " 1 ", " 2 ", 1)+`
@    NS   ns1
ns1  A    192.0.2.1
0new A    192.0.2.2
www  A    192.0.2.4
www  A    192.0.2.6
slow 90 A 192.0.2.5
`)
	d := Diff(a, b)
	want := `
- example.org. 3600 IN SOA ns1.example.org. hostmaster.example.org. 1 7200 900 1209600 300
- old.example.org. 3600 IN A 192.0.2.2
- old.example.org. 3600 IN TXT "gone"
- slow.example.org. 60 IN A 192.0.2.5
- www.example.org. 3600 IN A 192.0.2.3
+ example.org. 3600 IN SOA ns1.example.org. hostmaster.example.org. 2 7200 900 1209600 300
+ 0new.example.org. 3600 IN A 192.0.2.2
+ slow.example.org. 90 IN A 192.0.2.5
+ www.example.org. 3600 IN A 192.0.2.6`
	if got := squeeze(renderDelta(d)); got != squeeze(want) {
		t.Errorf("the difference is\n%s\nwant%s", got, want)
	}
	checkDiff(t, a, b)
	checkDiff(t, b, a)
	if !Diff(a, a).Empty() {
		t.Error("a zone differs from itself")
	}
}

func TestADeltaFitsItsVersionOnly(t *testing.T) {
	a := mustZone(t, "example.org.", soa+"www A 192.0.2.1\n")
	b := mustZone(t, "example.org.", soa+"www A 192.0.2.2\n")
	d := Diff(a, b)
	for _, z := range []*Zone{b, New(a.Origin())} {
		if _, err := z.Apply(d); err == nil {
			t.Errorf("a zone with %d records takes a change of another version", z.Records())
		}
	}
}

func renderDelta(d Delta) string {
	var b strings.Builder
	for _, r := range d.Removed {
		b.WriteString("- " + r.String() + "\n")
	}
	for _, r := range d.Added {
		b.WriteString("+ " + r.String() + "\n")
	}
	return b.String()
}

// checkDiff checks that the difference, and the entries that differ, make b of a.
func checkDiff(t *testing.T, a, b *Zone) {
	t.Helper()
	d := Diff(a, b)
	applied, err := a.Apply(d)
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, applied, b)
	undone, err := b.Apply(d.Invert())
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, undone, a)
	edit := a.Edit()
	for e := range EntriesOf(a, b) {
		if err := edit.SetEntry(e.Key, e.Value); err != nil {
			t.Fatal(err)
		}
	}
	checkSame(t, edit.Zone(), b)
}

func checkSame(t *testing.T, a, b *Zone) {
	t.Helper()
	if !maps.Equal(entries(a), entries(b)) || a.Records() != b.Records() || a.Owners() != b.Owners() || a.cuts != b.cuts {
		t.Errorf("the zones are not the same: %d and %d records", a.Records(), b.Records())
	}
}

func entries(z *Zone) map[string]string {
	all := map[string]string{}
	for key, value := range z.Entries() {
		all[string(key)] = string(value)
	}
	return all
}
