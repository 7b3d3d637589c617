package primary

import (
	"fmt"
	"strconv"
	"time"
)

// SerialPolicy says what a zone's next serial number is.
type SerialPolicy uint8

// The policies. Whatever one would choose, the next number is greater than the last (RFC 1982).
const (
	Increment SerialPolicy = iota // the next number
	UnixTime                      // seconds since 1970
	Date                          // YYYYMMDDnn, in UTC
)

// ParseSerialPolicy reads "increment", "unixtime" or "date".
func ParseSerialPolicy(text string) (SerialPolicy, error) {
	switch text {
	case "increment":
		return Increment, nil
	case "unixtime":
		return UnixTime, nil
	case "date":
		return Date, nil
	}
	return 0, fmt.Errorf("%q is no policy for serial numbers: it is increment, unixtime or date", text)
}

// Next returns the serial number that follows old.
func (p SerialPolicy) Next(old uint32, now time.Time) uint32 {
	want := old
	switch p {
	case UnixTime:
		want = uint32(now.Unix())
	case Date:
		if day, err := strconv.ParseUint(now.UTC().Format("20060102"), 10, 32); err == nil {
			want = uint32(day * 100)
		}
	}
	if SerialLess(old, want) {
		return want
	}
	if old++; old == 0 { // some secondaries take 0 for no serial at all
		old = 1
	}
	return old
}

// SerialLess reports whether a comes before b in the arithmetic of RFC 1982 §3.2. Of two that are 2^31 apart neither
// does.
func SerialLess(a, b uint32) bool { return a != b && b-a < 1<<31 }
