package clientsync

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/matrix"
)

// TestTypingExpires runs on a clock of its own.
func TestTypingExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		a, b, c := w.user("a"), w.user("b"), w.user("c")
		r := w.room("room", a, b, c)
		since := w.mustAsk(a, "", 0).NextBatch
		want := func(what string, within time.Duration, users ...matrix.UserID) {
			t.Helper()
			begin := time.Now()
			answer := w.mustAsk(a, since, time.Minute)
			since = answer.NextBatch
			if got := answer.typing(r); !slices.Equal(got, users) || got == nil || time.Since(begin) != within {
				t.Errorf("%s: %q after %s, want %q after %s", what, got, time.Since(begin), users, within)
			}
		}
		w.sync.Typing(r.Num, b.User, 30*time.Second)
		want("one types", 0, b.User)
		time.Sleep(20 * time.Second)
		w.sync.Typing(r.Num, b.User, 30*time.Second) // goes on: the first notice's end is none
		w.sync.Typing(r.Num, c.User, 10*time.Second)
		want("two type", 0, b.User, c.User)
		want("one has stopped", 10*time.Second, b.User)
		want("the other too", 20*time.Second)
		w.sync.Typing(r.Num, b.User, time.Hour)
		want("for long", 0, b.User)
		time.Sleep(MaxTyping - time.Second)
		want("for as long as there is", time.Second)
		w.sync.Typing(r.Num, b.User, time.Minute)
		w.member(r, b.User, b.User, "leave")
		if got := w.mustAsk(a, since, 0).typing(r); len(got) != 0 {
			t.Errorf("who has left types: %q", got)
		}
	})
}

// TestTypingEndsWithTheHub leaves no timer behind.
func TestTypingEndsWithTheHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		a := w.user("a")
		r := w.room("room", a)
		w.sync.Typing(r.Num, a.User, time.Minute)
		w.close()
		w.sync.Typing(r.Num, a.User, time.Minute)
		seq := w.sync.hub.typing.seq
		time.Sleep(time.Hour)
		if w.sync.hub.typing.seq != seq {
			t.Error("typing changed after the end")
		}
	})
}
