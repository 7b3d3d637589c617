package e2ee

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blobtest"
)

const (
	alice = matrix.UserID("@alice:here.example")
	bob   = matrix.UserID("@bob:here.example")
	never = ^store.Pos(0)
)

// world is a server with alice on PHONE and bob on DESK and LAP.
type world struct {
	t       testing.TB
	store   *store.Store
	e2ee    *E2EE
	alice   account.Session
	mu      sync.Mutex // guards clock
	clock   time.Time
	backend *blobtest.Memory
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, clock: time.Unix(1_700_000_000, 0), backend: blobtest.NewMemory()}
	var err error
	if w.store, err = store.Open(t.Context(), w.backend, store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.store.Close)
	accounts := account.New(w.store, account.Options{Server: "here.example"})
	w.e2ee = New(w.store, accounts, Options{Now: w.now})
	for _, name := range []string{"alice", "bob"} {
		if _, err := accounts.Create(t.Context(), name, "", account.NewUser{}); err != nil {
			t.Fatal(err)
		}
	}
	w.alice = w.login(alice, "PHONE")
	w.login(bob, "DESK")
	w.login(bob, "LAP")
	return w
}

func (w *world) login(user matrix.UserID, device string) account.Session {
	w.t.Helper()
	s, err := w.e2ee.accounts.NewSession(w.t.Context(), user, device, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

type messages = map[matrix.UserID]map[string]json.RawMessage

func (w *world) send(txn string, m messages) {
	w.t.Helper()
	if err := w.e2ee.SendToDevice(w.t.Context(), w.alice, txn, "m.test", m); err != nil {
		w.t.Fatal(err)
	}
}

func to(user matrix.UserID, device, content string) messages {
	return messages{user: {device: json.RawMessage(content)}}
}

// waiting lists the contents in a device's queue, as it is in memory and as a fresh start finds it.
func (w *world) waiting(user matrix.UserID, device string) string {
	w.t.Helper()
	fresh := New(w.store, w.e2ee.accounts, Options{Now: w.now})
	lists := make([]string, 2)
	for i, e := range []*E2EE{w.e2ee, fresh} {
		got, _, err := e.ToDevice(w.t.Context(), user, device, 0, never, 1000)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, m := range got {
			content, _ := matrix.Field(m.JSON, "content")
			lists[i] += string(content)
		}
	}
	if lists[0] != lists[1] {
		w.t.Fatalf("in memory %s, on disk %s", lists[0], lists[1])
	}
	return lists[0]
}

// The message in the package comment.
func TestMessage(t *testing.T) {
	got := appendMessage(nil, "@alice:example.org", "m.dummy", []byte("{}"))
	if want := `{"sender":"@alice:example.org","type":"m.dummy","content":{}}`; string(got) != want {
		t.Errorf("wrote %s, want %s", got, want)
	}
}

func TestSend(t *testing.T) {
	w := newWorld(t)
	w.send("1", to(bob, "DESK", `{"n":1}`))
	w.send("2", to(bob, "*", `{"n":2}`))
	w.send("3", messages{
		bob:                     {"LAP": json.RawMessage(`{"n":3}`), "GONE": json.RawMessage(`{}`)},
		alice:                   {"PHONE": json.RawMessage(`{"n":4}`)},
		"@nobody:here.example":  {"*": json.RawMessage(`{}`)},
		"@remote:there.example": {"DESK": json.RawMessage(`{}`)},
	})
	for _, c := range []struct {
		user         matrix.UserID
		device, want string
	}{{bob, "DESK", `{"n":1}{"n":2}`}, {bob, "LAP", `{"n":2}{"n":3}`}, {alice, "PHONE", `{"n":4}`}, {bob, "GONE", ""}, {bob, "PHONE", ""}, {bob, "*", ""}} {
		if got := w.waiting(c.user, c.device); got != c.want {
			t.Errorf("%s %s has %s, want %s", c.user, c.device, got, c.want)
		}
	}
}

func TestSendIsAnnounced(t *testing.T) {
	w := newWorld(t)
	from := w.store.Durable()
	w.send("1", to(bob, "DESK", `{}`))
	w.send("2", to(bob, "*", `{}`))
	var seen []string
	for len(seen) < 2 {
		notes, err := w.store.Follow(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range notes {
			from = n.Pos
			seen = append(seen, fmt.Sprintf("%d %s %q", n.Kind, n.User, n.Device))
		}
	}
	if got, want := strings.Join(seen, ", "), `5 @bob:here.example "DESK", 5 @bob:here.example ""`; got != want {
		t.Errorf("announced %s, want %s", got, want)
	}
}

func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		txn, typ string
		m        messages
		code     string
	}{
		{"1", "", to(bob, "DESK", `{}`), matrix.MInvalidParam},
		{"1", long, to(bob, "DESK", `{}`), matrix.MInvalidParam},
		{"", "m.x", to(bob, "DESK", `{}`), matrix.MInvalidParam},
		{long, "m.x", to(bob, "DESK", `{}`), matrix.MInvalidParam},
		{"1", "m.x", to("bob", "DESK", `{}`), matrix.MInvalidParam},
		{"1", "m.x", to(bob, "DESK", `[]`), matrix.MBadJSON},
		{"1", "m.x", to(bob, "DESK", `null`), matrix.MBadJSON},
		{"1", "m.x", to(bob, "DESK", `{"x":"`+strings.Repeat("x", MaxMessage)+`"}`), matrix.MTooLarge},
	} {
		err := w.e2ee.SendToDevice(t.Context(), w.alice, c.txn, c.typ, c.m)
		var m *matrix.Error
		if !errors.As(err, &m) || m.Code != c.code {
			t.Errorf("%v: error %v, want %s", c.m, err, c.code)
		}
	}
	if got := w.waiting(bob, "DESK"); got != "" {
		t.Errorf("queued %s", got)
	}
}

// Threat 12: "*" does not make one request into a flood.
func TestRequestIsBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 60 {
		w.login(bob, fmt.Sprint("D", i))
	}
	big := to(bob, "*", `{"x":"`+strings.Repeat("x", MaxMessage-100)+`"}`)
	err := w.e2ee.SendToDevice(t.Context(), w.alice, "1", "m.x", big)
	var m *matrix.Error
	if !errors.As(err, &m) || m.Code != matrix.MTooLarge {
		t.Errorf("error %v, want %s", err, matrix.MTooLarge)
	}
}

func TestTransactions(t *testing.T) {
	w := newWorld(t)
	w.send("1", to(bob, "DESK", `{"n":1}`))
	w.send("1", to(bob, "DESK", `{"n":2}`))
	if err := w.e2ee.SendToDevice(t.Context(), w.alice, "1", "m.other", to(bob, "DESK", `{"n":3}`)); err != nil {
		t.Fatal(err)
	}
	laptop := w.login(alice, "LAPTOP")
	if err := w.e2ee.SendToDevice(t.Context(), laptop, "1", "m.test", to(bob, "DESK", `{"n":4}`)); err != nil {
		t.Fatal(err)
	}
	// A new token of the device changes nothing; a new device of the same name is another one.
	w.alice = w.login(alice, "PHONE")
	w.send("1", to(bob, "DESK", `{"n":5}`))
	if err := w.e2ee.accounts.Logout(t.Context(), w.alice); err != nil {
		t.Fatal(err)
	}
	w.alice = w.login(alice, "PHONE")
	w.send("1", to(bob, "DESK", `{"n":6}`))
	if got, want := w.waiting(bob, "DESK"), `{"n":1}{"n":3}{"n":4}{"n":6}`; got != want {
		t.Errorf("queued %s, want %s", got, want)
	}
}

// A transaction outlives the program and the turn of the week, and is forgotten some day.
func TestTransactionsLast(t *testing.T) {
	w := newWorld(t)
	w.send("1", to(bob, "DESK", `{"n":1}`))
	w.e2ee = New(w.store, w.e2ee.accounts, Options{Now: w.now})
	w.pass(week - time.Second)
	w.send("1", to(bob, "DESK", `{"n":2}`))
	if n, err := w.e2ee.Prune(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("forgot %d, %v", n, err)
	}
	w.pass(week)
	for i, want := range []int{1, 0} {
		if n, err := w.e2ee.Prune(t.Context(), 10); n != want || err != nil {
			t.Errorf("%d: forgot %d, %v, want %d", i, n, err, want)
		}
	}
	w.send("1", to(bob, "DESK", `{"n":3}`))
	if got, want := w.waiting(bob, "DESK"), `{"n":1}{"n":3}`; got != want {
		t.Errorf("queued %s, want %s", got, want)
	}
}

func TestTransactionsMeet(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := w.e2ee.SendToDevice(t.Context(), w.alice, "1", "m.test", to(bob, "*", `{"n":1}`)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := w.waiting(bob, "DESK"); got != `{"n":1}` {
		t.Errorf("queued %s", got)
	}
}

func FuzzSend(f *testing.F) {
	f.Add("m.test", "1", "@bob:here.example", "DESK", `{"a":[1]}`)
	f.Add("m.test", "1", "@bob:here.example", "*", `{}`)
	f.Fuzz(func(t *testing.T, typ, txn, user, device, content string) {
		m := to(matrix.UserID(user), device, content)
		if err := check(txn, typ, m); err != nil || !json.Valid([]byte(content)) {
			return
		}
		if got := appendMessage(nil, alice, typ, []byte(content)); !json.Valid(got) {
			t.Errorf("made %s", got)
		}
	})
}
