package store

import (
	"slices"
	"testing"

	"hearth/matrix"
)

func TestThreads(t *testing.T) {
	s := open(t, newGate())
	apply := func(write func(*Tx)) {
		t.Helper()
		if _, err := s.Apply(t.Context(), write); err != nil {
			t.Fatal(err)
		}
	}
	want := func(room RoomNum, before Order, want ...Thread) {
		t.Helper()
		var got []Thread
		for th, err := range s.Threads(t.Context(), room, before) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, th)
		}
		if !slices.Equal(got, want) {
			t.Errorf("threads of room %d before %d: %v, want %v", room, before, got, want)
		}
	}
	apply(func(tx *Tx) {
		tx.MoveThread(7, 1, 0, 2)
		tx.MoveThread(7, -3, 0, 5)
		tx.MoveThread(8, 1, 0, 3)
	})
	want(7, MaxOrder, Thread{-3, 5}, Thread{1, 2})
	want(7, 5, Thread{1, 2})
	apply(func(tx *Tx) {
		tx.MoveThread(7, 1, 2, 6)
		tx.MoveThread(7, -3, 5, 5)
	})
	want(7, MaxOrder, Thread{1, 6}, Thread{-3, 5})
	apply(func(tx *Tx) { tx.MoveThread(7, 1, 6, 0) })
	want(7, MaxOrder, Thread{-3, 5})
	want(8, MaxOrder, Thread{1, 3})
}

func TestParticipants(t *testing.T) {
	s := open(t, newGate())
	const a, ab = matrix.UserID("@a:x"), matrix.UserID("@a:xb")
	_, err := s.Apply(t.Context(), func(tx *Tx) {
		tx.JoinThread(7, a, 4)
		tx.JoinThread(7, a, -1)
		tx.JoinThread(7, ab, 2)
		tx.JoinThread(7, a, 9)
		tx.LeaveThread(7, a, 9)
		tx.JoinThread(8, a, 5)
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []Order
	for root, err := range s.ThreadsOf(t.Context(), 7, a) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, root)
	}
	if !slices.Equal(got, []Order{-1, 4}) {
		t.Errorf("threads of %s: %v", a, got)
	}
	in, err := s.InThreads(t.Context(), 7, a, 4, 2, -1)
	if err != nil || !slices.Equal(in, []bool{true, false, true}) {
		t.Errorf("in threads: %v, %v", in, err)
	}
}
