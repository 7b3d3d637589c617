package push

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
)

func TestAppendReceipts(t *testing.T) {
	if got := AppendReceipts(nil, nil); len(got) != 0 {
		t.Errorf("nothing is %s", got)
	}
	receipts := []Receipt{
		{User: "@b:x", Kind: Read, Event: "$1", Time: 5, Order: 1},
		{User: "@a:x", Kind: Read, Event: "$1", Time: 6, Order: 1},
		{User: "@a:x", Kind: ReadPrivate, Event: "$1", Time: 7, Order: 1},
		{User: "@a:x", Kind: Read, Event: "$2", Time: 8, Order: 2, Thread: "main"},
		{User: "@c:x", Kind: Read, Event: "$2", Time: 9, Order: 2, Thread: "$\"root"},
		{User: "@d:x", Kind: Read, Event: "$0", Time: 1, Order: 0},
	}
	want := `{"content":{"$2":{"m.read":{"@a:x":{"thread_id":"main","ts":8}}}},"type":"m.receipt"},` +
		`{"content":{"$2":{"m.read":{"@c:x":{"thread_id":"$\"root","ts":9}}}},"type":"m.receipt"},` +
		`{"content":{"$0":{"m.read":{"@d:x":{"ts":1}}},"$1":{"m.read":{"@a:x":{"ts":6},"@b:x":{"ts":5}},"m.read.private":{"@a:x":{"ts":7}}}},"type":"m.receipt"}`
	got := AppendReceipts(nil, receipts)
	if string(got) != want {
		t.Errorf("receipts\n%s, want\n%s", got, want)
	}
	if !json.Valid([]byte("[" + string(got) + "]")) {
		t.Error("that is no JSON")
	}
}

// events lists the events of receipts.
func events(list []Receipt) []matrix.EventID {
	out := []matrix.EventID{}
	for _, r := range list {
		out = append(out, r.Event)
	}
	return out
}

func TestReceiptsSince(t *testing.T) {
	w := memory(t)
	ctx := context.Background()
	r := w.room(alice, bob)
	one, two, three := w.say(r, alice, "1"), w.say(r, alice, "2"), w.say(r, alice, "3")
	start := w.store.Durable()
	w.read(r, bob, Read, "", one)
	middle := w.store.Durable()
	w.read(r, alice, ReadPrivate, "", two)
	w.read(r, bob, Read, "main", two)
	w.read(r, bob, Read, "", three)
	now := w.store.Durable()
	for _, c := range []struct {
		since, now store.Pos
		user       matrix.UserID
		want       []matrix.EventID
	}{
		{0, now, alice, []matrix.EventID{two, two, three}},
		{0, now, bob, []matrix.EventID{two, three}},
		{start, now, bob, []matrix.EventID{two, three}},
		{middle, now, bob, []matrix.EventID{two, three}},
		{start, middle, bob, []matrix.EventID{}}, // it has moved on since: the next answer has it
		{now - 1, now, bob, []matrix.EventID{three}},
		{now, now, bob, []matrix.EventID{}},
	} {
		got, err := w.push.Receipts(ctx, r.Num, c.since, c.now, c.user)
		if err != nil || !slices.Equal(events(got), c.want) {
			t.Errorf("%s from %d to %d: %q %v, want %q", c.user, c.since, c.now, events(got), err, c.want)
		}
	}
}

// TestReceiptsNeverGoBack sends receipts from many requests at once.
func TestReceiptsNeverGoBack(t *testing.T) {
	w := memory(t)
	r := w.room(alice, bob)
	var last matrix.EventID
	var done sync.WaitGroup
	for i := range 50 {
		last = w.say(r, alice, fmt.Sprint(i))
		id := last
		done.Go(func() { w.read(r, bob, Read, "", id) })
	}
	done.Wait()
	got, err := w.push.Receipts(context.Background(), r.Num, 0, w.store.Durable(), alice)
	if err != nil || len(got) != 1 || got[0].Event != last {
		t.Errorf("%+v %v, want %s", got, err, last)
	}
}

// TestManyReceipts gives a first sync of a large room the newest and the user's own.
func TestManyReceipts(t *testing.T) {
	w := memory(t)
	ctx := context.Background()
	r := w.room(alice, bob)
	id := w.say(r, alice, "x")
	w.read(r, bob, Read, "", id)
	e, err := w.store.EventByID(ctx, id)
	w.must(err)
	_, err = w.store.Apply(ctx, func(tx *store.Tx) {
		for i := range MaxReceipts + 50 {
			rec := Receipt{User: matrix.UserID(fmt.Sprint("@u", i, ":x")), Kind: Read, Event: id, Order: e.Order, Time: 1}
			rec.Pos = tx.Note(store.Note{Kind: store.KindReceipt, Room: r.Num, User: rec.User})
			suffix := receiptSuffix(rec.User, Read, "")
			tx.Set(tableReceipts, roomKey(r.Num, suffix), appendReceipt(&rec))
			tx.Set(tableReceiptPos, roomKey(r.Num, key8(rec.Pos)), suffix)
		}
	})
	w.must(err)
	got, err := w.push.Receipts(ctx, r.Num, 0, w.store.Durable(), bob)
	w.must(err)
	if len(got) != MaxReceipts+1 || got[0].User != bob || got[1].User != "@u50:x" {
		t.Errorf("%d receipts, first of %s and %s", len(got), got[0].User, got[1].User)
	}
}

func FuzzReadReceipt(f *testing.F) {
	f.Add(receiptSuffix("@a:b", Read, "main"), appendReceipt(&Receipt{Pos: 1, Order: -2, Time: 3, Event: "$x"}))
	f.Fuzz(func(t *testing.T, suffix, value []byte) {
		r, err := readReceipt(suffix, value)
		if err != nil {
			return
		}
		if got := appendReceipt(r); string(got) != string(value) || string(receiptSuffix(r.User, r.Kind, r.Thread)) != string(suffix) {
			t.Errorf("%q %q became %q", suffix, value, got)
		}
	})
}

// What a user has read is known from all receipts of the room, and known anew after the next one.
func TestReadIsKnownFromAllReceipts(t *testing.T) {
	w := memory(t)
	r := w.room(alice, bob)
	var ids []matrix.EventID
	for range 4 {
		ids = append(ids, w.say(r, alice, "x"))
	}
	for i, id := range ids {
		if _, err := w.push.Receipts(t.Context(), r.Num, 0, w.store.Durable(), bob); err != nil {
			t.Fatal(err)
		}
		wantCount(t, "unread", w.counts(r, bob).Main, int64(len(ids)-i), 0)
		w.read(r, alice, Read, "", ids[len(ids)-1]) // which is not bob's
		w.read(r, bob, Read, "", id)
	}
	wantCount(t, "unread", w.counts(r, bob).Main, 0, 0)
}
