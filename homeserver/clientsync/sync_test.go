package clientsync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blobtest"
)

// TestTimeout waits exactly as long as it is asked to, and no longer than it may.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		a, b := w.user("a"), w.user("b")
		w.room("room", a)
		other := w.room("other", b)
		since := w.mustAsk(a, "", time.Hour).NextBatch
		for timeout, want := range map[time.Duration]time.Duration{0: 0, 7 * time.Second: 7 * time.Second, time.Hour: MaxTimeout} {
			begin := time.Now()
			answer := w.mustAsk(a, since, timeout)
			if took := time.Since(begin); took != want || len(answer.Rooms.Join) > 0 {
				t.Errorf("waited %s for %s: %+v", took, timeout, answer)
			}
			// The token moves on all the same.
			w.say(other, b, "not for a")
			if next := w.mustAsk(a, answer.NextBatch, 0).NextBatch; next == answer.NextBatch {
				t.Errorf("the token stays %s", next)
			}
		}
	})
}

// TestClose answers those who wait, and leaves no goroutine behind: the bubble would not end.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		a := w.user("a")
		w.room("room", a)
		since := w.mustAsk(a, "", 0).NextBatch
		var waiting sync.WaitGroup
		for range 5 {
			waiting.Go(func() {
				if answer := w.mustAsk(a, since, time.Minute); answer.NextBatch == "" {
					t.Error("no token")
				}
			})
		}
		synctest.Wait()
		begin := time.Now()
		w.sync.Close()
		waiting.Wait()
		w.mustAsk(a, since, time.Minute)
		if took := time.Since(begin); took > 0 {
			t.Errorf("waited %s when all was closed", took)
		}
		w.store.Close()
	})
}

// TestGivenUp ends a sync whose client is gone.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		a := w.user("a")
		since := w.mustAsk(a, "", 0).NextBatch
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := w.sync.Sync(ctx, &recorder{}, a, Request{Since: since, Timeout: time.Minute})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if u := w.sync.hub.watches[a.User]; u == nil || u.uses != 0 || u.waiting != 0 {
			t.Errorf("watch %+v", u)
		}
	})
}

// TestNoLostWakeUp sends one message after the other, the next one only when the last has come: any wake-up that is
// lost would make the client wait for its timeout, which the clock would show.
func TestNoLostWakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		var sessions []account.Session
		for i := range 8 {
			sessions = append(sessions, w.user(fmt.Sprint("u", i)))
		}
		rooms := []*store.Room{w.room("one", sessions[0], sessions[1:]...), w.room("two", sessions[0], sessions[1:]...)}
		begin := time.Now()
		var came, all sync.WaitGroup
		const messages = 100
		came.Add(len(sessions))
		for _, s := range sessions {
			since := w.mustAsk(s, "", 0).NextBatch
			all.Go(func() {
				for n := 0; n < messages; {
					answer := w.mustAsk(s, since, 10*time.Minute)
					since = answer.NextBatch
					for _, r := range rooms {
						for _, body := range answer.bodies(r) {
							if body != fmt.Sprint(n) {
								t.Errorf("%s came where %d was due", body, n)
							}
							n++
							came.Done()
						}
					}
				}
			})
		}
		for n := range messages {
			if n > 0 {
				came.Add(len(sessions))
			}
			w.say(rooms[n%2], sessions[n%len(sessions)], fmt.Sprint(n))
			came.Wait()
		}
		all.Wait()
		if took := time.Since(begin); took > 0 {
			t.Errorf("somebody waited: %s", took)
		}
	})
}

// TestEmptyAnswersAreNotGiven waits on when what is new is nothing for this client.
func TestEmptyAnswersAreNotGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		a, b := w.user("a"), w.user("b")
		phone := w.login(a.User)
		r := w.room("room", a, b)
		since := w.mustAsk(a, "", 0).NextBatch
		answered := make(chan *answer)
		go func() {
			got, err := w.ask(a, Request{Since: since, Timeout: time.Minute, Filter: []byte(`{"room":{"timeline":{"not_types":["m.room.message"]},"ephemeral":{"types":[]}},"account_data":{"types":[]}}`)})
			if err != nil {
				t.Error(err)
			}
			answered <- got
		}()
		quiet := func(what string) {
			t.Helper()
			synctest.Wait()
			select {
			case got := <-answered:
				t.Fatalf("%s was answered by %+v", what, got)
			default:
			}
		}
		quiet("nothing")
		w.say(r, b, "hidden by the filter")
		quiet("a message")
		w.sync.Typing(r.Num, b.User, time.Second)
		quiet("typing")
		if _, err := w.accounts.SetData(context.Background(), a.User, 0, "m.x", []byte("{}")); err != nil {
			t.Fatal(err)
		}
		quiet("account data")
		err := w.e2ee.SendToDevice(context.Background(), b, "1", "m.x", map[matrix.UserID]map[string]json.RawMessage{a.User: {phone.Device: json.RawMessage(`{}`)}})
		if err != nil {
			t.Fatal(err)
		}
		quiet("a message to another device")
		name := []byte(`{"name":"new"}`)
		if _, err := w.rooms.SetState(context.Background(), r, room.Message{Sender: a.User, Type: "m.room.name", Content: name}, ""); err != nil {
			t.Fatal(err)
		}
		got := <-answered
		if events := got.Rooms.Join[r.ID].Timeline.Events; len(events) != 1 || events[0].Type != "m.room.name" {
			t.Errorf("answer %+v", got)
		}
		if got.NextBatch <= since {
			t.Errorf("token %s after %s", got.NextBatch, since)
		}
	})
}

// TestLongState streams a state that is not held in memory.
func TestLongState(t *testing.T) {
	w := newWorld(t, nil)
	defer w.close()
	a := w.user("a")
	r := w.room("room", a)
	const n = 2*maxState + 7
	for i := range n {
		m := room.Message{Sender: a.User, Type: "org.example.x", Content: []byte(fmt.Sprintf(`{"n":%d}`, i))}
		if _, err := w.rooms.SetState(context.Background(), r, m, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	w.say(r, a, "end")
	for range 2 {
		var rec recorder
		if err := w.sync.Sync(context.Background(), &rec, a, Request{StateAfter: true}); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Rooms struct {
				Join map[matrix.RoomID]struct {
					State struct{ Events []struct{ Type string } } `json:"state_after"`
				}
			}
		}
		if err := json.Unmarshal(rec.body, &got); err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, e := range got.Rooms.Join[r.ID].State.Events {
			if e.Type == "org.example.x" {
				count++
			}
		}
		if count != n {
			t.Errorf("%d of %d state events", count, n)
		}
	}
}

// TestTokensOverRestart goes on from tokens of earlier lives, the clock being set back in between.
func TestTokensOverRestart(t *testing.T) {
	backend := blobtest.NewMemory()
	w := newWorld(t, backend)
	a, b := w.user("a"), w.user("b")
	r := w.room("room", a, b)
	since := w.mustAsk(a, "", 0).NextBatch
	for life := range 3 {
		w.say(r, b, fmt.Sprint("before ", life))
		w.sync.Typing(r.Num, b.User, time.Minute)
		w.close()
		w = newWorld(t, backend)
		if life == 1 {
			w.sync.Close()
			w.sync = New(w.store, w.accounts, w.timeline, w.e2ee, w.push, Options{Now: func() time.Time { return time.Unix(1000, 0) }})
		}
		w.say(r, b, fmt.Sprint("after ", life))
		answer := w.mustAsk(a, since, time.Minute)
		wantBodies(t, answer, r, fmt.Sprint("before ", life), fmt.Sprint("after ", life))
		w.sync.Typing(r.Num, b.User, time.Minute)
		if answer = w.mustAsk(a, answer.NextBatch, time.Minute); len(answer.typing(r)) != 1 {
			t.Errorf("life %d: typing is not told", life)
		}
		since = answer.NextBatch
	}
	w.close()
}

// TestManyBehindTheHub asks from tokens of all ages, so that tails, pages of events and gaps are all used.
func TestManyBehindTheHub(t *testing.T) {
	w := newWorld(t, nil)
	defer w.close()
	a, b := w.user("a"), w.user("b")
	r := w.room("room", a, b)
	var tokens []string
	const n = 3 * maxTail
	for i := range n {
		tokens = append(tokens, w.mustAsk(a, "", 0).NextBatch)
		w.say(r, b, fmt.Sprint(i))
	}
	for i, since := range tokens {
		for _, limit := range []int{1, 10, 1000} {
			answer, err := w.ask(a, Request{Since: since, Filter: []byte(fmt.Sprintf(`{"room":{"timeline":{"limit":%d}}}`, limit))})
			if err != nil {
				t.Fatal(err)
			}
			got, want := answer.bodies(r), []string{}
			for k := max(i, n-limit); k < n; k++ {
				want = append(want, fmt.Sprint(k))
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || answer.Rooms.Join[r.ID].Timeline.Limited != (n-i > limit) {
				t.Fatalf("since message %d, limit %d: %q, limited %v", i, limit, got, answer.Rooms.Join[r.ID].Timeline.Limited)
			}
		}
	}
}
