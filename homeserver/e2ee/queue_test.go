package e2ee

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
)

func (w *world) fetch(after, upTo store.Pos, limit int) []Message {
	w.t.Helper()
	var all []Message
	for more := true; more && len(all) < limit; {
		var page []Message
		var err error
		if page, more, err = w.e2ee.ToDevice(w.t.Context(), bob, "DESK", after, upTo, limit-len(all)); err != nil {
			w.t.Fatal(err)
		}
		if all = append(all, page...); more {
			after = page[len(page)-1].Pos
		}
	}
	return all
}

func (w *world) acknowledge(upTo store.Pos) {
	w.t.Helper()
	if err := w.e2ee.Acknowledge(w.t.Context(), bob, "DESK", upTo); err != nil {
		w.t.Fatal(err)
	}
}

func TestQueue(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.send(fmt.Sprint(i), to(bob, "DESK", fmt.Sprintf(`{"n":%d}`, i)))
	}
	all := w.fetch(0, never, 100)
	if len(all) != 5 {
		t.Fatalf("%d wait, want 5", len(all))
	}
	for _, c := range []struct {
		after, upTo store.Pos
		limit, want int
	}{
		{0, never, 3, 3}, {all[1].Pos, never, 100, 3}, {all[1].Pos, all[2].Pos, 100, 1}, {all[4].Pos, never, 100, 0},
		{never - 1, never, 100, 0}, {all[2].Pos, all[2].Pos, 100, 0}, {all[3].Pos, all[1].Pos, 100, 0}, {0, 0, 100, 0},
	} {
		if got := w.fetch(c.after, c.upTo, c.limit); len(got) != c.want {
			t.Errorf("after %d up to %d, %d at most: %d, want %d", c.after, c.upTo, c.limit, len(got), c.want)
		}
	}
	w.acknowledge(all[0].Pos - 1)
	w.acknowledge(all[1].Pos)
	w.acknowledge(all[1].Pos)
	if got := w.waiting(bob, "DESK"); got != `{"n":2}{"n":3}{"n":4}` {
		t.Errorf("left %s", got)
	}
	if err := w.e2ee.Forget(t.Context(), bob, "DESK"); err != nil {
		t.Fatal(err)
	}
	w.send("new", to(bob, "DESK", `{"n":9}`))
	if got := w.waiting(bob, "DESK"); got != `{"n":9}` {
		t.Errorf("left %s", got)
	}
}

// A device whose id begins like another's does not see its messages.
func TestQueuesDoNotMix(t *testing.T) {
	w := newWorld(t)
	w.login(bob, "DESK2")
	w.send("1", to(bob, "DESK2", `{}`))
	w.send("2", to(bob, "DESK", `{"mine":1}`))
	if err := w.e2ee.Forget(t.Context(), bob, "DESK2"); err != nil {
		t.Fatal(err)
	}
	if got := w.waiting(bob, "DESK"); got != `{"mine":1}` {
		t.Errorf("it has %s", got)
	}
}

// Threat 12: a full queue drops the oldest of whoever fills it, not what others sent.
func TestFullQueue(t *testing.T) {
	w := newWorld(t)
	mallory := account.Session{User: "@mallory:here.example", Device: "M"}
	w.send("first", to(bob, "DESK", `{"from":"alice"}`))
	flood := `{"x":"` + strings.Repeat("x", MaxMessage-100) + `"}`
	for i := range 2 * MaxQueuedBytes / MaxMessage {
		if err := w.e2ee.SendToDevice(t.Context(), mallory, fmt.Sprint(i), "m.test", to(bob, "DESK", flood)); err != nil {
			t.Fatal(err)
		}
	}
	w.send("last", to(bob, "DESK", `{"from":"alice"}`))
	count, size := 0, 0
	for _, m := range w.fetch(0, never, 2*MaxQueued) {
		size += len(m.JSON)
		if sender, _ := matrix.StringField(m.JSON, "sender"); sender == string(alice) {
			count++
		}
	}
	if count != 2 || size > MaxQueuedBytes || size < MaxQueuedBytes/2 {
		t.Errorf("%d of alice's 2 messages are left, %d bytes in all", count, size)
	}
	q := w.e2ee.queues.take(string(queueKey(bob, "DESK")))
	defer w.e2ee.queues.release(q)
	if _, counted := w.e2ee.queues.size(q); counted != size {
		t.Errorf("counted %d bytes, there are %d", counted, size)
	}
}

func TestSurplus(t *testing.T) {
	list := func(n, size int) []waiting {
		out := make([]waiting, n)
		for i := range out {
			out[i] = waiting{[]byte{byte(i)}, size}
		}
		return out
	}
	drop := surplus(map[string][]waiting{"big": list(100, 100_000), "small": list(100, 10)}, 200, MaxQueuedBytes)
	if len(drop) == 0 || len(drop) > 50 {
		t.Fatalf("dropped %d", len(drop))
	}
	for i, d := range drop {
		if d.size != 100_000 || d.key[0] != byte(i) {
			t.Fatalf("dropped %v as number %d", d, i)
		}
	}
	if drop := surplus(nil, 0, 2*MaxQueuedBytes); len(drop) != 0 {
		t.Errorf("dropped %d of nothing", len(drop))
	}
	if drop := surplus(map[string][]waiting{"": list(MaxQueued, 0)}, MaxQueued, 0); len(drop) != MaxQueued/4 {
		t.Errorf("dropped %d", len(drop))
	}
}

// While many send and the device acknowledges, nothing that waits is overlooked and nothing comes twice.
func TestQueueUnderLoad(t *testing.T) {
	w := newWorld(t)
	const senders, each = 4, 40
	var wg sync.WaitGroup
	for s := range senders {
		from := w.login(alice, fmt.Sprint("S", s))
		wg.Go(func() {
			for i := range each {
				m := messages{bob: {"DESK": json.RawMessage(fmt.Sprintf(`{"n":"%d-%d"}`, s, i))}}
				if err := w.e2ee.SendToDevice(t.Context(), from, fmt.Sprint(i), "m.test", m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	seen := map[string]bool{}
	from := w.store.Durable()
	for since := store.Pos(0); len(seen) < senders*each; {
		notes, err := w.store.Follow(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		from = notes[len(notes)-1].Pos
		w.acknowledge(since)
		for _, m := range w.fetch(since, from, 1000) {
			n, _ := matrix.StringField(m.JSON, "content", "n")
			if seen[n] || m.Pos <= since {
				t.Fatalf("%s came again", n)
			}
			seen[n] = true
		}
		since = from
	}
	wg.Wait()
}

func TestQueuesInMemoryAreBounded(t *testing.T) {
	qs := newQueues()
	pinned := qs.take("pinned")
	qs.count(pinned, 1, 1)
	for i := range maxQueues + 100 {
		qs.release(qs.take(fmt.Sprint(i)))
	}
	if len(qs.open) > maxQueues {
		t.Errorf("%d are kept", len(qs.open))
	}
	if again := qs.take("pinned"); again != pinned {
		t.Error("a queue in use was forgotten")
	}
}

func BenchmarkNothingWaits(b *testing.B) {
	w := newWorld(b)
	for b.Loop() {
		if _, _, err := w.e2ee.ToDevice(b.Context(), bob, "DESK", 5, never, 100); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSend(b *testing.B) {
	w := newWorld(b)
	m := to(bob, "DESK", `{"ciphertext":"`+strings.Repeat("x", 700)+`"}`)
	n := 0
	for b.Loop() {
		n++
		w.send(fmt.Sprint(n), m)
		if n%100 == 0 {
			w.acknowledge(never)
		}
	}
}
