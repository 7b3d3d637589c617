package push

import (
	"fmt"
	"testing"
)

// BenchmarkManyUnread counts for somebody who comes back to a room with 5,000 unread messages, more than stay in memory.
func BenchmarkManyUnread(b *testing.B) {
	w := memory(b)
	r := w.room(alice, bob)
	const unread = 5000
	for i := range unread {
		w.say(r, alice, fmt.Sprint("The kettle is on, come over when you have put the bicycle away. ", i))
	}
	if c := w.counts(r, bob); c.Main.Notifications != unread {
		b.Fatalf("counted %+v", c)
	}
	rs, err := w.push.Rules(b.Context(), bob)
	if err != nil {
		b.Fatal(err)
	}
	ignored, err := w.push.accounts.Ignored(b.Context(), bob)
	if err != nil {
		b.Fatal(err)
	}
	newest, err := w.store.Newest(b.Context(), r.Num)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		n := &counting{p: w.push, rs: rs, ignored: ignored, room: r, c: &counted{}}
		if err := n.count(b.Context(), newest); err != nil || n.c.Main.Notifications != unread {
			b.Fatalf("counted %+v, %v", n.c.Counts, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/unread, "ns/event")
}
