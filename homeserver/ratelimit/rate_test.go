package ratelimit_test

import (
	"testing"
	"time"

	"hearth/homeserver/ratelimit"
)

func TestRate(t *testing.T) {
	for _, c := range []struct {
		text, again string
		want        ratelimit.Rate
	}{
		{"10/s burst 100", "10/s burst 100", ratelimit.Rate{Every: time.Second / 10, Burst: 100}},
		{" 1/m ", "1/m burst 1", ratelimit.Rate{Every: time.Minute, Burst: 1}},
		{"90/m burst 2", "90/m burst 2", ratelimit.Rate{Every: time.Minute / 90, Burst: 2}},
		{"60/m burst 2", "1/s burst 2", ratelimit.Rate{Every: time.Second, Burst: 2}},
		{"7/h burst 2", "7/h burst 2", ratelimit.Rate{Every: time.Hour / 7, Burst: 2}},
		{"off", "off", ratelimit.Rate{}},
	} {
		var got ratelimit.Rate
		if err := got.UnmarshalText([]byte(c.text)); err != nil || got != c.want {
			t.Errorf("%q is %+v, %v", c.text, got, err)
		}
		if got.String() != c.again {
			t.Errorf("%q is written as %q, want %q", c.text, got, c.again)
		}
	}
	for _, text := range []string{"", "10", "10/", "0/s", "-1/s", "1/d", "1/s burst", "1/s burst 0", "1/s burst x", "1/s at 3", "1/s burst 3 4", "100001/s", "1/s burst 100001", "on"} {
		var got ratelimit.Rate
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func FuzzRate(f *testing.F) {
	for _, text := range []string{"10/s burst 100", "off", "99999/h burst 7", "1/x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var r, again ratelimit.Rate
		if r.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(r.String())); err != nil || again != r {
			t.Errorf("%q is %+v, written as %q, which is %+v, %v", text, r, r, again, err)
		}
		now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		l := ratelimit.New(r, 1, func() time.Time { return now })
		if wait := l.Take(l.Key("a"), r.Burst); wait != 0 {
			t.Errorf("a full bucket of %s makes wait %v", r, wait)
		}
		if wait := l.Take(l.Key("a"), r.Burst); wait < 0 || r.Burst > 0 && wait != time.Duration(r.Burst)*r.Every {
			t.Errorf("an empty bucket of %s makes wait %v", r, wait)
		}
	})
}
