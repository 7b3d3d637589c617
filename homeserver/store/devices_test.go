package store

import (
	"fmt"
	"testing"

	"hearth/matrix"
	"hearth/storage/blobtest"
)

func TestDeviceChanges(t *testing.T) {
	s := open(t, blobtest.NewMemory())
	var at []Pos
	for i, n := range []Note{
		{Kind: KindDevices, User: "@a:x", Device: "A"}, {Kind: KindOther, User: "@b:x"}, {Kind: KindDevices, User: "@b:x"}, {Kind: KindDevices, User: "@a:x"},
	} {
		pos, err := s.Apply(t.Context(), func(tx *Tx) { tx.Note(n) })
		if err != nil {
			t.Fatal(i, err)
		}
		at = append(at, pos)
	}
	for _, c := range []struct {
		after, upTo Pos
		want        string
	}{
		{0, at[3], "[@a:x @b:x @a:x]"}, {at[0], at[3], "[@b:x @a:x]"}, {at[0], at[2], "[@b:x]"}, {at[3], at[3], "[]"}, {at[0], at[1], "[]"}, {0, ^Pos(0) - 1, "[@a:x @b:x @a:x]"},
	} {
		got := []matrix.UserID{}
		for u, err := range s.DeviceChanges(t.Context(), c.after, c.upTo) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, u)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("after %d up to %d: %s, want %s", c.after, c.upTo, got, c.want)
		}
	}
}
