package peers_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// tryKills kills dnsprimary and storage, alone and together, while two people change the zone by nsupdate. What was
// acknowledged must be there at the end, at the secondaries too, and no serial number may ever go back.
func tryKills(t *testing.T, programs string) {
	rounds := 4
	if long() {
		rounds = 60
	}
	f := newFamily(t, programs, "dnssec.sign=true", "serial=increment")
	f.converge()
	w := &writers{f: f}
	var wait sync.WaitGroup
	for i := range 2 {
		wait.Go(func() { w.write(i) })
	}
	for range rounds {
		w.await(1 + rand.IntN(25))
		switch rand.IntN(3) {
		case 0:
			f.box.primary.kill()
		case 1:
			f.box.storage.kill()
		default:
			f.box.storage.kill()
			f.box.primary.kill()
		}
		f.box.start()
		w.await(1)
	}
	w.stop.Store(true)
	wait.Wait()
	f.converge()
	records, err := transfer(f.box.address, "example.org.", &f.owner)
	if err != nil {
		t.Fatal(err)
	}
	text := "\n" + strings.Join(records, "\n")
	for _, name := range w.acknowledged {
		if !strings.Contains(text, "\n"+name+"\t") {
			t.Errorf("%s was acknowledged, and is not there", name)
		}
	}
	t.Logf("%d kills, %d updates acknowledged, %d not", rounds, len(w.acknowledged), w.failed)
}

// writers add names to the zone, each by an nsupdate of its own.
type writers struct {
	f    *family
	stop atomic.Bool

	mu           sync.Mutex // guards the fields below
	acknowledged []string
	failed       int
	last         map[string]uint32 // serial that each server has shown
}

func (w *writers) write(who int) {
	for n := 0; !w.stop.Load(); n++ {
		name := fmt.Sprintf("n%d-%d.example.org.", who, n)
		options := []string{"-t", "5", "-u", "1", "-r", "2"}
		if n%2 == 0 {
			options = append(options, "-v") // over TCP
		}
		said := w.f.box.nsupdate(w.f.owner, "zone example.org\nupdate add "+name+" 1 A 192.0.2.1", options...)
		w.mu.Lock()
		if said == "" {
			w.acknowledged = append(w.acknowledged, name)
		} else {
			w.failed++
		}
		w.mu.Unlock()
		w.look()
	}
}

// look checks that no server's serial number has gone back.
func (w *writers) look() {
	w.mu.Lock() // so that what was asked first is noted first
	defer w.mu.Unlock()
	if w.last == nil {
		w.last = make(map[string]uint32)
	}
	addresses := []string{w.f.box.address}
	for _, s := range w.f.all {
		addresses = append(addresses, s.address)
	}
	for _, address := range addresses {
		now, err := serial(address, "example.org.")
		if err != nil {
			continue // it is being killed
		}
		if last := w.last[address]; last != 0 && int32(now-last) < 0 {
			w.f.t.Errorf("the serial number went back from %d to %d at %s", last, now, address)
		}
		w.last[address] = now
	}
}

// await waits until that many more updates are acknowledged.
func (w *writers) await(more int) {
	w.f.t.Helper()
	count := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.acknowledged)
	}
	until := count() + more
	await(w.f.t, "updates are acknowledged", func() error {
		if n := count(); n < until {
			return fmt.Errorf("%d of %d", n, until)
		}
		return nil
	})
}
