package event

import (
	"math"
	"strconv"
	"strings"

	"hearth/matrix"
)

// readNumber reads a power level as a room version allows it to be written. What does not fit becomes the
// greatest or least int64.
func readNumber(format matrix.PowerLevelFormat, raw []byte) (int64, bool) {
	if len(raw) == 0 {
		return 0, false
	}
	if n, ok := matrix.Int(raw); ok {
		return n, true
	}
	switch {
	case raw[0] == '"' && format != matrix.PowerLevelIntegers:
		text, _ := matrix.String(raw)
		return readIntegerText(text)
	case raw[0] != '-' && (raw[0] < '0' || raw[0] > '9'):
		return 0, false
	case format == matrix.PowerLevelFloats:
		return readFloat(string(raw))
	}
	return 0, false
}

// readIntegerText reads an integer in a string: white space, a sign, digits.
// spec: rooms/v1#mroompower_levels-events-accept-values-as-strings
func readIntegerText(text string) (int64, bool) {
	text = strings.TrimSpace(text)
	digits := text
	if digits != "" && (digits[0] == '+' || digits[0] == '-') {
		digits = digits[1:]
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, _ := strconv.ParseInt(text, 10, 64) // the error can only be that it does not fit, and n is the nearest that does
	return n, true
}

// readFloat cuts a JSON number at the point, its exponent applied first.
// spec: rooms/v1#mroompower_levels-events-accept-values-as-floats
func readFloat(text string) (int64, bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false // beyond binary64
	}
	switch f = math.Trunc(f); {
	case f >= math.MaxInt64:
		return math.MaxInt64, true
	case f <= math.MinInt64:
		return math.MinInt64, true
	}
	return int64(f), true
}
