package search

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

const (
	alice = matrix.UserID("@alice:here.example")
	bob   = matrix.UserID("@bob:here.example")
)

// world is a homeserver with what search stands on.
type world struct {
	t        testing.TB
	backend  blob.Store
	store    *store.Store
	accounts *account.Accounts
	rooms    *room.Rooms
	x        *Index
	txns     int
}

// begin builds a homeserver over a backend, nil for a new one in memory. The caller ends it.
func begin(t testing.TB, backend blob.Store, o Options) *world {
	t.Helper()
	if backend == nil {
		backend = blobtest.NewMemory()
	}
	w := &world{t: t, backend: backend}
	var err error
	if w.store, err = store.Open(context.Background(), backend, store.Options{Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	w.accounts = account.New(w.store, account.Options{Server: "here.example", Cost: account.Cost{Memory: 8, Time: 1, Threads: 1}})
	signer := event.Signer{Server: "here.example", KeyID: "ed25519:test", Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	w.rooms = room.New(w.store, w.accounts, room.Options{Signer: signer, Now: time.Now, Rand: rand.Reader})
	w.open(o)
	return w
}

// open starts an index that remembers nothing.
func (w *world) open(o Options) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w.x = New(w.store, w.accounts, timeline.New(w.store, w.accounts), o)
}

// settle waits until the index has followed the log to its end, and nothing is under way.
func (w *world) settle() {
	synctest.Wait()
	w.must(w.x.catchUp(context.Background()))
	synctest.Wait()
}

func (w *world) end() {
	w.x.Close()
	w.store.Close()
}

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
	r, err := w.store.RoomByID(context.Background(), id)
	w.must(err)
	for _, u := range others {
		_, err := w.rooms.SetMembership(context.Background(), r, room.Change{Sender: u, Target: u, Membership: "join"})
		w.must(err)
	}
	return r
}

func (w *world) send(r *store.Room, u matrix.UserID, content string) matrix.EventID {
	w.t.Helper()
	w.txns++
	id, err := w.rooms.Send(context.Background(), r, room.Message{
		Sender: u, Device: "D", Type: "m.room.message", Content: []byte(content), Txn: fmt.Sprint(w.txns),
	})
	w.must(err)
	return id
}

func (w *world) say(r *store.Room, u matrix.UserID, text string) matrix.EventID {
	w.t.Helper()
	return w.send(r, u, string(append(matrix.AppendString([]byte(`{"msgtype":"m.text","body":`), text), '}')))
}

func (w *world) redact(r *store.Room, id matrix.EventID) {
	w.t.Helper()
	w.txns++
	_, err := w.rooms.Redact(context.Background(), r, room.Redaction{Sender: alice, Device: "D", Target: id, Content: []byte("{}"), Txn: fmt.Sprint(w.txns)})
	w.must(err)
}

// find returns the ids of all that a user finds, newest first.
func (w *world) find(u matrix.UserID, term string) []matrix.EventID {
	w.t.Helper()
	ids := []matrix.EventID{}
	for q := (Request{User: u, Term: term, Recent: true, Limit: 7}); ; {
		page, err := w.x.Find(context.Background(), q)
		w.must(err)
		for _, r := range page.Results {
			ids = append(ids, r.ID)
		}
		if q.Next = page.Next(); q.Next == "" {
			return ids
		}
	}
}

func (w *world) wantFound(u matrix.UserID, term string, want ...matrix.EventID) {
	w.t.Helper()
	slices.Reverse(want) // newest first
	if got := w.find(u, term); !slices.Equal(got, want) {
		w.t.Errorf("%q: found %d events, want %d:\n%q\n%q", term, len(got), len(want), got, want)
	}
}

// entries returns all that is written of the index.
func (w *world) entries() (out []entry) {
	w.t.Helper()
	for row, err := range w.backend.Scan(context.Background(), blob.Range{Table: tablePostings}) {
		w.must(err)
		r := chunkReader{data: row.Value}
		for {
			e, ok, err := r.next()
			w.must(err)
			if !ok {
				break
			}
			out = append(out, e)
		}
	}
	return out
}

func (w *world) manifest() *manifest {
	w.t.Helper()
	row, err := w.store.Row(context.Background(), tableManifest, []byte{0})
	w.must(err)
	m, err := readManifest(row)
	w.must(err)
	return m
}

// bubble runs a test over a homeserver in a time of its own. In it, synctest.Wait waits until the index is at rest.
func bubble(t *testing.T, o Options, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := begin(t, nil, o)
		defer w.end()
		test(t, w)
	})
}
