package clientsync

import (
	"errors"
	"testing"

	"hearth/matrix"
)

// The examples of the package's comment.
func TestToken(t *testing.T) {
	for text, want := range map[string]token{
		"s4711_1732400000000123":      {4711, 1732400000000123, 4711},
		"s4711_1732400000000123_4700": {4711, 1732400000000123, 4700},
		"s0_0":                        {},
	} {
		got, err := parseToken(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s is %+v %v, written %s", text, got, err, got)
		}
	}
	for _, text := range []string{"", "s", "4711_1", "s4711", "s4711_", "s_1", "s1_2_", "s1_2_3", "s1_2_0_0", "s+1_2", "s1_-2", "s 1_2", "s18446744073709551616_0", "t1_2"} {
		if _, err := parseToken(text); err == nil {
			t.Errorf("%q is a token", text)
		} else if m := (*matrix.Error)(nil); !errors.As(err, &m) || m.Code != matrix.MInvalidParam {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzToken(f *testing.F) {
	for _, s := range []string{"s4711_1732400000000123_4700", "s1_2", "s01_2", "s1_2_1", "t5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseToken(s)
		if err != nil {
			return
		}
		if a.device > a.pos {
			t.Errorf("%q acknowledges what is ahead of it", s)
		}
		if b, err := parseToken(a.String()); err != nil || b != a {
			t.Errorf("%q is %+v, and again %+v %v", s, a, b, err)
		}
	})
}
