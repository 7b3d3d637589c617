package fat32

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// shortName is a name as a directory entry has it: 8 characters and 3.
type shortName [11]byte

// exactShort returns the short name that is the same as name, if there is one.
func exactShort(name string) (short shortName, ok bool) {
	base, extension, dotted := strings.Cut(name, ".")
	if base == "" || len(base) > 8 || len(extension) > 3 || dotted && extension == "" {
		return short, false
	}
	for _, c := range []byte(base + extension) {
		if !allowedShort(c) {
			return short, false
		}
	}
	return pad(base, extension), true
}

func allowedShort(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c != 0 && strings.IndexByte("$%'-_@~`!(){}^#&", c) >= 0
}

func pad(base, extension string) (short shortName) {
	copy(short[:], fmt.Sprintf("%-8s%-3s", base, extension))
	return short
}

// alias returns a short name for a long one that none of the taken is: FILENA~1.TXT, FILENA~2.TXT, and so on; or
// FILENAME.TXT if only the case differs.
func alias(name string, taken map[shortName]bool) shortName {
	if short, ok := exactShort(strings.ToUpper(name)); ok && !taken[short] {
		return short
	}
	base, extension := name, ""
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		base, extension = name[:i], name[i+1:]
	}
	base, extension = squeeze(base, 8), squeeze(extension, 3)
	for n := 1; ; n++ {
		tail := fmt.Sprintf("~%d", n)
		short := pad(base[:min(len(base), 8-len(tail))]+tail, extension)
		if !taken[short] {
			return short
		}
	}
}

// squeeze makes the beginning of name a part of a short one.
func squeeze(name string, limit int) string {
	var out []byte
	for _, r := range strings.ToUpper(name) {
		switch {
		case len(out) == limit:
			return string(out)
		case r == ' ' || r == '.':
		case r < 0x80 && allowedShort(byte(r)):
			out = append(out, byte(r))
		default:
			out = append(out, '_')
		}
	}
	return string(out)
}

func (s shortName) sum() (sum byte) {
	for _, c := range s {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

// String returns the name as people write it.
func (s shortName) String() string {
	base, extension := strings.TrimRight(string(s[:8]), " "), strings.TrimRight(string(s[8:]), " ")
	if extension == "" {
		return base
	}
	return base + "." + extension
}

// checkName returns an error if a file cannot have the name.
func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%q is not a name", name)
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || strings.HasPrefix(name, " "):
		return fmt.Errorf("the name %q begins or ends with what is dropped", name)
	case strings.ContainsAny(name, "\"*/:<>?\\|\x7f") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0xfffd || r == 0xffff }):
		return fmt.Errorf("the name %q has a forbidden character", name)
	case len(utf16.Encode([]rune(name))) > 255:
		return fmt.Errorf("the name %q is longer than 255", name)
	}
	return nil
}

// folded is the same for names that differ only in case, which a directory may not hold both.
func folded(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// The places of a long name's characters in an entry, in bytes.
var partOffsets = [13]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}

// longEntries returns the entries of a long name, which come before that of the short one.
func longEntries(name string, short shortName) []byte {
	units := utf16.Encode([]rune(name))
	count := (len(units) + len(partOffsets) - 1) / len(partOffsets)
	if len(units)%len(partOffsets) != 0 {
		units = append(units, 0)
	}
	for len(units) < count*len(partOffsets) {
		units = append(units, 0xffff)
	}
	out := make([]byte, count*entrySize)
	for i := range count {
		e, part := out[(count-1-i)*entrySize:], units[i*len(partOffsets):]
		e[0], e[11], e[13] = byte(i+1), attrLongName, short.sum()
		for j, at := range partOffsets {
			le.PutUint16(e[at:], part[j])
		}
	}
	out[0] |= 0x40
	return out
}
