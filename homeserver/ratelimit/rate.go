package ratelimit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is how often something may be done: Burst times at once, and once more after every interval. The zero Rate
// has no limit. As text it is
//
//	10/s burst 100     ten times a second, a hundred times at once
//	1/m                once a minute, once at once
//	off                as often as anybody likes
//
// with s, m or h for the second, the minute or the hour.
type Rate struct {
	Every time.Duration
	Burst int
}

const (
	off      = "off"
	maxCount = 100_000 // so that no sum of intervals exceeds 63 bits
)

// MarshalText writes what UnmarshalText reads, in the largest unit that says it exactly.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String is the rate as text.
func (r Rate) String() string {
	if r == (Rate{}) {
		return off
	}
	text := fmt.Sprintf("%d/h", time.Hour/r.Every)
	for _, u := range []string{"s", "m"} {
		if n := unit(u) / r.Every; n > 0 && unit(u)/n == r.Every {
			text = fmt.Sprintf("%d/%s", n, u)
			break
		}
	}
	return fmt.Sprintf("%s burst %d", text, r.Burst)
}

// UnmarshalText reads a rate.
func (r *Rate) UnmarshalText(text []byte) error {
	fields := strings.Fields(string(text))
	if len(fields) == 1 && fields[0] == off {
		*r = Rate{}
		return nil
	}
	var out Rate
	ok := len(fields) == 1 || len(fields) == 3 && fields[1] == "burst"
	if ok {
		count, per, _ := strings.Cut(fields[0], "/")
		n, err := strconv.Atoi(count)
		if ok = err == nil && n > 0 && n <= maxCount && unit(per) > 0; ok {
			out = Rate{Every: unit(per) / time.Duration(n), Burst: 1}
		}
	}
	if ok && len(fields) == 3 {
		var err error
		out.Burst, err = strconv.Atoi(fields[2])
		ok = err == nil && out.Burst > 0 && out.Burst <= maxCount
	}
	if !ok {
		return fmt.Errorf("%q is not a rate such as \"10/s burst 100\", \"1/m\" or \"off\"", text)
	}
	*r = out
	return nil
}

// unit is how long a second, a minute or an hour is, 0 for anything else.
func unit(name string) time.Duration {
	switch name {
	case "s":
		return time.Second
	case "m":
		return time.Minute
	case "h":
		return time.Hour
	}
	return 0
}
