package zone

import (
	"fmt"
	"strings"
	"testing"
)

// TestQuickReading compares what is read here with what the message library makes of the same fields.
func TestQuickReading(t *testing.T) {
	for text, quick := range map[string]bool{
		"A 192.0.2.1": true, "A 0.0.0.0": true, "A 192.0.2": false, "A ::1": false, "A 192.0.2.01": false, "A": false, "A 192.0.2.1 x": false,
		"AAAA 2001:db8::1": true, "AAAA ::": true, "AAAA ::ffff:192.0.2.1": true, "AAAA 192.0.2.1": false, "AAAA fe80::1%eth0": false,
		"NS ns1": true, "NS @": true, "NS .": true, "NS A.Example.NET.": true, "CNAME x.y": true, "DNAME x": true, "PTR *": true, `NS a\.b`: false, `NS "a"`: false,
		"MX 10 mail": true, "MX 65535 .": true, "MX 65536 mail": false, "MX mail": false, "MX 10": false, "MX -1 mail": false,
		"SRV 1 2 65535 x": true, "SRV 1 2 x": false, "TXT x": false,
	} {
		r := &reader{origin: mustName(t, "example.org."), owner: mustName(t, "example.org.")}
		fields := strings.Fields(text)
		typ, _ := parseType(fields[0])
		rdata, ok := r.quickRdata(typ, fields[1:])
		if ok != quick {
			t.Errorf("%s: read here is %v", text, ok)
		}
		if !ok {
			continue
		}
		rr, err := parseRdata(r.owner, r.origin, 60, typ, fields[1:])
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if library, err := FromRR(rr); err != nil || library.Rdata != rdata {
			t.Errorf("%s is %x, the library has %x, %v", text, rdata, library.Rdata, err)
		}
		written := Record{r.owner, typ, 60, rdata}
		rr, err = written.RR()
		if err != nil {
			t.Fatal(err)
		}
		if library := strings.TrimPrefix(rr.String(), rr.Header().String()); written.text() != library {
			t.Errorf("%s is written %q, by the library %q", text, written.text(), library)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	text.WriteString(soa)
	for i := range 500 {
		fmt.Fprintf(&text, "www%d A 192.0.2.1\nmail%d MX 10 www%d\n", i, i, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := Read("\x07example\x03org\x00", text.String()); problems != nil {
			b.Fatal(problems)
		}
	}
}
