package directory

import (
	"fmt"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// putRoom makes a room with this state, each piece with an empty key.
func putRoom(t testing.TB, d *Directory, num store.RoomNum, joined int64, state ...[2]string) *store.Room {
	t.Helper()
	v, _ := matrix.LookupVersion("11")
	room := &store.Room{Num: num, ID: matrix.RoomID(fmt.Sprintf("!%d:x", num)), Version: v, Joined: joined}
	draft := d.store.Draft()
	var entries []store.StateEntry
	var events []*store.Event
	for i, s := range state {
		order := store.Order(i + 1)
		json := fmt.Sprintf(`{"auth_events":[],"content":%s,"depth":1,"hashes":{},"origin_server_ts":1,"prev_events":[],"room_id":%q,"sender":"@a:x","state_key":"","type":%q}`, s[1], room.ID, s[0])
		e, err := event.Load(v, matrix.EventID(fmt.Sprintf("$%d-%d", num, order)), []byte(json))
		must(t, err)
		events = append(events, &store.Event{Event: e, Room: num, Order: order})
		entries = append(entries, store.StateEntry{Key: event.Key{Type: s[0]}, Order: order, ID: e.ID})
	}
	var err error
	room.State, err = draft.Set(t.Context(), room.State, entries...)
	must(t, err)
	_, err = d.store.Append(t.Context(), func(tx *store.Tx) {
		tx.PutDraft(draft)
		tx.PutNewRoom(room)
		for _, e := range events {
			tx.PutEvent(e)
		}
		Publish(tx, num)
	})
	must(t, err)
	return room
}

// BenchmarkList pages and searches in 10,000 published rooms. "first" is what the first reader after a start waits for.
func BenchmarkList(b *testing.B) {
	d, _ := newDirectory(b)
	for i := range 10000 {
		putRoom(b, d, store.RoomNum(i+1), int64(i%100), [2]string{"m.room.create", `{}`}, [2]string{"m.room.join_rules", `{"join_rule":"public"}`},
			[2]string{"m.room.name", fmt.Sprintf(`{"name":"The room of number %d"}`, i)}, [2]string{"m.room.topic", `{"topic":"What there is to be said of it"}`})
	}
	must(b, d.store.Settle(b.Context()))
	read := func(b *testing.B, q ListRequest) {
		for b.Loop() {
			q.Limit = 50
			if l, err := d.List(b.Context(), q); err != nil || len(l.Rooms) == 0 {
				b.Fatal(err, l)
			}
		}
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			d.shelf.pos = 0
			if _, err := d.shelved(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(d.shelf.used)/(1<<20), "MiB")
	})
	b.Run("page", func(b *testing.B) { read(b, ListRequest{}) })
	b.Run("search", func(b *testing.B) { read(b, ListRequest{Search: "number 777"}) })
	b.Run("page after news", func(b *testing.B) {
		for b.Loop() {
			must(b, d.SetPublished(b.Context(), "other", 7, b.N%2 == 0))
			_, err := d.store.Apply(b.Context(), func(tx *store.Tx) { tx.Note(store.Note{Kind: store.KindEvent, Room: 8}) })
			must(b, err)
			if _, err := d.List(b.Context(), ListRequest{Limit: 50}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
