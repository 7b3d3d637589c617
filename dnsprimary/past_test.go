package main

import (
	"fmt"
	"strings"
	"testing"

	"hearth/dnsprimary/zone"
)

// history returns the serial numbers of the earlier versions that are served.
func (w *world) history() (serials []uint32) {
	hosted, _ := w.s.state.Load().Zone(w.zone().Origin())
	for _, z := range hosted.History {
		serials = append(serials, z.Serial())
	}
	return serials
}

func TestOnlyHistoryThatIsShorterThanTheZoneIsKept(t *testing.T) {
	w := newWorld(t)
	big := func(third int) string {
		var text strings.Builder
		text.WriteString("$TTL 60\n@ SOA ns1 hostmaster 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n")
		for i := range 6000 {
			fmt.Fprintf(&text, "host%d A 10.%d.%d.%d\n", i, third, i>>8, i&255)
		}
		return text.String()
	}
	load := func(third int) {
		file, problems := zone.Read(w.zone().Origin(), big(third))
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		h := w.s.zones[file.Origin()]
		next, _ := patch(h.version.zone, zone.Diff(h.version.zone, file))
		if err := w.s.change(t.Context(), h, next, h.signer, "test"); err != nil {
			t.Fatal(err)
		}
	}
	load(1)
	load(2) // all 6000 sets are others, of 6000: longer than the whole
	if got := w.history(); len(got) != 0 {
		t.Errorf("%v are served", got)
	}
	for i := range 3 {
		if rcode := w.update(fmt.Sprintf("new%d.example.org. 60 A 192.0.2.9", i)); rcode != 0 {
			t.Fatal(rcode)
		}
	}
	w.tend() // what the file lacked
	before := w.history()
	if len(before) != 4 {
		t.Errorf("%v are served", before)
	}
	w.open()
	if after := w.history(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("after a restart %v are served, before %v", after, before)
	}
}
