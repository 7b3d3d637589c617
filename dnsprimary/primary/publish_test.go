package primary

import (
	"testing"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// TestPublishing changes a zone without a message, undoes it, and sees that IXFR tells both.
func TestPublishing(t *testing.T) {
	w := newWorld(t)
	origin := name("example.org.")
	first, _ := w.state.Zone(origin)
	e := first.Zone.Edit()
	if _, err := e.Add(fromRR(t, record(t, "new 60 A 192.0.2.9"))); err != nil {
		t.Fatal(err)
	}
	for _, next := range []*zone.Zone{e.Zone(), first.Zone} { // the undo has an old serial number
		before, _ := w.state.Zone(origin)
		state, change, err := w.state.Publish(w.now, next, name("owner."))
		if err != nil || change == nil || change.Old != before.Zone || change.New.Serial() != before.Zone.Serial()+1 || change.Key != name("owner.") {
			t.Fatalf("the change is %+v, %v", change, err)
		}
		w.state = state
	}
	now, _ := w.state.Zone(origin)
	if now.Zone.Records() != first.Zone.Records() || len(now.History) != 2 {
		t.Errorf("after the undo there are %d records, want %d", now.Zone.Records(), first.Zone.Records())
	}
	if m := w.signed(ixfr(t, first.Zone.Serial()+1), "transfer."); len(m.Answer) != 5 || m.Answer[2].Header().Rrtype != dns.TypeA {
		t.Errorf("the undo is transferred as\n%s", lines(m.Answer))
	}
}

func TestPublishingNothing(t *testing.T) {
	w := newWorld(t)
	h, _ := w.state.Zone(name("example.org."))
	if state, change, err := w.state.Publish(w.now, h.Zone, ""); state != w.state || change != nil || err != nil {
		t.Errorf("the same zone again is the change %v, %v", change, err)
	}
	if _, _, err := w.state.Publish(w.now, zone.New(name("example.net.")), ""); err == nil {
		t.Error("a zone is published that is not served")
	}
}
