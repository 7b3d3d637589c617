package matrix

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a canonical JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x80 && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= 0x80 {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		dst = appendEscaped(append(dst, s[start:i]...), c)
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendEscaped appends the canonical escape of '"', '\' or a control character.
func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\t':
		return append(dst, '\\', 't')
	case '\n':
		return append(dst, '\\', 'n')
	case '\f':
		return append(dst, '\\', 'f')
	case '\r':
		return append(dst, '\\', 'r')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// String decodes a JSON string; false if raw is none. Half a surrogate pair becomes U+FFFD.
func String(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	return unescapeString(raw[1 : len(raw)-1]), true
}

// AppendUnescaped appends what the JSON string raw, quotes included, stands for; nothing if raw is no string.
func AppendUnescaped(dst, raw []byte) []byte {
	if len(raw) < 2 || raw[0] != '"' {
		return dst
	}
	return unescape(dst, raw[1:len(raw)-1])
}

// unescapeString decodes the inside of a JSON string.
func unescapeString(in []byte) string {
	if bytes.IndexByte(in, '\\') < 0 {
		return string(in)
	}
	return string(unescape(make([]byte, 0, len(in)), in))
}

func unescape(dst, in []byte) []byte {
	for i := 0; i < len(in); {
		n := bytes.IndexByte(in[i:], '\\')
		if n < 0 || i+n+1 >= len(in) {
			return append(dst, in[i:]...)
		}
		dst = append(dst, in[i:i+n]...)
		r, next := escaped(in, i+n)
		dst = utf8.AppendRune(dst, r)
		i = next
	}
	return dst
}

// escaped decodes the escape at b[i], a backslash that is not the last byte, and returns the index after it.
// Half a surrogate pair, and what is no escape, gives U+FFFD.
func escaped(b []byte, i int) (r rune, next int) {
	switch c := b[i+1]; c {
	case 'b':
		return '\b', i + 2
	case 't':
		return '\t', i + 2
	case 'n':
		return '\n', i + 2
	case 'f':
		return '\f', i + 2
	case 'r':
		return '\r', i + 2
	case '"', '\\', '/':
		return rune(c), i + 2
	case 'u':
	default:
		return utf8.RuneError, i + 2
	}
	r, ok := hex4(b, i+2)
	if !ok {
		return utf8.RuneError, i + 2
	}
	if !utf16.IsSurrogate(r) {
		return r, i + 6
	}
	if i+7 < len(b) && b[i+6] == '\\' && b[i+7] == 'u' {
		if low, ok := hex4(b, i+8); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, i + 12
			}
		}
	}
	return utf8.RuneError, i + 6
}

// hex4 reads the four hexadecimal digits at b[i].
func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case isDigit(c):
			c -= '0'
		case isHex(c):
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// keyEquals compares the inside of a JSON string with a name.
func keyEquals(key []byte, name string) bool {
	if string(key) == name {
		return true
	}
	if len(key) <= len(name) || bytes.IndexByte(key, '\\') < 0 {
		return false
	}
	return string(unescape(nil, key)) == name
}
