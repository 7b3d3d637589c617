package settings

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size in bytes, written "512", "64KiB", "16MiB", "2GiB" or "1TiB".
type Bytes int64

// units are the binary multiples that Bytes is written in, largest first.
func units() []string { return []string{"TiB", "GiB", "MiB", "KiB"} }

// String writes b with the largest unit that divides it.
func (b Bytes) String() string {
	shift := 40
	for _, unit := range units() {
		if b != 0 && b%(1<<shift) == 0 {
			return strconv.FormatInt(int64(b>>shift), 10) + unit
		}
		shift -= 10
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText writes b as String does.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads what String writes; a space before the unit is allowed.
func (b *Bytes) UnmarshalText(text []byte) error {
	digits, shift := string(text), 0
	for i, unit := range units() {
		if rest, ok := strings.CutSuffix(digits, unit); ok {
			digits, shift = strings.TrimRight(rest, " "), 40-10*i
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > math.MaxInt64>>shift {
		return fmt.Errorf(`%q is not a size such as "64MiB"`, text)
	}
	*b = Bytes(n << shift)
	return nil
}
