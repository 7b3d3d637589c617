package primary

import (
	"testing"
	"time"
)

// TestSerialNumbers is RFC 1982 §5.2's examples, with 32 bits.
func TestSerialNumbers(t *testing.T) {
	const half = 1 << 31
	for _, c := range []struct {
		a, b uint32
		less bool
	}{
		{0, 1, true}, {0, 44, true}, {0, 100, true}, {44, 100, true}, {100, 200, true},
		{200 << 24, 255 << 24, true}, {255 << 24, 0, true}, {255 << 24, 100 << 24, true}, {200 << 24, 0, true}, {200 << 24, 44 << 24, true},
		{1, 1, false}, {1, 0, false}, {0, half, false}, {half, 0, false}, {0, half - 1, true}, {half - 1, 0, false}, {1<<32 - 1, 0, true},
	} {
		if SerialLess(c.a, c.b) != c.less {
			t.Errorf("%d before %d: want %v", c.a, c.b, c.less)
		}
	}
}

func TestSerialPolicies(t *testing.T) {
	at := time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("", -3600)) // the 2nd in UTC
	for _, c := range []struct {
		policy    string
		old, want uint32
	}{
		{"increment", 7, 8}, {"increment", 1<<32 - 1, 1},
		{"unixtime", 7, uint32(at.Unix())}, {"unixtime", uint32(at.Unix()), uint32(at.Unix()) + 1}, {"unixtime", 2026030199, 2026030200},
		{"date", 7, 2026030200}, {"date", 2026030199, 2026030200}, {"date", 2026030200, 2026030201}, {"date", 2026030299, 2026030300},
		{"date", 2027010100, 2027010101}, {"date", 4294967295, 2026030200},
	} {
		p, err := ParseSerialPolicy(c.policy)
		if got := p.Next(c.old, at); err != nil || got != c.want {
			t.Errorf("%s after %d: %d, want %d, %v", c.policy, c.old, got, c.want, err)
		}
	}
	if _, err := ParseSerialPolicy("random"); err == nil {
		t.Error("an unknown policy is taken")
	}
}
