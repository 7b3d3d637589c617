package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
)

func note(t testing.TB, s *Store, user string) Pos {
	t.Helper()
	pos, err := s.Apply(t.Context(), func(tx *Tx) { tx.Note(Note{Kind: KindProfile, User: "@a:x", Device: user}) })
	must(t, err)
	return pos
}

// follow reads the log from pos to its end, and what it read.
func follow(t testing.TB, s *Store, pos Pos) (all []Note) {
	t.Helper()
	for pos < s.Durable() {
		notes, err := s.Follow(t.Context(), pos)
		must(t, err)
		if len(notes) == 0 {
			t.Fatal("following gave nothing")
		}
		all = append(all, notes...)
		pos = notes[len(notes)-1].Pos
	}
	return all
}

// A follower sees every note once, in order, wherever it begins: in memory or far behind.
func TestFollow(t *testing.T) {
	const total = 3*followPage + 17
	g := newGate()
	s := open(t, g, Options{Recent: 10})
	for i := range total {
		note(t, s, fmt.Sprint(i))
	}
	for _, from := range []Pos{0, 1, followPage, total - 11, total - 10, total - 9, total - 1} {
		notes := follow(t, s, from)
		if len(notes) != total-int(from) {
			t.Fatalf("from %d: %d notes, want %d", from, len(notes), total-int(from))
		}
		for i, n := range notes {
			if n.Pos != from+Pos(i)+1 || n.Device != fmt.Sprint(n.Pos-1) || n.Kind != KindProfile {
				t.Fatalf("from %d: note %d is %+v", from, i, n)
			}
		}
	}
	s.Close()
	s = open(t, g)
	if notes := follow(t, s, total-3); len(notes) != 3 || notes[0].Device != fmt.Sprint(total-3) {
		t.Errorf("after opening again: %+v", notes)
	}
}

// Reading backwards gives the same notes in pages, from any place.
func TestBefore(t *testing.T) {
	const total = followPage + 17
	s := open(t, newGate())
	for i := range total {
		note(t, s, fmt.Sprint(i))
	}
	pos := Pos(total + 100) // behind the log's end
	for want := Pos(total); want > 0; {
		notes, err := s.Before(t.Context(), pos)
		if err != nil || len(notes) == 0 {
			t.Fatalf("before %d: %d notes, %v", pos, len(notes), err)
		}
		for _, n := range notes {
			if n.Pos != want || n.Device != fmt.Sprint(want-1) {
				t.Fatalf("note %+v, want %d", n, want)
			}
			want--
		}
		pos = notes[len(notes)-1].Pos
	}
	if notes, err := s.Before(t.Context(), 1); err != nil || len(notes) > 0 {
		t.Errorf("before the log: %d notes, %v", len(notes), err)
	}
}

func TestNotesAt(t *testing.T) {
	s := open(t, newGate())
	for i := range 5 {
		note(t, s, fmt.Sprint(i))
	}
	notes, err := s.NotesAt(t.Context(), 4, 99, 1)
	if err != nil || len(notes) != 3 || notes[0].Pos != 4 || notes[0].Device != "3" || notes[1].Pos != 0 || notes[2].Device != "0" {
		t.Errorf("notes %+v, %v", notes, err)
	}
	if s.Closed() {
		t.Error("an open store says that it is closed")
	}
	s.Close()
	if !s.Closed() {
		t.Error("a closed store says that it is open")
	}
}

func TestFollowWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(context.Background(), newGate(), Options{})
		must(t, err)
		got := make(chan []Note)
		go func() {
			notes, err := s.Follow(context.Background(), 0)
			if err != nil {
				t.Error(err)
			}
			got <- notes
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("answered without a note")
		default:
		}
		pos := note(t, s, "1")
		if notes := <-got; len(notes) != 1 || notes[0].Pos != pos {
			t.Errorf("got %+v", notes)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() {
			_, err := s.Follow(ctx, pos)
			ended <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		go func() {
			_, err := s.Follow(context.Background(), pos)
			ended <- err
		}()
		synctest.Wait()
		s.Close()
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Errorf("error %v", err)
		}
	})
}

// Announced gives a channel that is closed at the next announcement.
func TestAnnounced(t *testing.T) {
	s := open(t, newGate())
	pos, next := s.Announced()
	if pos != 0 {
		t.Errorf("position %d", pos)
	}
	want := note(t, s, "1")
	<-next
	if pos, _ = s.Announced(); pos != want || s.Durable() != want {
		t.Errorf("position %d, %d; want %d", pos, s.Durable(), want)
	}
}

// Nothing is announced before it is durable, and a reader who is told of a note finds what it is about.
func TestAnnouncedIsReadable(t *testing.T) {
	g := newGate()
	s := open(t, g, Options{Recent: 4})
	release := g.hold()
	e := message(t, 1, 1)
	ticket, err := s.Append(t.Context(), func(tx *Tx) { tx.PutEvent(e) })
	must(t, err)
	<-g.waiting
	if s.Durable() != 0 {
		t.Errorf("%d is durable", s.Durable())
	}
	if got, err := s.EventsAt(t.Context(), 1, 1); err != nil || got[0] != nil {
		t.Errorf("read %v, %v before it was durable", got, err)
	}
	release()
	must(t, ticket.Wait(t.Context()))
	notes := follow(t, s, 0)
	if len(notes) != 1 || notes[0].Event != e || notes[0].Order != 1 {
		t.Errorf("announced %+v", notes)
	}
}

// The notes in memory hold events up to a number of bytes.
func TestFeedIsBounded(t *testing.T) {
	const size = 64
	var f feed
	f.init(0, size)
	big := message(t, 1, 1)
	big.JSON = make([]byte, 50<<10)
	for i := range 3 * size {
		n := Note{Pos: Pos(i + 1), Kind: KindEvent}
		if i%2 == 0 {
			n.Event = big
		}
		f.announce([]Note{n})
		held := 0
		for _, n := range f.ring {
			if n.Event != nil {
				held += n.Event.Size()
			}
		}
		if held != f.bytes || held > maxRecentEvents {
			t.Fatalf("after %d notes the ring holds %d bytes and counts %d", i+1, held, f.bytes)
		}
	}
	notes, ok, _, _ := f.since(3*size - 4)
	if !ok || len(notes) != 4 || notes[0].Pos != 3*size-3 || notes[0].Event == nil {
		t.Errorf("since: %+v, %v", notes, ok)
	}
	if notes, ok, _, _ := f.since(2 * size); !ok || len(notes) != size {
		t.Errorf("since the oldest: %d, %v", len(notes), ok)
	}
	if _, ok, _, _ := f.since(2*size - 1); ok {
		t.Error("an older note was found in memory")
	}
}
