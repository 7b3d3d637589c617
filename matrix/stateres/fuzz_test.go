package stateres

import (
	"maps"
	"testing"

	"hearth/matrix"
)

// FuzzAgainstReference looks for a room in which the resolution and the reference differ.
func FuzzAgainstReference(f *testing.F) {
	f.Add(uint64(1), uint8(0), uint8(100))
	f.Add(uint64(2), uint8(1), uint8(60))
	f.Add(uint64(3), uint8(11), uint8(200))
	f.Fuzz(func(t *testing.T, seed uint64, version, steps uint8) {
		versions := matrix.Versions()
		v := versions[int(version)%len(versions)]
		room := newRandomRoom(t, v.Version, seed, int(steps))
		room.turn = 1 + int(seed%2)*firstTurn
		states := room.fork()
		want := newReference(t, room.world, states).resolve()
		if got := room.resolve(t, states...); !maps.Equal(got, want) {
			t.Fatalf("resolved to\n%v\nnot to\n%v", got, want)
		}
	})
}
