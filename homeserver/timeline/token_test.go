package timeline

import (
	"errors"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blobtest"
)

func newTimeline(t testing.TB) *Timeline {
	t.Helper()
	s, err := store.Open(t.Context(), blobtest.NewMemory(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return New(s, nil)
}

func FuzzToken(f *testing.F) {
	for _, s := range []string{"t1", "t-5", "s7", "s7_3_1", "s", "t", "", "x", "t9223372036854775808", "s18446744073709551615"} {
		f.Add(s)
	}
	tl := newTimeline(f)
	room := &store.Room{Num: 1}
	f.Fuzz(func(t *testing.T, token string) {
		o, err := tl.boundary(t.Context(), room, "from", token)
		var m *matrix.Error
		if err != nil {
			if !errors.As(err, &m) || m.Status != 400 || m.Code != matrix.MInvalidParam {
				t.Errorf("%q: %v", token, err)
			}
			return
		}
		again, err := tl.boundary(t.Context(), room, "from", Token(o))
		if err != nil || again != o {
			t.Errorf("%q is %d, its own token %d, %v", token, o, again, err)
		}
	})
}
