package directory

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// rotten is a store in memory in which the events of one room are damaged.
type rotten struct {
	*blobtest.Memory
	room store.RoomNum
}

func (r *rotten) Rows(ctx context.Context, keys ...blob.RowKey) ([][]byte, error) {
	for _, k := range keys {
		if k.Table == "ev" && string(k.Key[:8]) == string(store.Place(r.room, 0)[:8]) {
			return nil, blob.Errorf(blob.Corrupt, "reading rows", "a checksum is wrong")
		}
	}
	return r.Memory.Rows(ctx, keys...)
}

// TestDamageHidesNothingElse: a room whose events are damaged is left out of the list, of spaces, of the index of users.
func TestDamageHidesNothingElse(t *testing.T) {
	r := &rotten{Memory: blobtest.NewMemory()}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s, err := store.Open(t.Context(), r, store.Options{Log: log, EventCache: 1})
	must(t, err)
	t.Cleanup(s.Close)
	d := New(s)
	public := [2]string{"m.room.join_rules", `{"join_rule":"public"}`}
	putRoom(t, d, 1001, 5, public)
	putRoom(t, d, 1002, 5, public)
	must(t, s.Settle(t.Context()))
	rooms := hostileSpace(t, d, 3, 1)
	r.room = 1001
	list, err := d.List(t.Context(), ListRequest{Limit: 10})
	must(t, err)
	if len(list.Rooms) != 1 || list.Rooms[0].Room.Num != 1002 {
		t.Errorf("the list has %d rooms", len(list.Rooms))
	}
	r.room = 2
	space, _, err := d.Hierarchy(t.Context(), "", rooms[0].ID, HierarchyRequest{MaxDepth: 5, Limit: 10})
	must(t, err)
	if len(space) != 2 {
		t.Errorf("the space has %d rooms", len(space))
	}

	c := &crowd{t: t, backend: r, store: s, rooms: make(map[store.RoomNum]*store.Room), orders: make(map[store.RoomNum]store.Order)}
	c.accounts = account.New(s, account.Options{Server: "x"})
	r.room = 0
	c.member(500, "public", "@bob:y", "join", "Bob")
	c.member(600, "public", "@bobby:y", "join", "Bobby")
	r.room = 500
	c.people = NewPeople(s, c.accounts, log)
	t.Cleanup(c.people.Close)
	c.want(alice, "bob", "@bobby:y Bobby")
	c.member(500, "public", "@bob2:y", "join", "Bob")
	c.member(600, "public", "@bob3:y", "join", "Bob")
	c.want(alice, "bob", "@bob3:y Bob", "@bobby:y Bobby")
}

// full is a store in memory that refuses what is written of people.
type full struct {
	*blobtest.Memory
	on atomic.Bool
}

func (f *full) Apply(ctx context.Context, b *blob.Batch) error {
	if f.on.Load() && slices.ContainsFunc(b.Rows, func(r blob.Row) bool { return r.Table == tablePeople }) {
		return blob.Errorf(blob.Full, "applying batch", "no room")
	}
	return f.Memory.Apply(ctx, b)
}

// TestSearchWithAFullDisk answers with what is known, and with the rest once there is room.
func TestSearchWithAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &full{Memory: blobtest.NewMemory()}
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		s, err := store.Open(t.Context(), f, store.Options{Log: log})
		must(t, err)
		c := &crowd{t: t, backend: f, store: s, rooms: make(map[store.RoomNum]*store.Room), orders: make(map[store.RoomNum]store.Order)}
		c.accounts = account.New(s, account.Options{Server: "x"})
		c.people = NewPeople(s, c.accounts, log)
		c.member(500, "public", "@bob:y", "join", "Bob")
		c.want(alice, "bob", "@bob:y Bob")
		f.on.Store(true)
		c.member(500, "public", "@bob2:y", "join", "Bob")
		c.want(alice, "bob", "@bob:y Bob")
		f.on.Store(false)
		c.want(alice, "bob", "@bob:y Bob", "@bob2:y Bob")
		c.close()
	})
}
