package matrix

import (
	"encoding/binary"
	"math/bits"
	"strconv"
)

// The functions of this file read valid JSON in one forward scan. They stop at the end of the text whatever it
// holds, so that text which is not valid leads to wrong answers at worst.

// Eight bytes are looked at in one word. Of a word w, (w-eachByte*n)&^w&highBits has the high bit of the first byte
// that is less than n set, and none below it; it is 0 if there is no such byte.
const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// plain returns the index of the first byte at or after i that a JSON string cannot hold as it stands or that
// is not ASCII: '"', '\', a control character, or a byte of 0x80 and more; len(b) if there is none.
func plain(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote := w ^ eachByte*'"'
		slash := w ^ eachByte*'\\'
		special := (w-eachByte*0x20)&^w | (quote-eachByte)&^quote | (slash-eachByte)&^slash | w
		if special &= highBits; special != 0 {
			return i + bits.TrailingZeros64(special)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < 0x20 || c >= 0x80 || c == '"' || c == '\\' {
			return i
		}
	}
	return i
}

// skipString returns the index after the string that starts at b[i].
func skipString(b []byte, i int) int {
	i++
	for i < len(b) {
		if i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			quote := w ^ eachByte*'"'
			slash := w ^ eachByte*'\\'
			special := ((quote-eachByte)&^quote | (slash-eachByte)&^slash) & highBits
			if special == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(special) / 8
		}
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
		i++
	}
	return len(b)
}

// skipSpace returns the index of the first byte at or after i that is not white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipValue returns the index after the value that starts at b[i], which is no white space.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	switch b[i] {
	case '"':
		return min(skipString(b, i), len(b))
	case '{', '[':
		return min(skipNested(b, i), len(b))
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ':', ' ', '\n', '\r', '\t', '"', '{', '[':
			return i
		}
		i++
	}
	return i
}

// skipNested returns the index after the object or array that starts at b[i].
func skipNested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return i
}

// Member steps through the members of an object. Given 0 it returns the first, given what it returned the next;
// ok is false after the last. The key is as written, without its quotes and with its escapes.
//
//	for key, raw, next, ok := matrix.Member(obj, 0); ok; key, raw, next, ok = matrix.Member(obj, next) {
func Member(obj []byte, pos int) (key, raw []byte, next int, ok bool) {
	i := pos
	if pos == 0 {
		if i = skipSpace(obj, 0); i >= len(obj) || obj[i] != '{' {
			return nil, nil, 0, false
		}
		i = skipSpace(obj, i+1)
	}
	if i >= len(obj) || obj[i] != '"' {
		return nil, nil, 0, false
	}
	end := min(skipString(obj, i), len(obj))
	if end < i+2 {
		return nil, nil, 0, false
	}
	key = obj[i+1 : end-1]
	i = skipSpace(obj, end)
	if i >= len(obj) || obj[i] != ':' {
		return nil, nil, 0, false
	}
	i = skipSpace(obj, i+1)
	end = skipValue(obj, i)
	if end == i {
		return nil, nil, 0, false
	}
	return key, obj[i:end:end], skipComma(obj, end), true
}

// skipComma returns the index of what follows the value that ended before i: the next one, or the end of the text.
func skipComma(b []byte, i int) int {
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != ',' {
		return len(b)
	}
	return skipSpace(b, i+1)
}

// Element steps through the elements of an array as Member does through an object.
func Element(arr []byte, pos int) (raw []byte, next int, ok bool) {
	i := pos
	if pos == 0 {
		if i = skipSpace(arr, 0); i >= len(arr) || arr[i] != '[' {
			return nil, 0, false
		}
		i = skipSpace(arr, i+1)
	}
	end := skipValue(arr, i)
	if end <= i {
		return nil, 0, false
	}
	return arr[i:end:end], skipComma(arr, end), true
}

// Field returns the value at a path of member names, as it stands in obj; false if there is none. Of two equal
// keys, which valid JSON can hold and canonical JSON cannot, the first counts.
func Field(obj []byte, path ...string) (raw []byte, ok bool) {
	for _, name := range path {
		if obj, ok = field(obj, name); !ok {
			return nil, false
		}
	}
	return obj, true
}

func field(obj []byte, name string) ([]byte, bool) {
	for key, raw, next, ok := Member(obj, 0); ok; key, raw, next, ok = Member(obj, next) {
		if keyEquals(key, name) {
			return raw, true
		}
	}
	return nil, false
}

// StringField returns the string at a path, unescaped; false if there is none or it is no string.
func StringField(obj []byte, path ...string) (string, bool) {
	raw, ok := Field(obj, path...)
	if !ok {
		return "", false
	}
	return String(raw)
}

// IntField returns the integer at a path; false if there is none, or it is no integer that fits and is written as one.
func IntField(obj []byte, path ...string) (int64, bool) {
	raw, ok := Field(obj, path...)
	if !ok {
		return 0, false
	}
	return Int(raw)
}

// BoolField returns the boolean at a path; ok is false if there is none or it is no boolean.
func BoolField(obj []byte, path ...string) (value, ok bool) {
	raw, ok := Field(obj, path...)
	if !ok {
		return false, false
	}
	value = string(raw) == "true"
	return value, value || string(raw) == "false"
}

// Int reads a JSON number that is written as an integer and fits.
func Int(raw []byte) (int64, bool) {
	if len(raw) == 0 || raw[0] != '-' && !isDigit(raw[0]) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil
}

// IsObject reports whether a JSON value is an object.
func IsObject(raw []byte) bool { return startsWith(raw, '{') }

// IsArray reports whether a JSON value is an array.
func IsArray(raw []byte) bool { return startsWith(raw, '[') }

// IsString reports whether a JSON value is a string.
func IsString(raw []byte) bool { return startsWith(raw, '"') }

func startsWith(raw []byte, c byte) bool {
	i := skipSpace(raw, 0)
	return i < len(raw) && raw[i] == c
}

// EachField calls do with every member of an object, in the order of the text, until it returns false. The key is
// unescaped. Member does the same without allocating the keys.
func EachField(obj []byte, do func(key string, raw []byte) bool) {
	for key, raw, next, ok := Member(obj, 0); ok; key, raw, next, ok = Member(obj, next) {
		if !do(unescapeString(key), raw) {
			return
		}
	}
}

// EachElement calls do with every element of an array until it returns false.
func EachElement(arr []byte, do func(raw []byte) bool) {
	for raw, next, ok := Element(arr, 0); ok; raw, next, ok = Element(arr, next) {
		if !do(raw) {
			return
		}
	}
}
