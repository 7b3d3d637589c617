package zone

import (
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// Name is a domain name in uncompressed wire form and lower case.
type Name string

// Root is the name of the root zone.
const Root Name = "\x00"

// Limits of RFC 1035 §2.3.4, in octets, and of a key: every octet of a name may need two.
const (
	MaxName  = 255
	maxLabel = 63
	keySize  = 2 * MaxName
)

// ParseName reads a name as people write it, with or without its last dot.
func ParseName(text string) (Name, error) {
	var wire [MaxName + 1]byte
	if text == "" {
		return "", errors.New("a name must not be empty")
	}
	n, err := dns.PackDomainName(dns.Fqdn(text), wire[:], 0, nil, false)
	if err != nil || n > MaxName {
		return "", fmt.Errorf("%q is not a domain name: labels have 1 to 63 characters, the whole name at most 253", clip(text))
	}
	return NameOf(wire[:n])
}

// clip keeps an error's text from being as long as what a stranger wrote.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// NameOf returns the name that wire is, in any case, uncompressed and with nothing behind it.
func NameOf(wire []byte) (Name, error) {
	n := nameLength(wire)
	if n == 0 || n != len(wire) {
		return "", errors.New("not a domain name in wire form")
	}
	var lower [MaxName]byte
	copy(lower[:], wire)
	Lower(lower[:n])
	return Name(lower[:n]), nil
}

// nameLength returns the length of the uncompressed name at the beginning of wire, 0 if there is none.
func nameLength[T string | []byte](wire T) int {
	for at := 0; at < len(wire) && at < MaxName; {
		length := int(wire[at])
		if length == 0 {
			return at + 1
		}
		if length > maxLabel {
			return 0
		}
		at += 1 + length
	}
	return 0
}

// Lower puts a name in wire form into lower case. A label's length is never a letter, so all bytes are treated alike.
func Lower(wire []byte) {
	for i, c := range wire {
		if 'A' <= c && c <= 'Z' {
			wire[i] = c | 0x20
		}
	}
}

// String writes the name as people do, with a dot at its end.
func (n Name) String() string {
	text, _, err := dns.UnpackDomainName([]byte(n), 0)
	if err != nil {
		return fmt.Sprintf("%q", string(n))
	}
	return text
}

// Labels returns how many labels the name has; the root's own does not count.
func (n Name) Labels() (count int) {
	for at := 0; at < len(n) && n[at] != 0; at += 1 + int(n[at]) {
		count++
	}
	return count
}

// Up returns the name without its first labels.
func (n Name) Up(labels int) Name {
	at := 0
	for ; labels > 0 && at < len(n) && n[at] != 0; labels-- {
		at += 1 + int(n[at])
	}
	return n[at:]
}

// Under reports whether the name is ancestor or lies below it.
func (n Name) Under(ancestor Name) bool {
	over := len(n) - len(ancestor)
	if over < 0 || n[over:] != ancestor {
		return false
	}
	at := 0
	for at < over {
		at += 1 + int(n[at])
	}
	return at == over
}

// IsWildcard reports whether the first label is an asterisk (RFC 4592 §2.1.1).
func (n Name) IsWildcard() bool { return strings.HasPrefix(string(n), "\x01*") }

// Wildcard returns *.n, "" if that would be too long.
func (n Name) Wildcard() Name {
	if len(n)+2 > MaxName {
		return ""
	}
	return "\x01*" + n
}

// appendKey appends the key of a name that lies under origin.
func appendKey(dst []byte, n, origin Name) []byte {
	var starts [MaxName / 2]uint8
	count := 0
	for at := 0; at < len(n)-len(origin); at += 1 + int(n[at]) {
		starts[count] = uint8(at)
		count++
	}
	for count > 0 {
		count--
		at := int(starts[count])
		label := n[at+1 : at+1+int(n[at])]
		for i := range len(label) {
			if c := label[i]; c > 1 {
				dst = append(dst, c)
			} else {
				dst = append(dst, 1, c+1)
			}
		}
		dst = append(dst, 0)
	}
	return dst
}

// nameOfKey returns the name that has a key, "" if none can have it.
func nameOfKey(key string, origin Name) Name {
	var wire [keySize + MaxName]byte
	at := len(wire) - copy(wire[len(wire)-len(origin):], origin)
	for key != "" {
		label, rest, ended := strings.Cut(key, "\x00")
		plain := unescape(label)
		if !ended || plain == "" || len(plain) > maxLabel || len(wire)-at+1+len(plain) > MaxName {
			return ""
		}
		at -= copy(wire[at-len(plain):], plain)
		at--
		wire[at] = byte(len(plain))
		key = rest
	}
	return Name(wire[at:])
}

// unescape undoes what appendKey does to a label's bytes; "" if it did not.
func unescape(label string) string {
	if strings.IndexByte(label, 1) < 0 {
		return label
	}
	plain := make([]byte, 0, len(label))
	for i := 0; i < len(label); i++ {
		c := label[i]
		if c == 1 {
			if i++; i == len(label) || label[i] != 1 && label[i] != 2 {
				return ""
			}
			c = label[i] - 1
		}
		plain = append(plain, c)
	}
	return string(plain)
}

// shared returns the length of the longest key that is a or above it, and b or above it.
func shared(a []byte, b string) (length int) {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			break
		}
		if a[i] == 0 {
			length = i + 1
		}
	}
	return length
}

// depth returns how many labels a key has.
func depth(key []byte) (labels int) {
	for _, c := range key {
		if c == 0 {
			labels++
		}
	}
	return labels
}
