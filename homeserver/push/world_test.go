package push

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// world is a homeserver with what push stands on.
type world struct {
	t     testing.TB
	store *store.Store
	rooms *room.Rooms
	push  *Push
	txns  *atomic.Int64
}

func newWorld(t testing.TB, backend blob.Store) *world {
	t.Helper()
	s, err := store.Open(context.Background(), backend, store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	accounts := account.New(s, account.Options{Server: "here.example", Cost: account.Cost{Memory: 8, Time: 1, Threads: 1}})
	signer := event.Signer{Server: "here.example", KeyID: "ed25519:test", Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	rooms := room.New(s, accounts, room.Options{Signer: signer, Now: time.Now, Rand: rand.Reader})
	t.Cleanup(s.Close)
	return &world{t: t, store: s, rooms: rooms, push: New(s, accounts, nil), txns: new(atomic.Int64)}
}

func memory(t testing.TB) *world { return newWorld(t, blobtest.NewMemory()) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// room makes a public room in which all of these are.
func (w *world) room(owner matrix.UserID, others ...matrix.UserID) *store.Room {
	w.t.Helper()
	id, err := w.rooms.Create(context.Background(), room.Creation{Creator: owner, Public: true})
	w.must(err)
	r := w.get(id)
	for _, u := range others {
		_, err := w.rooms.SetMembership(context.Background(), r, room.Change{Sender: u, Target: u, Membership: "join"})
		w.must(err)
	}
	return w.get(id)
}

func (w *world) get(id matrix.RoomID) *store.Room {
	w.t.Helper()
	r, err := w.store.RoomByID(context.Background(), id)
	w.must(err)
	return r
}

func (w *world) send(r *store.Room, u matrix.UserID, content string) matrix.EventID {
	w.t.Helper()
	id, err := w.rooms.Send(context.Background(), r, room.Message{
		Sender: u, Device: "D", Type: "m.room.message", Content: []byte(content), Txn: fmt.Sprint(w.txns.Add(1)),
	})
	w.must(err)
	return id
}

func (w *world) say(r *store.Room, u matrix.UserID, text string) matrix.EventID {
	w.t.Helper()
	return w.send(r, u, `{"msgtype":"m.text","body":"`+text+`"}`)
}

// reply sends into a thread.
func (w *world) reply(r *store.Room, u matrix.UserID, root matrix.EventID) matrix.EventID {
	w.t.Helper()
	return w.send(r, u, fmt.Sprintf(`{"body":"x","m.relates_to":{"rel_type":"m.thread","event_id":%q}}`, root))
}

func (w *world) read(r *store.Room, u matrix.UserID, kind, thread string, id matrix.EventID) {
	w.t.Helper()
	w.must(w.push.SetReceipt(context.Background(), r, Receipt{User: u, Kind: kind, Thread: thread, Event: id, Time: 1}))
}

func (w *world) counts(r *store.Room, u matrix.UserID) Counts {
	w.t.Helper()
	m, err := w.store.Membership(context.Background(), u, r.Num)
	w.must(err)
	c, err := w.push.Counts(context.Background(), u, w.get(r.ID), m.Since)
	w.must(err)
	return c
}
