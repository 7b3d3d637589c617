package directory

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

const alice = matrix.UserID("@a:x")

// gate is a store in memory whose batches can be held or refused.
type gate struct {
	*blobtest.Memory
	mu     sync.Mutex // guards the fields below
	held   chan struct{}
	refuse bool
}

func (g *gate) Apply(ctx context.Context, b *blob.Batch) error {
	g.mu.Lock()
	held, refuse := g.held, g.refuse
	g.mu.Unlock()
	if held != nil {
		<-held
	}
	if refuse {
		return blob.Errorf(blob.Full, "applying batch", "no room")
	}
	return g.Memory.Apply(ctx, b)
}

func newDirectory(t testing.TB) (*Directory, *gate) {
	t.Helper()
	g := &gate{Memory: blobtest.NewMemory()}
	return reopen(t, g), g
}

func reopen(t testing.TB, g *gate) *Directory {
	t.Helper()
	s, err := store.Open(t.Context(), g, store.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	must(t, err)
	t.Cleanup(s.Close)
	return New(s)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	var m *matrix.Error
	if !errors.As(err, &m) || m.Code != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

func testRoom(n store.RoomNum) *store.Room {
	return &store.Room{Num: n, ID: matrix.RoomID(fmt.Sprintf("!%d:x", n))}
}

// The example of the package comment.
func TestRecord(t *testing.T) {
	d, _ := newDirectory(t)
	must(t, d.Set(t.Context(), "#r:x", &store.Room{Num: 1, ID: "!r:x"}, alice))
	v, err := d.store.Row(t.Context(), tableAliases, []byte("#r:x"))
	must(t, err)
	if got := hex.EncodeToString(v); got != "21723a780040613a78" {
		t.Errorf("the record is %s", got)
	}
}

func TestAliases(t *testing.T) {
	d, g := newDirectory(t)
	one, two := testRoom(1), testRoom(2)
	for _, alias := range []matrix.RoomAlias{"#b:x", "#a:x", "#ünï:x"} {
		must(t, d.Set(t.Context(), alias, one, alice))
	}
	must(t, d.Set(t.Context(), "#c:x", two, "@b:x"))
	wantCode(t, d.Set(t.Context(), "#a:x", one, alice), matrix.MRoomInUse)
	wantCode(t, d.Set(t.Context(), "#a:x", two, alice), matrix.MRoomInUse)
	for _, d := range []*Directory{d, reopen(t, g)} {
		all, err := d.ResolveAll(t.Context(), "#a:x", "#none:x", "#c:x")
		must(t, err)
		if *all[0] != (Alias{one.ID, alice}) || all[1] != nil || *all[2] != (Alias{two.ID, "@b:x"}) {
			t.Errorf("resolved %v", all)
		}
		of, err := d.OfRoom(t.Context(), 1)
		must(t, err)
		if !slices.Equal(of, []matrix.RoomAlias{"#a:x", "#b:x", "#ünï:x"}) {
			t.Errorf("aliases %v", of)
		}
	}
	if of, err := d.OfRoom(t.Context(), 3); err != nil || len(of) != 0 {
		t.Errorf("aliases %v, %v", of, err)
	}
}

// An alias is removed only while it points to where it was seen to point.
func TestDelete(t *testing.T) {
	d, _ := newDirectory(t)
	one, two := testRoom(1), testRoom(2)
	must(t, d.Set(t.Context(), "#a:x", one, alice))
	seen, err := d.Resolve(t.Context(), "#a:x")
	must(t, err)
	wantCode(t, d.Delete(t.Context(), "#a:x", Alias{two.ID, alice}, two.Num), matrix.MNotFound)
	wantCode(t, d.Delete(t.Context(), "#b:x", *seen, one.Num), matrix.MNotFound)
	must(t, d.Delete(t.Context(), "#a:x", *seen, one.Num))
	wantCode(t, d.Delete(t.Context(), "#a:x", *seen, one.Num), matrix.MNotFound)
	must(t, d.Set(t.Context(), "#a:x", two, alice))
	wantCode(t, d.Delete(t.Context(), "#a:x", *seen, one.Num), matrix.MNotFound)
	if of, err := d.OfRoom(t.Context(), 1); err != nil || len(of) != 0 {
		t.Errorf("aliases %v, %v", of, err)
	}
	must(t, d.Delete(t.Context(), "#a:x", Alias{two.ID, alice}, 0)) // its room is no longer known
	if a, err := d.Resolve(t.Context(), "#a:x"); a != nil || err != nil {
		t.Errorf("resolved %v, %v", a, err)
	}
}

// Of many who want an alias at once, one gets it.
func TestConcurrentClaims(t *testing.T) {
	d, _ := newDirectory(t)
	for round := range 20 {
		alias := matrix.RoomAlias(fmt.Sprintf("#%d:x", round))
		var wait sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 8 {
			wait.Go(func() {
				err := d.Set(t.Context(), alias, testRoom(store.RoomNum(i+1)), alice)
				if err != nil {
					wantCode(t, err, matrix.MRoomInUse)
					return
				}
				mu.Lock()
				won++
				mu.Unlock()
			})
		}
		wait.Wait()
		if won != 1 {
			t.Errorf("%d got %s", won, alias)
		}
	}
	if len(d.held) != 0 {
		t.Errorf("%d aliases are held", len(d.held))
	}
}

// Who claims an alias waits for who has it, and gets it if that one gives up.
func TestClaimWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := newDirectory(t)
		release, err := d.Claim(t.Context(), "#a:x")
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := d.Claim(ctx, "#a:x"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- d.Set(t.Context(), "#a:x", testRoom(1), alice) }()
		synctest.Wait()
		if len(done) != 0 {
			t.Fatal("it did not wait")
		}
		release()
		must(t, <-done)
	})
}

// Who gives up waiting for the disk does not let go of the alias before the outcome is known.
func TestHeldUntilDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := newDirectory(t)
		held := make(chan struct{})
		g.mu.Lock()
		g.held = held
		g.mu.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- d.Set(ctx, "#a:x", testRoom(1), alice) }()
		synctest.Wait()
		cancel()
		go func() { second <- d.Set(t.Context(), "#a:x", testRoom(2), alice) }()
		synctest.Wait()
		if len(second) != 0 {
			t.Fatal("the alias was given away")
		}
		close(held)
		must(t, <-first)
		wantCode(t, <-second, matrix.MRoomInUse)
	})
}

func TestFullDisk(t *testing.T) {
	d, g := newDirectory(t)
	g.mu.Lock()
	g.refuse = true
	g.mu.Unlock()
	if err := d.Set(t.Context(), "#a:x", testRoom(1), alice); blob.KindOf(err) != blob.Full {
		t.Errorf("error %v", err)
	}
	g.mu.Lock()
	g.refuse = false
	g.mu.Unlock()
	if a, err := d.Resolve(t.Context(), "#a:x"); a != nil || err != nil {
		t.Errorf("resolved %v, %v", a, err)
	}
	must(t, d.Set(t.Context(), "#a:x", testRoom(1), alice))
}

func TestMaxAliases(t *testing.T) {
	d, _ := newDirectory(t)
	_, err := d.store.Apply(t.Context(), func(tx *store.Tx) {
		for i := range maxAliases {
			Put(tx, matrix.RoomAlias(fmt.Sprintf("#%d:x", i)), 1, Alias{"!1:x", alice})
		}
	})
	must(t, err)
	wantCode(t, d.Set(t.Context(), "#more:x", testRoom(1), alice), matrix.MTooLarge)
	must(t, d.Set(t.Context(), "#more:x", testRoom(2), alice))
	must(t, d.Set(t.Context(), matrix.RoomAlias("#"+strings.Repeat("x", 252)+":x"), testRoom(2), alice))
}

// The aliases of a room move together, those that were given to another room in the meantime stay there, and who made
// them stays known.
func TestMove(t *testing.T) {
	d, g := newDirectory(t)
	one, two := testRoom(1), testRoom(2)
	must(t, d.Set(t.Context(), "#a:x", one, alice))
	must(t, d.Set(t.Context(), "#b:x", one, "@b:x"))
	must(t, d.Set(t.Context(), "#c:x", two, alice))
	held, release, err := d.HoldRoom(t.Context(), one)
	must(t, err)
	if len(held) != 2 || held["#b:x"] != (Alias{one.ID, "@b:x"}) {
		t.Errorf("held %v", held)
	}
	must(t, d.apply(t.Context(), func(tx *store.Tx) { Move(tx, held, one.Num, two.Num, two.ID) }))
	release()
	for _, d := range []*Directory{d, reopen(t, g)} {
		if of, err := d.OfRoom(t.Context(), 1); err != nil || len(of) != 0 {
			t.Errorf("aliases %v, %v", of, err)
		}
		if of, err := d.OfRoom(t.Context(), 2); err != nil || len(of) != 3 {
			t.Errorf("aliases %v, %v", of, err)
		}
		if a, err := d.Resolve(t.Context(), "#b:x"); err != nil || *a != (Alias{two.ID, "@b:x"}) {
			t.Errorf("resolved %v, %v", a, err)
		}
	}
	if len(d.held) != 0 {
		t.Errorf("%d aliases are held", len(d.held))
	}
}

// While the aliases of a room are held nobody else changes them; who cannot wait holds none.
func TestHoldRoomWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := newDirectory(t)
		room := testRoom(1)
		for _, alias := range []matrix.RoomAlias{"#a:x", "#b:x", "#c:x"} {
			must(t, d.Set(t.Context(), alias, room, alice))
		}
		release, err := d.Hold(t.Context(), "#b:x", Alias{room.ID, alice})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 2)
		hold := func(ctx context.Context) {
			_, release, err := d.HoldRoom(ctx, room)
			if err == nil {
				release()
			}
			done <- err
		}
		go hold(ctx)
		go hold(t.Context())
		synctest.Wait()
		if len(done) != 0 {
			t.Fatal("it did not wait")
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		release()
		must(t, <-done)
		if len(d.held) != 0 {
			t.Errorf("%d aliases are held", len(d.held))
		}
	})
}
