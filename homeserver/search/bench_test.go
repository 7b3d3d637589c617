package search

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// language makes texts whose words are as unequally common as those of a language.
type language struct {
	random *rand.Rand
	zipf   *rand.Zipf
}

func newLanguage() *language {
	r := rand.New(rand.NewPCG(3, 4))
	return &language{r, rand.NewZipf(r, 1.1, 3, 60_000)}
}

func (l *language) word() string {
	n, out := l.zipf.Uint64(), ""
	for out == "" || n > 0 {
		out += string("etaoinsh"[n%8])
		n /= 8
	}
	return out + "x"
}

func (l *language) text() string {
	out := make([]string, 1+l.random.IntN(20))
	for i := range out {
		out[i] = l.word()
	}
	return strings.Join(out, " ")
}

// BenchmarkSearch fills 500 rooms, all of which bob is in and one of which alice is in, and measures the index and
// searches. HEARTH_SEARCH_MESSAGES says how many messages there are; 20,000 if not.
func BenchmarkSearch(b *testing.B) {
	messages := 20_000
	if text := os.Getenv("HEARTH_SEARCH_MESSAGES"); text != "" {
		messages, _ = strconv.Atoi(text)
	}
	w := begin(b, nil, Options{})
	defer w.end()
	w.x.Close()
	const count = 500
	rooms := make([]*store.Room, count)
	for i := range rooms {
		rooms[i] = w.room(bob)
	}
	_, err := w.rooms.SetMembership(b.Context(), rooms[7], room.Change{Sender: alice, Target: alice, Membership: "join"})
	w.must(err)
	l := newLanguage()
	bytes, rare := 0, ""
	for i := range messages {
		text := l.text()
		if i == messages/2 {
			rare = "rarity"
			text += " " + rare
		}
		bytes += len(text)
		w.say(rooms[l.random.IntN(1+l.random.IntN(count))], bob, text)
	}
	w.say(rooms[7], bob, rare)
	sent := w.written()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begun := time.Now()
	w.open(Options{})
	for w.x.behind() {
		w.must(w.x.moveOn(b.Context()))
	}
	took := time.Since(begun)
	written := w.written() - sent
	w.x.Close()
	w.open(Options{})
	w.must(w.x.catchUp(b.Context()))
	size, rows := 0, 0
	for row, err := range w.backend.Scan(b.Context(), blob.Range{Table: tablePostings}) {
		w.must(err)
		size += len(row.Key) + len(row.Value)
		rows++
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	m, _ := w.x.current()
	b.Logf("%d messages, %d KiB of text: index %d KiB (%d%%) in %d rows of %d segments, made in %v; %d bytes were written a message, and %d more for the index; "+
		"heap %d KiB with and %d KiB without it (in both the store)",
		messages, bytes>>10, size>>10, 100*size/bytes, rows, len(m.segments), took.Round(time.Millisecond), sent/messages, written/messages,
		after.HeapAlloc>>10, before.HeapAlloc>>10)
	for _, c := range []struct {
		name, term string
		user       matrix.UserID
	}{
		{"common-500-rooms", "ex", bob}, {"common-1-room", "ex", alice}, {"rare-500-rooms", rare, bob}, {"rare-1-room", rare, alice},
		{"two-common-500-rooms", "ex tx", bob}, {"none-500-rooms", "nothing", bob},
	} {
		for _, recent := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/recent=%t", c.name, recent), func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					page, err := w.x.Find(context.Background(), Request{User: c.user, Term: c.term, Recent: recent, Limit: 10})
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(page.Count), "found")
				}
			})
		}
	}
}

// written returns how many bytes the store was given so far.
func (w *world) written() int {
	w.t.Helper()
	stats, err := w.backend.Stats(context.Background())
	w.must(err)
	return int(stats.LogicalBytes)
}

// behind and moveOn let a benchmark wait until the whole log is indexed.
func (x *Index) behind() bool {
	_, pos := x.current()
	return pos < x.store.Durable()
}

func (x *Index) moveOn(ctx context.Context) error {
	x.mu.Lock()
	moved := x.moved
	x.mu.Unlock()
	if !x.behind() {
		return nil
	}
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// BenchmarkWords splits a message into words.
func BenchmarkWords(b *testing.B) {
	for name, text := range map[string]string{
		"ascii": "The quick brown fox jumps over the lazy dog, again and again", "accents": "Où est l'hôtel où j'ai été reçu, déjà épuisé?",
		"chinese": "我们明天去猫咖啡馆喝咖啡好不好",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				grades(KeyBody, text)
			}
		})
	}
}
