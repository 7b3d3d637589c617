package clientsync

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth/homeserver/account"
	"hearth/matrix"
)

// TestPresenceClocks: who stops syncing goes offline by itself, and that wakes others; who is currently active does not.
func TestPresenceClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		a, b := w.user("a"), w.user("b")
		w.room("room", a, b)
		since := w.hiddenAsk(a, "", 0).NextBatch
		want := func(what string, within time.Duration, told ...string) {
			t.Helper()
			begin := time.Now()
			answer := w.hiddenAsk(a, since, time.Hour)
			since = answer.NextBatch
			if got := fmt.Sprint(answer.present()); got != fmt.Sprint(told) || time.Since(begin) != within {
				t.Errorf("%s: %s after %s, want %s after %s", what, got, time.Since(begin), told, within)
			}
		}
		time.Sleep(time.Second) // longer than a pause
		w.mustAsk(b, "", 0)
		want("comes", 0, "b online")
		want("goes", 30*time.Second, "b offline")
		time.Sleep(time.Second) // longer than a pause
		go w.mustAsk(b, w.mustAsk(b, "", 0).NextBatch, MaxTimeout)
		synctest.Wait()
		want("comes again", 0, "b online")
		want("is idle", 5*time.Minute, "b unavailable")
	})
}

// TestPresenceIsCoalesced: however often somebody changes, others are woken once a pause.
func TestPresenceIsCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		a, b := w.user("a"), w.user("b")
		w.room("room", a, b)
		since := w.hiddenAsk(a, "", 0).NextBatch
		var answers atomic.Int64
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for range 10 {
				answer := w.hiddenAsk(a, since, time.Minute)
				since = answer.NextBatch
				answers.Add(1)
			}
		}()
		synctest.Wait()
		for i := range 1000 {
			if err := w.present.Set(context.Background(), b, "online", fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if n := answers.Load(); n == 0 || n > int64(time.Second/fellowsPause)+1 {
			t.Errorf("woken %d times in a second", n)
		}
		<-stop
	})
}

// TestPresenceInLargeRooms wakes nobody there, and is told with the next answer.
func TestPresenceInLargeRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		var people []account.Session
		for i := range maxWoken + 2 {
			people = append(people, w.user(fmt.Sprint("u", i)))
		}
		r := w.room("large", people[0], people[1:]...)
		var since []string
		for _, s := range people {
			since = append(since, w.hiddenAsk(s, "", 0).NextBatch)
		}
		begin := time.Now()
		came := make(chan *answer)
		go func() { came <- w.hiddenAsk(people[0], since[0], time.Minute) }()
		synctest.Wait()
		if err := w.present.Set(context.Background(), people[1], "online", "hello"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		w.say(r, people[2], "news")
		answer := <-came
		if got := answer.present(); time.Since(begin) != 10*time.Second || len(got) != 1 || got[0] != "u1 online" {
			t.Errorf("%q after %s", got, time.Since(begin))
		}
	})
}

// TestManyPresences: what the hub remembers of who is present is bounded.
func TestManyPresences(t *testing.T) {
	h := newHub(0, 1000)
	for i := range maxChanged + 10 {
		h.presenceChanged(matrix.UserID(fmt.Sprintf("@u%d:here.example", i%(maxChanged+5))), false)
	}
	for range 3 * maxChanged {
		h.presenceChanged("@busy:here.example", false)
	}
	p := &h.presences
	if len(p.last) > maxChanged || len(p.order) > 2*len(p.last)+64 {
		t.Errorf("%d users, %d changes", len(p.last), len(p.order))
	}
	if p.floor <= 1000 || p.order[0].seq <= p.floor {
		t.Errorf("changes up to %d are forgotten, the first is %d", p.floor, p.order[0].seq)
	}
}
