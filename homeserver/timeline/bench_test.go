package timeline

import (
	"fmt"
	"io"
	"log/slog"
	"testing"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blobtest"
)

// BenchmarkThreads reads a page of the threads of a room with 100,000 events, 5,000 threads of 19 replies each, and sums
// up a page's threads for a reader who ignores nobody, and for one who ignores somebody.
func BenchmarkThreads(b *testing.B) {
	s, err := store.Open(b.Context(), blobtest.NewMemory(), store.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	accounts := account.New(s, account.Options{Server: "x"})
	t := New(s, accounts)
	room := fillThreads(b, s, 5000, 19)
	a := Access{Joined: true, Membership: &store.Membership{Membership: "join"}, End: store.MaxOrder}
	read := func(b *testing.B, q ThreadsRequest) {
		for b.Loop() {
			page, err := t.Threads(b.Context(), "@u1:x", room, a, q)
			if err != nil || len(page.Roots) != q.Limit {
				b.Fatal(page, err)
			}
			v := &View{User: "@u1:x", Eyes: t.Eyes("@u1:x", room.Num, a)}
			events := make([]*store.Event, len(page.Roots))
			for i, r := range page.Roots {
				events[i] = r.Event
			}
			if err := t.Prepare(b.Context(), v, events); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("first page", func(b *testing.B) { read(b, ThreadsRequest{Limit: 20}) })
	b.Run("last page", func(b *testing.B) { read(b, ThreadsRequest{Limit: 20, From: Token(95000 + 30)}) })
	b.Run("participated", func(b *testing.B) { read(b, ThreadsRequest{Limit: 20, Participated: true}) })
}

// fillThreads makes a room with threads, whose roots come first.
func fillThreads(b *testing.B, s *store.Store, threads, replies int) *store.Room {
	b.Helper()
	v, _ := matrix.LookupVersion("11")
	room := &store.Room{Num: 1, ID: "!r:x", Version: v}
	draft := s.Draft()
	make1 := func(order store.Order, typ, key, content string, sender int) *store.Event {
		state := ""
		if typ != "m.room.message" {
			state = fmt.Sprintf(`"state_key":%q,`, key)
		}
		json := fmt.Sprintf(`{"auth_events":[],"content":%s,"depth":1,"hashes":{},"origin_server_ts":1,"prev_events":[],"room_id":"!r:x","sender":"@u%d:x",%s"type":%q}`, content, sender, state, typ)
		e, err := event.Load(v, matrix.EventID(fmt.Sprintf("$%d", order)), []byte(json))
		if err != nil {
			b.Fatal(err)
		}
		return &store.Event{Event: e, Room: 1, Order: order, Before: room.State, After: room.State}
	}
	member := make1(1, "m.room.member", "@u1:x", `{"membership":"join"}`, 1)
	root, err := draft.Set(b.Context(), room.State, store.StateEntry{Key: event.Key{Type: "m.room.member", StateKey: "@u1:x"}, Order: 1, ID: member.ID})
	if err != nil {
		b.Fatal(err)
	}
	room.State, member.After = root, root
	write := func(f func(tx *store.Tx)) {
		if _, err := s.Append(b.Context(), f); err != nil {
			b.Fatal(err)
		}
	}
	write(func(tx *store.Tx) {
		tx.PutDraft(draft)
		tx.PutNewRoom(room)
		tx.PutEvent(member)
	})
	for i := range threads {
		write(func(tx *store.Tx) {
			e := make1(store.Order(2+i), "m.room.message", "", `{"body":"the root of a thread"}`, 2)
			e.Aggregate = &store.Aggregate{Thread: int64(replies), ThreadLast: store.Order(2 + threads + i + (replies-1)*threads)}
			tx.PutEvent(e)
			tx.MoveThread(1, e.Order, 0, e.Aggregate.ThreadLast)
			if i%50 == 0 {
				tx.JoinThread(1, "@u1:x", e.Order)
			}
		})
	}
	for i := range threads * replies {
		write(func(tx *store.Tx) {
			e := make1(store.Order(2+threads+i), "m.room.message", "", `{"body":"a reply in a thread"}`, 3)
			tx.PutEvent(e)
			tx.PutRelation(1, store.Relation{Parent: store.Order(2 + i%threads), Child: e.Order, RelType: "m.thread", Type: "m.room.message"})
		})
	}
	if err := s.Settle(b.Context()); err != nil {
		b.Fatal(err)
	}
	return room
}
