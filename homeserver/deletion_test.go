package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// mortal is a store that dies after some changes: it applies no more of them.
type mortal struct {
	*blobtest.Memory
	mu    sync.Mutex // guards the fields below
	lives int        // changes until it dies, -1 for ever
	dead  bool
}

func (m *mortal) Apply(ctx context.Context, b *blob.Batch) error {
	m.mu.Lock()
	if m.lives == 0 {
		m.dead = true
		m.mu.Unlock()
		return blob.Errorf(blob.Full, "applying batch", "dead")
	}
	if m.lives > 0 {
		m.lives--
	}
	m.mu.Unlock()
	return m.Memory.Apply(ctx, b)
}

func (m *mortal) set(lives int) (died bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	died = m.dead
	m.lives, m.dead = lives, false
	return died
}

// furnished makes a room of alice's with all that a room can have, in which bob is and to which carol is invited.
func (w *world) furnished() matrix.RoomID {
	w.t.Helper()
	ctx := w.t.Context()
	for _, name := range []string{"alice", "bob", "carol"} {
		user, err := w.server.api.Accounts.Create(ctx, name, "", account.NewUser{}) // to hash a password takes long
		w.must(err)
		s, err := w.server.api.Accounts.NewSession(ctx, user, "", "")
		w.must(err)
		w.clients[name] = &wire.Client{Base: w.base, Token: s.Token, User: user, Device: s.Device}
	}
	alice, bob := w.clients["alice"], w.clients["bob"]
	id, err := alice.CreateRoom(ctx, wire.CreateRoom{
		Preset: "public_chat", Visibility: "public", Name: "Garden", AliasName: "garden", Invite: []matrix.UserID{w.clients["carol"].User},
	})
	w.must(err)
	_, err = bob.Join(ctx, string(id))
	w.must(err)
	first, err := alice.SendText(ctx, id, "1", "first")
	w.must(err)
	for i, content := range []string{
		`{"m.relates_to":{"rel_type":"m.annotation","event_id":"` + string(first) + `","key":"x"}}`,
		`{"msgtype":"m.text","body":"in a thread","m.relates_to":{"rel_type":"m.thread","event_id":"` + string(first) + `"}}`,
	} {
		typ := []string{"m.reaction", "m.room.message"}[i]
		w.must(w.try("bob", "PUT", fmt.Sprintf("/_matrix/client/v3/rooms/%s/send/%s/r%d", id, typ, i), "200", content))
	}
	w.must(w.try("bob", "POST", "/_matrix/client/v3/rooms/"+string(id)+"/receipt/m.read/"+string(first), "200", "{}"))
	w.must(bob.SetAccountData(ctx, id, "m.x", map[string]int{"a": 1}))
	return id
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// remains lists the rows that have to do with a room, without its own record and its members'.
func remains(t *testing.T, backend blob.Store, id matrix.RoomID, num store.RoomNum) []string {
	t.Helper()
	var found []string
	room := binary.BigEndian.AppendUint64(nil, uint64(num))
	about := map[string]func(blob.Row) bool{
		"id":    func(r blob.Row) bool { return bytes.HasPrefix(r.Value, room) },
		"alias": func(r blob.Row) bool { return strings.HasPrefix(string(r.Value), string(id)+"\x00") },
		"pub":   func(r blob.Row) bool { return bytes.HasSuffix(r.Key, room) },
		"count": func(r blob.Row) bool { return bytes.HasSuffix(r.Key, room) },
		"adata": func(r blob.Row) bool {
			return bytes.Contains(r.Key, append([]byte{0, 0}, room...)) || bytes.HasPrefix(r.Value, room)
		},
		"delete": func(r blob.Row) bool { return true },
	}
	for _, table := range []string{"ev", "rel", "thr", "thp", "anno", "rcpt", "rcptp", "ralias"} {
		about[table] = func(r blob.Row) bool { return bytes.HasPrefix(r.Key, room) }
	}
	for table, is := range about {
		for row, err := range backend.Scan(t.Context(), blob.Range{Table: table}) {
			if err != nil {
				t.Fatal(err)
			}
			if is(row) {
				found = append(found, fmt.Sprintf("%s %q", table, row.Key))
			}
		}
	}
	return found
}

func (w *world) num(id matrix.RoomID) store.RoomNum {
	w.t.Helper()
	r, err := w.server.store.RoomByID(w.t.Context(), id)
	w.must(err)
	return r.Num
}

// A deleted room is gone for everybody, and who was in it is told so and why, also who was away.
func TestDeletedRoom(t *testing.T) {
	backend := blobtest.NewMemory()
	w := newWorldOver(t, backend)
	id := w.furnished()
	alice, bob, carol := w.clients["alice"], w.clients["bob"], w.clients["carol"]
	before := map[*wire.Client]string{}
	for _, c := range []*wire.Client{alice, bob, carol} {
		s, err := c.Sync(t.Context(), wire.SyncOptions{})
		w.must(err)
		before[c] = s.NextBatch
	}
	num := w.num(id)
	out, err := w.admin("", "room", "delete", string(id), "--yes", "--reason", "It was spam")
	if err != nil || !strings.Contains(out, "3 users left") {
		t.Fatalf("deleting says %s, %v", out, err)
	}
	for purged := range 2 {
		if purged == 1 {
			w.must(w.server.administration().FinishDeletions(t.Context()))
		}
		for c, since := range before {
			s, err := c.Sync(t.Context(), wire.SyncOptions{Since: since})
			w.must(err)
			left := s.Rooms.Leave[id]
			if left == nil || len(s.Rooms.Join)+len(s.Rooms.Invite) > 0 {
				t.Fatalf("%s is told %+v", c.User, s.Rooms)
			}
			last := left.Timeline.Events[len(left.Timeline.Events)-1]
			if reason, _ := matrix.StringField(last.Content, "reason"); reason != "It was spam" || *last.StateKey != string(c.User) {
				t.Errorf("%s reads %s", c.User, last.Content)
			}
			again, err := c.Sync(t.Context(), wire.SyncOptions{Since: s.NextBatch})
			w.must(err)
			fresh, err := c.Sync(t.Context(), wire.SyncOptions{Filter: `{"room":{"include_leave":true}}`})
			w.must(err)
			if len(again.Rooms.Leave)+len(fresh.Rooms.Leave)+len(fresh.Rooms.Join) > 0 {
				t.Errorf("%s is told again", c.User)
			}
		}
		path := "/_matrix/client/v3/rooms/" + string(id)
		for _, q := range []struct{ method, path, status, body string }{
			{"PUT", path + "/send/m.x/1", "403", "{}"},
			{"GET", path + "/messages?dir=b", "403", ""},
			{"GET", path + "/members", "403", ""},
			{"POST", "/_matrix/client/v3/join/" + string(id), "404", "{}"},
		} {
			w.must(w.try("bob", q.method, q.path, q.status, q.body))
		}
	}
	w.must(w.try("bob", "GET", "/_matrix/client/v3/directory/room/%23garden:x.example", "404", ""))
	w.must(w.try("carol", "POST", "/_matrix/client/v3/join/%23garden:x.example", "404", "{}"))
	if list, err := bob.PublicRooms(t.Context(), map[string]any{}); err != nil || len(list.Chunk) > 0 {
		t.Errorf("published: %+v, %v", list, err)
	}
	// What remains are the three events by which they learn that they left, and their ids.
	if left := remains(t, backend, id, num); len(left) != 6 {
		t.Errorf("%d rows remain: %v", len(left), left)
	}
	// The alias can be had again.
	_, err = alice.CreateRoom(t.Context(), wire.CreateRoom{AliasName: "garden"})
	w.must(err)
}

// kill -9 at any write of a deletion loses nothing: the next run of the program does what is left.
func TestDeletionOverCrashes(t *testing.T) {
	for lives := range 100 {
		m := &mortal{Memory: blobtest.NewMemory(), lives: -1}
		first := newWorldOver(t, m)
		id := first.furnished()
		num := first.num(id)
		m.set(lives)
		_, errDelete := first.admin("", "room", "delete", string(id), "--yes")
		errFinish := first.server.administration().FinishDeletions(t.Context())
		died := m.set(-1)
		if !died && (errDelete != nil || errFinish != nil) {
			t.Fatalf("%v, %v", errDelete, errFinish)
		}
		second := newWorldOver(t, m)
		second.must(second.server.administration().FinishDeletions(t.Context()))
		left := remains(t, m, id, num)
		room, err := second.server.store.RoomByID(t.Context(), id)
		second.must(err)
		switch {
		case lives == 0 && !room.Deleted:
			// It had not begun.
		case !room.Deleted || len(left) != 6:
			t.Fatalf("after %d writes, deleted is %v and %d rows remain: %v", lives, room.Deleted, len(left), left)
		}
		if !died {
			if lives < 8 {
				t.Errorf("only %d writes were tried", lives)
			}
			return
		}
	}
	t.Error("a deletion never ends")
}

// The program goes on by itself.
func TestDeletionGoesOn(t *testing.T) {
	w := newWorld(t)
	id := w.furnished()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.server.finishDeletions(ctx) }()
	follow, err := w.server.store.RoomByID(ctx, id)
	w.must(err)
	_, err = w.server.rooms.Delete(ctx, follow, "", false)
	w.must(err)
	for busy := true; busy; {
		busy = false
		for _, err := range w.server.rooms.Deletions(ctx) {
			w.must(err)
			busy = true
		}
		if err := w.server.store.Settle(ctx); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	<-ended
}
