package search

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// TestSegments: what is in memory, in segments and in merged ones is found alike.
func TestSegments(t *testing.T) {
	bubble(t, Options{Segment: 2}, func(t *testing.T, w *world) {
		r, other := w.room(alice, bob), w.room(alice)
		var all, even, others []matrix.EventID
		for i := range 500 {
			if i%2 == 0 {
				w.settle() // so that each segment is small
			}
			if i%10 == 3 {
				others = append(others, w.say(other, alice, fmt.Sprint("common words elsewhere ", i)))
				continue
			}
			id := w.say(r, alice, fmt.Sprint("common words ", []string{"even", "odd"}[i%2], " number", i))
			all = append(all, id)
			if i%2 == 0 {
				even = append(even, id)
			}
		}
		w.settle()
		m := w.manifest()
		if n := len(m.segments); n > 3*fanIn || m.segments[0].level < 1 {
			t.Errorf("%d segments, the oldest of level %d", n, m.segments[0].level)
		}
		w.wantFound(bob, "common", slices.Clone(all)...)
		w.wantFound(bob, "words even", even...)
		w.wantFound(bob, "common number42", all[38])
		w.wantFound(bob, "elsewhere")
		w.wantFound(alice, "common elsewhere", others...)
		known := make(map[uint64]bool)
		for _, s := range m.segments {
			known[s.id] = true
		}
		for row, err := range w.backend.Scan(t.Context(), blob.Range{Table: tablePostings}) {
			w.must(err)
			if !known[beUint64(row.Key)] {
				t.Fatalf("segment %d is left over", beUint64(row.Key))
			}
		}
	})
}

// TestResume: a follower that begins again, whatever the last one had written when it was killed, finds everything
// once.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil, Options{Segment: 4})
		r := w.room(alice)
		var all []matrix.EventID
		for i := range 60 {
			all = append(all, w.say(r, alice, fmt.Sprint("again ", i)))
			if i%7 == 0 {
				w.x.Close() // it writes nothing when it ends: so it was killed
				w.open(Options{Segment: 4})
			}
		}
		w.wantFound(alice, "again", slices.Clone(all)...)
		w.settle()
		seen := make(map[entry]bool)
		for _, e := range w.entries() {
			e.level = 0
			if seen[e] {
				t.Fatalf("%+v is written twice", e)
			}
			seen[e] = true
		}
		w.end()
	})
}

// TestTidy: what jobs left behind that did not end is removed.
func TestTidy(t *testing.T) {
	bubble(t, Options{Segment: 2}, func(t *testing.T, w *world) {
		r := w.room(alice)
		id := w.say(r, alice, "one")
		w.say(r, alice, "two")
		w.settle()
		w.x.Close()
		_, err := w.store.Apply(t.Context(), func(tx *store.Tx) {
			for segment := uint64(50); segment < 53; segment++ {
				var c chunk
				c.add(entry{"one", spot{r.Num, 1}, 2})
				tx.Set(tablePostings, chunkKey(segment, "one", spot{r.Num, 1}), c.data)
			}
		})
		w.must(err)
		w.open(Options{})
		w.wantFound(alice, "one", id)
		if n := len(w.entries()); n != 2 {
			t.Errorf("%d entries are written", n)
		}
	})
}

// TestDamagedIndex is made anew.
func TestDamagedIndex(t *testing.T) {
	bubble(t, Options{Segment: 2}, func(t *testing.T, w *world) {
		r := w.room(alice)
		var all []matrix.EventID
		for i := range 10 {
			all = append(all, w.say(r, alice, fmt.Sprint("word ", i)))
		}
		w.settle()
		w.x.Close()
		_, err := w.store.Apply(t.Context(), func(tx *store.Tx) { tx.Set(tableManifest, []byte{0}, []byte("rubbish")) })
		w.must(err)
		w.open(Options{Segment: 2})
		w.wantFound(alice, "word", slices.Clone(all)...)
		w.settle()
		for _, meet := range []func(){
			func() { w.x.Find(t.Context(), Request{User: alice, Term: "word", Limit: 1}) }, // a search meets it
			func() { // it is to be merged
				for i := range 2 * fanIn {
					all = append(all, w.say(r, alice, fmt.Sprint("word and ", i)))
					w.settle()
				}
			},
		} {
			id := w.manifest().segments[0].id
			_, err = w.store.Apply(t.Context(), func(tx *store.Tx) { tx.Set(tablePostings, chunkKey(id, "a", spot{}), []byte("rubbish")) })
			w.must(err)
			meet()
			time.Sleep(2 * retry)
			w.settle()
			w.wantFound(alice, "word", slices.Clone(all)...)
		}
	})
}

// TestCommonWordsStopEarly: the newest of very many are found without looking at all, in order, and page by page.
func TestCommonWordsStopEarly(t *testing.T) {
	bubble(t, Options{Segment: 64}, func(t *testing.T, w *world) {
		r := w.room(alice)
		var all []matrix.EventID
		for i := range 3 * maxJudged {
			all = append(all, w.say(r, alice, fmt.Sprint("common ", i)))
			if i%64 == 0 {
				w.settle()
			}
		}
		page, err := w.x.Find(t.Context(), Request{User: alice, Term: "common", Recent: true, Limit: 1})
		w.must(err)
		if page.Count < 2*maxJudged || page.Count > 4*maxJudged {
			t.Errorf("count %d, want about %d", page.Count, 3*maxJudged)
		}
		f := &finder{x: w.x, r: &Request{User: alice, Recent: true}, q: &query{terms: []term{{text: "common"}}}, page: &Page{}, rooms: map[store.RoomNum]*foundRoom{}}
		f.nums = []store.RoomNum{r.Num}
		w.must(f.propose(t.Context()))
		if read := maxWork - f.work.entries; read > 4*maxJudged {
			t.Errorf("%d entries were read", read)
		}
		w.wantFound(alice, "common", all...)
	})
}

// TestLongMessages: threat 12. What is written at once stays within the store's bounds, however much somebody says.
func TestLongMessages(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, w *world) {
		w.x.Close() // all of it is then read in one go
		r := w.room(alice)
		for i := range 150 {
			var text strings.Builder
			for j := range maxTokens {
				fmt.Fprintf(&text, "%d%s ", 1000*i+j, strings.Repeat("x", maxWord-10))
			}
			w.say(r, alice, text.String())
		}
		last := w.say(r, alice, "needle")
		w.open(Options{})
		w.wantFound(alice, "needle", last)
		w.settle()
		m := w.manifest()
		for _, s := range m.segments {
			if s.size > maxEntries+maxTokens {
				t.Errorf("a segment of %d entries", s.size)
			}
		}
		if len(m.segments) == 0 {
			t.Error("nothing is written")
		}
	})
}

// TestDamagedEvent: it is not found, and keeps nobody from the others.
func TestDamagedEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil, Options{})
		r := w.room(alice)
		one, bad, two := w.say(r, alice, "word"), w.say(r, alice, "word"), w.say(r, alice, "word")
		w.wantFound(alice, "word", one, bad, two)
		_, order, _, err := w.store.FindEvent(t.Context(), bad)
		w.must(err)
		_, err = w.store.Apply(t.Context(), func(tx *store.Tx) { tx.Set("ev", append(store.Place(r.Num, order), 0), []byte("rubbish")) })
		w.must(err)
		w.end()
		w = begin(t, w.backend, Options{}) // which indexes again what was in memory
		defer w.end()
		w.wantFound(alice, "word", one, two)
	})
}

// TestRedactionsLeaveNothing: neither in memory nor, after a sweep, on the disk.
func TestRedactionsLeaveNothing(t *testing.T) {
	bubble(t, Options{Segment: 4}, func(t *testing.T, w *world) {
		r := w.room(alice)
		var kept, gone []matrix.EventID
		for i := range 40 {
			if i%3 == 0 {
				gone = append(gone, w.say(r, alice, fmt.Sprint("both secret", i)))
			} else {
				kept = append(kept, w.say(r, alice, fmt.Sprint("both public", i)))
			}
		}
		edited := w.say(r, alice, "both first")
		edit := w.send(r, alice, `{"body":"* secret","msgtype":"m.text","m.new_content":{"body":"both secretly","msgtype":"m.text"},"m.relates_to":{"rel_type":"m.replace","event_id":"`+string(edited)+`"}}`)
		for range 8 { // so that all is written
			w.say(r, alice, "padding")
		}
		w.settle()
		for _, id := range append(gone, edit) {
			w.redact(r, id)
		}
		w.wantFound(alice, "both", append(slices.Clone(kept), edited)...)
		for range 4 {
			w.say(r, alice, "padding")
		}
		w.settle()
		w.x.Close() // the list of what is to be swept lasts
		w.open(Options{Segment: 4})
		time.Sleep(time.Hour + time.Minute)
		w.settle()
		for _, e := range w.entries() {
			if strings.HasPrefix(e.term, "secret") {
				t.Fatalf("%q is still in the index", e.term)
			}
		}
		if n := len(w.manifest().dead); n > 0 {
			t.Errorf("%d events are still to be swept", n)
		}
		w.wantFound(alice, "first", edited)
		w.wantFound(alice, "both", append(kept, edited)...)
	})
}

// TestManyRedactions are swept before the hour is over.
func TestManyRedactions(t *testing.T) {
	bubble(t, Options{Segment: 64}, func(t *testing.T, w *world) {
		r := w.room(alice)
		var ids []matrix.EventID
		for i := range 2 * maxDead {
			ids = append(ids, w.say(r, alice, fmt.Sprint("secret", i)))
		}
		w.settle()
		for _, id := range ids {
			w.redact(r, id)
		}
		for range 64 {
			w.say(r, alice, "padding")
		}
		w.settle()
		left := slices.DeleteFunc(w.entries(), func(e entry) bool { return e.term == "padding" })
		if n := len(left); n > maxDead {
			t.Errorf("%d entries are left", n)
		}
		w.wantFound(alice, "secret1")
	})
}

func TestDeletedRooms(t *testing.T) {
	bubble(t, Options{Segment: 4}, func(t *testing.T, w *world) {
		r, other := w.room(alice), w.room(alice)
		w.say(r, alice, "secret of a room")
		kept := w.say(other, alice, "secret of another")
		for range 4 {
			w.say(other, alice, "padding")
		}
		w.settle()
		now, err := w.store.RoomsByNum(t.Context(), r.Num)
		w.must(err)
		deleted := *now[0]
		deleted.Deleted = true
		_, err = w.store.Apply(t.Context(), func(tx *store.Tx) { tx.PutRoom(&deleted) })
		w.must(err)
		w.wantFound(alice, "secret", kept)
		time.Sleep(time.Hour + time.Minute)
		w.settle()
		for _, e := range w.entries() {
			if e.room == r.Num {
				t.Fatalf("%q of the deleted room is still in the index", e.term)
			}
		}
		w.wantFound(alice, "secret", kept)
	})
}

// TestOldServer: a server that had messages before it had an index, more than a page of the log.
func TestOldServer(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, w *world) {
		w.x.Close()
		r := w.room(alice)
		var all []matrix.EventID
		for i := range 1200 {
			all = append(all, w.say(r, alice, fmt.Sprint("old ", i)))
		}
		w.open(Options{})
		w.wantFound(alice, "old", all...)
	})
}

// TestAgainstPlainSearch compares the index, with random texts, edits and redactions, to looking at every message.
func TestAgainstPlainSearch(t *testing.T) {
	bubble(t, Options{Segment: 8}, func(t *testing.T, w *world) {
		random := rand.New(rand.NewPCG(1, 2))
		rooms := []*store.Room{w.room(alice, bob), w.room(alice), w.room(alice, bob)}
		type message struct {
			id   matrix.EventID
			room int
			text string
		}
		vocabulary := strings.Fields("a b c d e f g hh ii jj kk 猫が好き 猫 好き éa")
		text := func() string {
			var out []string
			for range 1 + random.IntN(6) {
				out = append(out, vocabulary[random.IntN(len(vocabulary))])
			}
			return strings.Join(out, " ")
		}
		var messages []message
		for range 600 {
			time.Sleep(time.Millisecond) // edits have an order
			switch at := random.IntN(max(1, len(messages))); {
			case len(messages) > 10 && random.IntN(8) == 0:
				w.redact(rooms[messages[at].room], messages[at].id)
				messages = slices.Delete(messages, at, at+1)
			case len(messages) > 10 && random.IntN(8) == 0:
				messages[at].text = text()
				w.send(rooms[messages[at].room], alice, fmt.Sprintf(`{"body":"* edit","msgtype":"m.text","m.new_content":{"body":%q,"msgtype":"m.text"},"m.relates_to":{"rel_type":"m.replace","event_id":%q}}`, messages[at].text, messages[at].id))
			default:
				m := message{room: random.IntN(len(rooms)), text: text()}
				m.id = w.say(rooms[m.room], alice, m.text)
				messages = append(messages, m)
			}
			if random.IntN(20) > 0 {
				continue
			}
			term := text()
			q, err := parseQuery(term)
			w.must(err)
			var want []matrix.EventID
			for _, m := range messages {
				if _, ok := q.match(m.text); ok && m.room != 1 {
					want = append(want, m.id)
				}
			}
			w.wantFound(bob, term, want...)
		}
	})
}

// TestManySearches: those that find no place are refused, and nobody waits for ever.
func TestManySearches(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, w *world) {
		w.room(alice)
		var leaves []func()
		for range maxSearches {
			leave, err := w.x.enter(t.Context())
			w.must(err)
			leaves = append(leaves, leave)
		}
		ctx, cancel := context.WithCancel(t.Context())
		answers := make(chan error, maxQueue)
		for range maxQueue - maxSearches {
			go func() {
				_, err := w.x.Find(ctx, Request{User: alice, Term: "x", Limit: 1})
				answers <- err
			}()
		}
		w.settle()
		if _, err := w.x.Find(ctx, Request{User: alice, Term: "x", Limit: 1}); err == nil || !strings.Contains(err.Error(), matrix.MLimitExceeded) {
			t.Errorf("one too many: %v", err)
		}
		cancel()
		for range maxQueue - maxSearches {
			if err := <-answers; err != context.Canceled {
				t.Errorf("who gave up: %v", err)
			}
		}
		for _, leave := range leaves {
			leave()
		}
		w.wantFound(alice, "x")
	})
}
