package matrix

import (
	"bytes"
	"slices"
)

// numbers is how numbers that are not canonical integers are treated.
type numbers int

const (
	numbersByValue numbers = iota // rewritten if they stand for a canonical integer
	numbersStrict                 // refused
	numbersLoose                  // kept as written
)

// number reads a number and writes it in the form that c.numbers asks for.
func (c *canonicaliser) number() error {
	start := c.pos
	n, integer := scanNumber(c.src[start:])
	if n == 0 {
		return c.syntax("no number")
	}
	text := c.src[start : start+n]
	negativeZero := integer && string(text) == "-0"
	switch {
	case c.numbers == numbersLoose && !negativeZero, integer && !negativeZero && fits(text):
		c.keep(n)
		return nil
	case c.numbers == numbersStrict || integer && !negativeZero:
		return c.fail(MBadJSON, "not an integer of at most 53 bits")
	}
	value, ok := integerValue(text)
	if !ok {
		return c.fail(MBadJSON, "not an integer of at most 53 bits")
	}
	c.diverge()
	c.out = append(c.out, value...)
	c.pos += n
	return nil
}

// scanNumber returns the length of the JSON number that b starts with, 0 if it is none, and whether it is written
// without fraction and exponent.
func scanNumber(b []byte) (n int, integer bool) {
	i := 0
	if b[0] == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(b) && isDigit(b[i]) {
			i++
		}
		return i > from
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0, false
	}
	integer = true
	if i < len(b) && b[i] == '.' {
		i++
		integer = false
		if !digits() {
			return 0, false
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		integer = false
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0, false
		}
	}
	return i, integer
}

// fits reports whether an integer is one of canonical JSON.
func fits(text []byte) bool {
	if text[0] == '-' {
		text = text[1:]
	}
	const greatest = "9007199254740991"
	return len(text) < len(greatest) || len(text) == len(greatest) && string(text) <= greatest
}

// integerValue returns the canonical form of a number in any form, if it stands for a canonical integer.
func integerValue(text []byte) ([]byte, bool) {
	text, negative := bytes.CutPrefix(text, []byte("-"))
	mantissa, exponent := text, 0
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], cappedInt(text[i+1:])
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := bytes.TrimLeft(slices.Concat(whole, fraction), "0")
	significant := bytes.TrimRight(digits, "0")
	if len(significant) == 0 {
		return []byte("0"), true
	}
	zeros := exponent - len(fraction) + len(digits) - len(significant)
	if zeros < 0 || len(significant)+zeros > 16 {
		return nil, false
	}
	value := append(significant, bytes.Repeat([]byte("0"), zeros)...)
	if !fits(value) {
		return nil, false
	}
	if negative {
		value = append([]byte("-"), value...)
	}
	return value, true
}

// cappedInt reads the digits of an exponent; far beyond the length of any text it stops counting.
func cappedInt(text []byte) int {
	n, negative := 0, text[0] == '-'
	for _, b := range bytes.TrimLeft(text, "+-") {
		n = min(n*10+int(b-'0'), 4*MaxJSON)
	}
	if negative {
		return -n
	}
	return n
}
