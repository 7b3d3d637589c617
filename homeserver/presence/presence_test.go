package presence

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

const alice = matrix.UserID("@alice:here.example")

func phone() account.Session  { return account.Session{User: alice, Device: "PHONE"} }
func laptop() account.Session { return account.Session{User: alice, Device: "LAPTOP"} }

// world is a tracker and what it told.
type world struct {
	t     *testing.T
	store *store.Store
	*Tracker

	mu   sync.Mutex // guards told
	told []string
}

// in runs a test on a clock of its own.
func in(t *testing.T, backend blob.Store, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		if backend == nil {
			backend = blobtest.NewMemory()
		}
		w := &world{t: t}
		var err error
		if w.store, err = store.Open(t.Context(), backend, store.Options{}); err != nil {
			t.Fatal(err)
		}
		w.Tracker = New(w.store, Options{})
		w.Listen(func(user matrix.UserID, loud bool) {
			s := w.status()
			word := s.State
			if s.CurrentlyActive {
				word += "!"
			}
			if s.Message != "" {
				word += " " + s.Message
			}
			if !loud {
				word = "(" + word + ")"
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, word)
		})
		test(w)
		w.Close()
		w.store.Close()
	})
}

func (w *world) status() Status {
	w.t.Helper()
	s, err := w.Statuses(w.t.Context(), alice)
	if err != nil {
		w.t.Fatal(err)
	}
	return s[0]
}

// sync begins a sync.
func (w *world) sync(s account.Session, state string, asserted bool) (done func()) {
	w.t.Helper()
	done, err := w.Sync(w.t.Context(), s, state, asserted)
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

func (w *world) set(s account.Session, state, message string) {
	w.t.Helper()
	if err := w.Set(w.t.Context(), s, state, message); err != nil {
		w.t.Fatal(err)
	}
}

// want fails the test unless this was told since the last call.
func (w *world) want(told ...string) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.told, told) {
		w.t.Errorf("told %q, want %q", w.told, told)
	}
	w.told = nil
}

func (w *world) wantState(state string, ago time.Duration) {
	w.t.Helper()
	s := w.status()
	if s.State != state || time.Since(s.Active) != ago {
		w.t.Errorf("%s, active %s ago, want %s and %s", s.State, time.Since(s.Active), state, ago)
	}
}

func TestOnlineWhileSyncing(t *testing.T) {
	in(t, nil, func(w *world) {
		if s := w.status(); s != (Status{State: Offline}) {
			t.Errorf("before everything: %+v", s)
		}
		done := w.sync(phone(), Online, false)
		w.want("online!")
		for range 4 {
			time.Sleep(20 * time.Second)
			done()
			done = w.sync(phone(), Online, false)
		}
		w.want("(online)") // active no more after a minute, and told once
		w.wantState(Online, 80*time.Second)
		time.Sleep(20 * time.Second)
		done()
		time.Sleep(OfflineAfter - time.Second)
		w.want()
		time.Sleep(time.Second)
		w.want("offline")
		w.wantState(Offline, 130*time.Second)
		time.Sleep(time.Hour)
		w.want()
		w.sync(phone(), Online, false)() // who comes back is active
		w.want("online!")
		w.wantState(Online, 0)
	})
}

func TestIdle(t *testing.T) {
	in(t, nil, func(w *world) {
		defer w.sync(phone(), Online, false)()
		w.want("online!")
		time.Sleep(IdleAfter)
		w.want("(online)", "unavailable")
		w.wantState(Unavailable, IdleAfter)
		w.sync(phone(), Online, false)() // that is no action
		w.want()
		w.Acts(phone())
		w.want("online!")
		time.Sleep(IdleAfter - time.Second)
		w.want("(online)")
		w.sync(phone(), Online, true)() // the device knows better
		w.want("(online!)")
		w.wantState(Online, 0)
		w.sync(phone(), Unavailable, true)()
		w.want("unavailable")
		time.Sleep(time.Second)
		w.wantState(Unavailable, time.Second)
		w.sync(phone(), Online, false)()
		w.want("online!")
		w.sync(phone(), Unavailable, true)()
		w.want("unavailable")
		w.Acts(phone())
		w.want("online!")
	})
}

// TestDevices: a user is what the most present device is.
func TestDevices(t *testing.T) {
	in(t, nil, func(w *world) {
		defer w.sync(phone(), Unavailable, true)()
		w.want("unavailable")
		done := w.sync(laptop(), Online, true)
		w.want("online!")
		w.sync(phone(), Unavailable, true)()
		w.sync(phone(), Offline, true)() // says nothing
		w.want()
		done()
		time.Sleep(OfflineAfter)
		w.want("unavailable")
		done = w.sync(laptop(), Unavailable, true)
		w.set(laptop(), Online, "")
		w.want("online!")
		w.set(laptop(), Offline, "")
		w.want("unavailable")
		w.Acts(laptop()) // it hides, and so its actions do not show
		w.want()
		w.wantState(Unavailable, 0)
		done()
		w.sync(laptop(), Online, false)()
		w.want("online!")
	})
}

func TestOfflineByHand(t *testing.T) {
	in(t, nil, func(w *world) {
		defer w.sync(phone(), Online, false)()
		w.set(phone(), Offline, "away")
		w.want("online!", "offline away")
		time.Sleep(time.Hour)
		w.want()
		w.set(phone(), Unavailable, "away")
		w.want("unavailable away")
	})
}

// TestSetWithoutSync holds as long as a sync.
func TestSetWithoutSync(t *testing.T) {
	in(t, nil, func(w *world) {
		w.set(phone(), Online, "here")
		w.want("online! here")
		time.Sleep(OfflineAfter)
		w.want("offline here")
		w.Acts(phone()) // of a device that does not sync
		w.want()
		w.wantState(Offline, 0)
	})
}

func TestMessagesLast(t *testing.T) {
	backend := blobtest.NewMemory()
	in(t, backend, func(w *world) {
		w.set(phone(), Online, "in a meeting")
		w.set(laptop(), Online, "in a meeting")
		w.want("online! in a meeting")
		if w.store.Durable() != 1 {
			t.Errorf("%d changes were written, want one", w.store.Durable())
		}
	})
	in(t, backend, func(w *world) {
		if s := w.status(); s.State != Offline || s.Message != "in a meeting" || s.Active.IsZero() {
			t.Errorf("after a restart: %+v", s)
		}
		defer w.sync(phone(), Online, false)()
		w.want("online! in a meeting")
		w.set(phone(), Online, "")
		w.want("online!")
	})
	in(t, backend, func(w *world) {
		if s := w.status(); s.Message != "" {
			t.Errorf("after a restart: %+v", s)
		}
	})
}

// TestSyncsWriteNothing: only the end of a long presence does.
func TestSyncsWriteNothing(t *testing.T) {
	in(t, nil, func(w *world) {
		for range 500 {
			w.sync(phone(), Online, true)()
			time.Sleep(10 * time.Second)
		}
		if w.store.Durable() != 0 {
			t.Errorf("%d changes were written", w.store.Durable())
		}
		time.Sleep(OfflineAfter)
		synctest.Wait()
		if w.store.Durable() != 1 {
			t.Errorf("%d changes were written at the end, want one", w.store.Durable())
		}
		for range 10 { // short absences are not written
			w.sync(phone(), Online, false)()
			time.Sleep(2 * OfflineAfter)
		}
		synctest.Wait()
		if w.store.Durable() != 1 {
			t.Errorf("%d changes were written", w.store.Durable())
		}
	})
}

func TestGone(t *testing.T) {
	in(t, nil, func(w *world) {
		w.Gone(alice, "PHONE") // who never was
		defer w.sync(phone(), Online, false)()
		w.sync(laptop(), Unavailable, true)()
		w.Gone(alice, "PHONE")
		w.want("online!", "unavailable")
		w.Gone(alice, "LAPTOP")
		w.want("offline")
		w.sync(phone(), Online, false)() // logged in again
		w.want("online!")
	})
}

func TestForget(t *testing.T) {
	backend := blobtest.NewMemory()
	in(t, backend, func(w *world) {
		if err := w.Forget(w.t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		defer w.sync(phone(), Online, false)()
		w.set(laptop(), Online, "secret")
		if err := w.Forget(w.t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		w.want("online!", "online! secret", "offline")
		if s := w.status(); s != (Status{State: Offline}) {
			t.Errorf("forgotten: %+v", s)
		}
	})
	in(t, backend, func(w *world) {
		if s := w.status(); s != (Status{State: Offline}) {
			t.Errorf("after a restart: %+v", s)
		}
	})
}

func TestRefuses(t *testing.T) {
	in(t, nil, func(w *world) {
		for _, c := range [][2]string{{"", ""}, {"busy", ""}, {Online, strings.Repeat("x", MaxMessage+1)}} {
			if err := w.Set(w.t.Context(), phone(), c[0], c[1]); err == nil {
				t.Errorf("%.10q was taken", c)
			}
		}
		w.want()
	})
}

// TestBounds: no user has more devices, and the tracker no more users, than it says.
func TestBounds(t *testing.T) {
	in(t, nil, func(w *world) {
		for i := range maxDevices + 50 {
			w.sync(account.Session{User: alice, Device: string(rune('a' + i))}, Online, false)
		}
		if n := len(w.users[alice].devices); n != maxDevices {
			t.Errorf("%d devices", n)
		}
		for i := range maxUsers {
			w.sync(account.Session{User: matrix.UserID("@" + string(rune('a'+i))), Device: "D"}, Online, false)()
		}
		if n := len(w.users); n != maxUsers {
			t.Errorf("%d users", n)
		}
		time.Sleep(OfflineAfter)
		synctest.Wait()
		w.sync(account.Session{User: "@late:here.example", Device: "D"}, Online, false)
		if n := len(w.users); n != maxUsers || w.users["@late:here.example"] == nil {
			t.Errorf("%d users, and the latest is not among them", n)
		}
	})
}

func TestNothingAfterClose(t *testing.T) {
	in(t, nil, func(w *world) {
		done := w.sync(phone(), Online, false)
		w.want("online!")
		w.Close()
		done()
		w.sync(laptop(), Online, false)()
		w.Acts(phone())
		time.Sleep(time.Hour)
		w.want()
	})
}

func TestRowExample(t *testing.T) {
	row := appendRow(nil, time.UnixMilli(1000), "hi")
	if string(row) != "\xd0\x0f\x68\x69" {
		t.Errorf("row % x", row)
	}
	active, message, err := readRow(row)
	if err != nil || active.UnixMilli() != 1000 || message != "hi" {
		t.Errorf("read %s %q %v", active, message, err)
	}
}

func FuzzReadRow(f *testing.F) {
	f.Add([]byte("\xd0\x0fhi"))
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, row []byte) {
		active, message, err := readRow(row)
		if err != nil {
			return
		}
		again, same, err := readRow(appendRow(nil, active, message))
		if err != nil || !again.Equal(active) || same != message {
			t.Errorf("% x is read as %s %q and then as %s %q, %v", row, active, message, again, same, err)
		}
	})
}
