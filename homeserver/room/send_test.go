package room

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

func members(w *world, n int) (*store.Room, []matrix.UserID) {
	w.t.Helper()
	r := w.create(Creation{Preset: "public_chat"})
	users := []matrix.UserID{alice}
	for i := range n - 1 {
		user := matrix.UserID(fmt.Sprintf("@user%d:here.example", i))
		w.join(r, user)
		users = append(users, user)
	}
	return r, users
}

// Many send into one room at once: the events form one line, and each sender's are in the order in which they were
// sent.
func TestManySenders(t *testing.T) {
	w := newWorld(t)
	r, users := members(w, 8)
	const each = 40
	var wait sync.WaitGroup
	for _, user := range users {
		wait.Go(func() {
			for i := range each {
				_, err := w.rooms.Send(t.Context(), r, Message{Sender: user, Device: "D", Type: "m.room.message", Content: fmt.Appendf(nil, `{"body":"%d"}`, i), Txn: fmt.Sprint(i)})
				if err != nil {
					t.Errorf("%s: %v", user, err)
				}
			}
		})
	}
	wait.Wait()
	next := make(map[matrix.UserID]int)
	for _, e := range w.timeline(r) {
		if e.Type != "m.room.message" {
			continue
		}
		if body := field(t, string(e.Content), "body"); body != fmt.Sprint(next[e.Sender]) {
			t.Fatalf("%s sent %s, want %d", e.Sender, body, next[e.Sender])
		}
		next[e.Sender]++
	}
	for _, user := range users {
		if next[user] != each {
			t.Errorf("%d events of %s", next[user], user)
		}
	}
}

// Many rooms are written at once, more than stay in memory.
func TestEviction(t *testing.T) {
	w := newWorld(t, Options{Hot: 2})
	var rooms []*store.Room
	for range 6 {
		rooms = append(rooms, w.create(Creation{}))
	}
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			for i := range 60 {
				if _, err := w.send(rooms[(i*7+g)%len(rooms)], alice, "m.x", `{}`); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	total := 0
	for _, r := range rooms {
		total += len(w.timeline(r)) - 6
	}
	if total != 240 {
		t.Errorf("%d events", total)
	}
	if n := len(w.rooms.hot); n > 4+2 {
		t.Errorf("%d rooms are in memory", n)
	}
}

// A room that leaves memory while its last event is on its way to the disk is read as it will be.
func TestEvictionBeforeDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Hot: 1})
		a, b := w.create(Creation{}), w.create(Creation{})
		release := w.backend.hold()
		var wait sync.WaitGroup
		for i := range 12 {
			r := []*store.Room{a, b}[i%2]
			wait.Go(func() {
				if _, err := w.send(r, alice, "m.x", `{}`); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		release()
		wait.Wait()
		if n := len(w.timeline(a)) + len(w.timeline(b)); n != 24 {
			t.Errorf("%d events", n)
		}
	})
}

// A repeated request is answered as the first, whatever lies between them.
func TestTransactions(t *testing.T) {
	w := newWorld(t, Options{Hot: 1})
	r, other := w.create(Creation{Preset: "public_chat"}), w.create(Creation{})
	w.join(r, bob)
	m := Message{Sender: alice, Device: "D", Type: "m.x", Content: []byte(`{}`), Txn: "t1"}
	send := func(m Message) matrix.EventID {
		t.Helper()
		id, err := w.rooms.Send(t.Context(), r, m)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := send(m)
	if send(m) != first {
		t.Error("the same request made another event")
	}
	m.Content = []byte(`{"other":"content"}`) // spec: the transaction id alone decides
	if send(m) != first {
		t.Error("the same transaction made another event")
	}
	if _, err := w.send(other, alice, "m.x", "{}"); err != nil { // r leaves memory
		t.Fatal(err)
	}
	if send(m) != first {
		t.Error("a room that left memory forgot a transaction")
	}
	w.open()
	if send(m) != first {
		t.Error("a restart forgot a transaction")
	}
	w.pass(7 * 24 * time.Hour)
	if send(m) != first {
		t.Error("a week later a transaction is forgotten")
	}
	for name, m := range map[string]Message{
		"device": {Sender: alice, Device: "E", Type: "m.x", Content: []byte(`{}`), Txn: "t1"},
		"user":   {Sender: bob, Device: "D", Type: "m.x", Content: []byte(`{}`), Txn: "t1"},
		"type":   {Sender: alice, Device: "D", Type: "m.y", Content: []byte(`{}`), Txn: "t1"},
		"txn":    {Sender: alice, Device: "D", Type: "m.x", Content: []byte(`{}`), Txn: "t2"},
	} {
		if send(m) == first {
			t.Errorf("another %s is the same transaction", name)
		}
	}
	e := w.event(first)
	if e.Device != "D" || e.Txn != "t1" {
		t.Errorf("the event has device %s, transaction %s", e.Device, e.Txn)
	}
	m.Txn = strings.Repeat("x", 1000)
	_, err := w.rooms.Send(t.Context(), r, m)
	wantCode(t, err, matrix.MInvalidParam)
	w.timeline(r)
}

// Overlapping requests of one transaction make one event, also while rooms come and go and writes fail.
func TestConcurrentTransactions(t *testing.T) {
	w := newWorld(t, Options{Hot: 1})
	r, other := w.create(Creation{}), w.create(Creation{})
	stop := make(chan struct{})
	var noise sync.WaitGroup
	noise.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := w.send(other, alice, "m.noise", "{}"); err != nil && blob.KindOf(err) != blob.Full {
				t.Error(err)
			}
		}
	})
	n := 0
	for round := range 60 {
		w.backend.set(func() error {
			if n++; n%5 == 0 { // called by the store's writer only
				return full()
			}
			return nil
		})
		var wait sync.WaitGroup
		ids := make([]matrix.EventID, 6)
		for i := range ids {
			wait.Go(func() {
				for {
					id, err := w.rooms.Send(t.Context(), r, Message{Sender: alice, Device: "D", Type: "m.x", Content: []byte(`{}`), Txn: fmt.Sprint(round)})
					if err == nil {
						ids[i] = id
						return
					}
					if blob.KindOf(err) != blob.Full {
						t.Error(err)
						return
					}
				}
			})
		}
		wait.Wait()
		for _, id := range ids {
			if id != ids[0] || id == "" {
				t.Fatalf("round %d: answers %v", round, ids)
			}
		}
	}
	close(stop)
	noise.Wait()
	if events := w.timeline(r); len(events) != 6+60 {
		t.Errorf("%d events, want 66", len(events))
	}
	w.timeline(other)
}

// The transaction's answer may be forgotten by the room's memory between the look at the disk and the turn.
func TestTransactionForgottenMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.create(Creation{})
		m := Message{Sender: alice, Device: "D", Type: "m.x", Content: []byte(`{}`), Txn: "t"}
		writer, err := w.rooms.take(t.Context(), r.Num)
		if err != nil {
			t.Fatal(err)
		}
		second := make(chan matrix.EventID, 1)
		go func() {
			id, err := w.rooms.Send(t.Context(), r, m)
			if err != nil {
				t.Error(err)
			}
			second <- id
		}()
		synctest.Wait() // it has looked at the disk and waits for the turn
		// The first request, which has the turn, makes its event and the room forgets it.
		st := writer.stage()
		e, err := st.add(t.Context(), draftEvent{sender: alice, typ: "m.x", content: m.Content})
		if err != nil {
			t.Fatal(err)
		}
		key := transactionKey(w.rooms.week(), r.Num, alice, "D", "send\x00m.x", "t")
		st.writes = append(st.writes, func(tx *store.Tx) { tx.Set(tableTransactions, key, []byte(e.ID)) })
		st.remember(string(key[8:]), e.ID)
		ticket, err := st.commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := ticket.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		writer.head.recent.forget(w.store.Durable())
		writer.head.recent.forgot = w.rooms.moment.Add(1)
		writer.give()
		if id := <-second; id != e.ID {
			t.Errorf("answered %s, want %s", id, e.ID)
		}
	})
}

// Nothing is acknowledged that is not on the disk; once there is room again, the room goes on from what is.
func TestFailingBackend(t *testing.T) {
	w := newWorld(t)
	r, users := members(w, 4)
	w.backend.set(full)
	_, err := w.send(r, alice, "m.x", "{}")
	if blob.KindOf(err) != blob.Full {
		t.Fatalf("error %v, want disk full", err)
	}
	n := 0
	w.backend.set(func() error {
		if n++; n%3 != 0 {
			return full()
		}
		return nil
	})
	var mu sync.Mutex
	acknowledged := make(map[matrix.EventID]bool)
	var wait sync.WaitGroup
	for _, user := range users {
		wait.Go(func() {
			for range 50 {
				id, err := w.send(r, user, "m.x", "{}")
				if err == nil {
					mu.Lock()
					acknowledged[id] = true
					mu.Unlock()
				} else if blob.KindOf(err) != blob.Full {
					t.Errorf("error %v", err)
				}
			}
		})
	}
	wait.Wait()
	w.backend.set(nil)
	w.text(r, alice, "after")
	w.open()
	w.text(r, alice, "after a restart")
	found := 0
	for _, e := range w.timeline(r) {
		if acknowledged[e.ID] {
			found++
		} else if e.Type == "m.x" {
			t.Errorf("event %s was not acknowledged", e.ID)
		}
	}
	if found != len(acknowledged) || found == 0 {
		t.Errorf("%d of %d acknowledged events are there", found, len(acknowledged))
	}
}

// A failed write takes back what the room knew of its state and members.
func TestFailedState(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{Preset: "public_chat"})
	w.backend.set(full)
	if err := w.change(r, bob, bob, "join"); err == nil {
		t.Fatal("joined on a full disk")
	}
	w.backend.set(nil)
	_, err := w.send(r, bob, "m.x", "{}")
	wantCode(t, err, matrix.MForbidden)
	w.join(r, bob)
	w.text(r, bob, "in")
	w.timeline(r)
}

func TestSendGivesUpWithItsContext(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{})
	writer, err := w.rooms.take(t.Context(), r.Num)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.rooms.Send(ctx, r, Message{Sender: alice, Type: "m.x", Content: []byte("{}")}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	writer.give()
	if writer.use != 0 {
		t.Errorf("%d use the room", writer.use)
	}
	w.text(r, alice, "x")
}

func TestRefusedSends(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{Preset: "public_chat", PowerOverride: []byte(`{"events":{"m.high":60}}`)})
	w.join(r, bob)
	for _, c := range []struct {
		sender             matrix.UserID
		typ, content, code string
	}{
		{carol, "m.x", `{}`, matrix.MForbidden},
		{bob, "m.high", `{}`, matrix.MForbidden},
		{bob, "m.room.create", `{}`, matrix.MForbidden},
		{bob, "m.room.member", `{"membership":"join"}`, matrix.MForbidden},
		{bob, "m.x", `[]`, matrix.MBadJSON},
		{bob, "m.x", `{"a":1.5}`, matrix.MBadJSON},
		{bob, "m.x", `{"a":9007199254740992}`, matrix.MBadJSON},
		{bob, "m.x", `{"a":1,"a":2}`, matrix.MBadJSON},
		{bob, "m.x", `{"a":"` + strings.Repeat("x", 65_400) + `"}`, matrix.MTooLarge},
		{bob, strings.Repeat("x", 256), `{}`, matrix.MTooLarge},
	} {
		_, err := w.send(r, c.sender, c.typ, c.content)
		if err == nil {
			t.Errorf("%s sent %s %.50s", c.sender, c.typ, c.content)
			continue
		}
		wantCode(t, err, c.code)
	}
	unknown := &store.Room{Num: 1 << 40, ID: "!unknown:here.example"}
	_, err := w.send(unknown, alice, "m.x", "{}")
	wantCode(t, err, matrix.MNotFound)
	if n := len(w.timeline(r)); n != 7 {
		t.Errorf("%d events", n)
	}
}

func TestPrune(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{})
	for i := range 5 {
		if _, err := w.rooms.Send(t.Context(), r, Message{Sender: alice, Type: "m.x", Content: []byte("{}"), Txn: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		pass time.Duration
		want []int
	}{{0, []int{0}}, {7 * 24 * time.Hour, []int{0}}, {7 * 24 * time.Hour, []int{2, 2, 1, 0}}} {
		w.pass(c.pass)
		for _, want := range c.want {
			if n, err := w.rooms.Prune(t.Context(), 2); err != nil || n != want {
				t.Errorf("pruned %d, %v; want %d", n, err, want)
			}
		}
	}
}

// What a hot room holds in memory stays within its bound, and is never dropped while it is needed.
func TestHeadIsBounded(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{Preset: "public_chat"})
	release := w.backend.hold()
	var wait sync.WaitGroup
	for i := range 200 {
		wait.Go(func() { w.join(r, matrix.UserID(fmt.Sprintf("@user%d:here.example", i))) })
	}
	release()
	wait.Wait()
	for range 3 {
		for i := range 200 {
			w.text(r, matrix.UserID(fmt.Sprintf("@user%d:here.example", i)), "x")
		}
	}
	h := w.rooms.hot[r.Num].head
	if h.size > 2*maxHead || len(h.recent.answers) > 2*minRecent {
		t.Errorf("%d bytes, %d answers", h.size, len(h.recent.answers))
	}
	size := 0
	for _, e := range h.auth {
		size += sizeOf(e)
	}
	if size += 2 * entrySize * len(h.members); size != h.size {
		t.Errorf("%d bytes, counted %d", size, h.size)
	}
	w.timeline(r)
}
