package matrix

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of all JSON that is read.
const (
	MaxJSON  = 16 << 20  // bytes of one text
	MaxDepth = 128       // objects and arrays within each other
	MaxInt   = 1<<53 - 1 // the greatest integer of canonical JSON; the least is -MaxInt
)

// JSONError says why a JSON text is refused, and where. errors.As turns it into an *Error too.
type JSONError struct {
	Code   string // M_NOT_JSON; M_BAD_JSON if it is JSON and cannot be canonical; M_TOO_LARGE
	Offset int    // bytes before the fault
	Reason string
}

func (e *JSONError) Error() string {
	return fmt.Sprintf("reading JSON at byte %d: %s", e.Offset, e.Reason)
}

// As lets errors.As find the *Error that answers a request with such a body.
func (e *JSONError) As(target any) bool {
	t, ok := target.(**Error)
	if ok {
		*t = &Error{Code: e.Code, Message: e.Error(), Status: 400}
		if e.Code == MTooLarge {
			(*t).Status = 413
		}
	}
	return ok
}

// Canonical returns src in canonical form. Numbers written in another way are rewritten if they are integers
// of at most 53 bits, and errors otherwise. If src is canonical already it is returned itself.
// Errors are of type *JSONError.
// spec: appendices#canonical-json
func Canonical(src []byte) ([]byte, error) { return canonical(src, numbersByValue) }

// CanonicalLoose is Canonical for JSON that may hold other numbers: they are kept as they are written.
// Only -0 becomes 0.
func CanonicalLoose(src []byte) ([]byte, error) { return canonical(src, numbersLoose) }

// canonicaliser rewrites src in one pass. While the output is the same as the input read so far there is no
// output: copying is false, and positions in the output are positions in src. From the first difference on,
// the output is in out.
type canonicaliser struct {
	src     []byte
	pos     int // what of src has been read
	out     []byte
	copying bool
	numbers numbers
	depth   int
	members spans  // of all objects that are open, innermost last
	spare   []byte // for sort
}

// span is a member of an object in the output: "key" is from key up to colon, the whole member up to end.
type span struct {
	key, colon, end int32
	escaped         bool // the key has a backslash in it
}

// spans is a stack that needs no allocation while it is short.
type spans struct {
	n    int
	few  [24]span
	more []span
}

func (s *spans) push(m span) {
	if s.n < len(s.few) {
		s.few[s.n] = m
	} else {
		s.more = append(s.more[:s.n-len(s.few)], m)
	}
	s.n++
}

func (s *spans) at(i int) span {
	if i < len(s.few) {
		return s.few[i]
	}
	return s.more[i-len(s.few)]
}

func canonical(src []byte, n numbers) ([]byte, error) {
	if len(src) > MaxJSON {
		return nil, &JSONError{MTooLarge, MaxJSON, "longer than 16 MiB"}
	}
	c := canonicaliser{src: src, numbers: n}
	c.space()
	if err := c.value(); err != nil {
		return nil, err
	}
	c.space()
	if c.pos < len(src) {
		return nil, c.syntax("text after the value")
	}
	if c.copying {
		return c.out, nil
	}
	return src, nil
}

func (c *canonicaliser) fail(code, reason string) error { return &JSONError{code, c.pos, reason} }

func (c *canonicaliser) syntax(reason string) error { return c.fail(MNotJSON, reason) }

// mark returns the length of the output so far.
func (c *canonicaliser) mark() int {
	if c.copying {
		return len(c.out)
	}
	return c.pos
}

// text returns the output so far.
func (c *canonicaliser) text() []byte {
	if c.copying {
		return c.out
	}
	return c.src[:c.pos]
}

// diverge starts copying, with what has been read so far.
func (c *canonicaliser) diverge() {
	if !c.copying {
		c.out = append(make([]byte, 0, len(c.src)), c.src[:c.pos]...)
		c.copying = true
	}
}

// keep reads n bytes and writes them as they are.
func (c *canonicaliser) keep(n int) {
	if c.copying {
		c.out = append(c.out, c.src[c.pos:c.pos+n]...)
	}
	c.pos += n
}

// space skips white space.
func (c *canonicaliser) space() {
	if c.pos < len(c.src) && c.src[c.pos] > ' ' {
		return
	}
	if next := skipSpace(c.src, c.pos); next > c.pos {
		c.diverge()
		c.pos = next
	}
}

// peek returns the next byte, 0 at the end of the text.
func (c *canonicaliser) peek() byte {
	if c.pos < len(c.src) {
		return c.src[c.pos]
	}
	return 0
}

func (c *canonicaliser) value() error {
	switch b := c.peek(); b {
	case '"':
		_, err := c.string()
		return err
	case '{':
		return c.object()
	case '[':
		return c.array()
	case 't':
		return c.literal("true")
	case 'f':
		return c.literal("false")
	case 'n':
		return c.literal("null")
	default:
		if b == '-' || isDigit(b) {
			return c.number()
		}
		return c.syntax("no value")
	}
}

func (c *canonicaliser) literal(s string) error {
	if !bytes.HasPrefix(c.src[c.pos:], []byte(s)) {
		return c.syntax("no value")
	}
	c.keep(len(s))
	return nil
}

// open reads the brace or bracket before the first member or element.
func (c *canonicaliser) open() error {
	if c.depth++; c.depth > MaxDepth {
		return c.fail(MBadJSON, "nested more than 128 deep")
	}
	c.keep(1)
	c.space()
	return nil
}

// close reads the brace or bracket after the last one.
func (c *canonicaliser) close() {
	c.depth--
	c.keep(1)
}

func (c *canonicaliser) array() error {
	if err := c.open(); err != nil {
		return err
	}
	if c.peek() == ']' {
		c.close()
		return nil
	}
	for {
		if err := c.value(); err != nil {
			return err
		}
		c.space()
		switch c.peek() {
		case ',':
			c.keep(1)
			c.space()
		case ']':
			c.close()
			return nil
		default:
			return c.syntax("no comma or bracket after an element")
		}
	}
}

func (c *canonicaliser) object() error {
	if err := c.open(); err != nil {
		return err
	}
	if c.peek() == '}' {
		c.close()
		return nil
	}
	first, start, sorted := c.members.n, c.mark(), true
	for {
		m, err := c.member()
		if err != nil {
			return err
		}
		if c.members.n > first && sorted {
			order := c.compare(c.members.at(c.members.n-1), m)
			if order == 0 {
				return c.fail(MBadJSON, "two equal keys in an object")
			}
			sorted = order < 0
		}
		c.members.push(m)
		c.space()
		switch c.peek() {
		case ',':
			c.keep(1)
			c.space()
			continue
		case '}':
		default:
			return c.syntax("no comma or brace after a member")
		}
		if !sorted {
			if err := c.sort(start, first); err != nil {
				return err
			}
		}
		c.members.n = first
		c.close()
		return nil
	}
}

// member reads a key and its value.
func (c *canonicaliser) member() (span, error) {
	if c.peek() != '"' {
		return span{}, c.syntax("no key")
	}
	m := span{key: int32(c.mark())}
	var err error
	if m.escaped, err = c.string(); err != nil {
		return span{}, err
	}
	m.colon = int32(c.mark())
	c.space()
	if c.peek() != ':' {
		return span{}, c.syntax("no colon after a key")
	}
	c.keep(1)
	c.space()
	if err := c.value(); err != nil {
		return span{}, err
	}
	m.end = int32(c.mark())
	return m, nil
}

// compare compares the keys of two members by code point.
func (c *canonicaliser) compare(a, b span) int {
	text := c.text()
	x, y := text[a.key+1:a.colon-1], text[b.key+1:b.colon-1]
	if a.escaped || b.escaped {
		x, y = unescape(nil, x), unescape(nil, y)
	}
	return bytes.Compare(x, y)
}

// sort puts the members of the innermost object, which are those from first on and start at start, in order.
func (c *canonicaliser) sort(start, first int) error {
	c.diverge()
	members := make([]span, c.members.n-first)
	for i := range members {
		members[i] = c.members.at(first + i)
	}
	slices.SortFunc(members, c.compare)
	sorted := slices.Grow(c.spare[:0], len(c.out)-start)
	for i, m := range members {
		if i > 0 {
			if c.compare(members[i-1], m) == 0 {
				return c.fail(MBadJSON, "two equal keys in an object")
			}
			sorted = append(sorted, ',')
		}
		sorted = append(sorted, c.out[m.key:m.end]...)
	}
	c.out = append(c.out[:start], sorted...)
	c.spare = sorted
	return nil
}

// string reads a string and reports whether its canonical form has a backslash.
func (c *canonicaliser) string() (hasEscapes bool, err error) {
	c.keep(1)
	for {
		c.keep(plain(c.src, c.pos) - c.pos)
		switch b := c.peek(); {
		case b == '"':
			c.keep(1)
			return hasEscapes, nil
		case b == '\\':
			made, err := c.escape()
			if err != nil {
				return false, err
			}
			hasEscapes = hasEscapes || made
		case b < 0x20:
			return false, c.syntax("a control character or the end of the text in a string")
		default:
			n := validUTF8(c.src[c.pos:])
			if n == 0 {
				return false, c.syntax("invalid UTF-8")
			}
			c.keep(n)
		}
	}
}

// validUTF8 returns the length of the sequence of valid characters of two bytes and more that b starts with.
func validUTF8(b []byte) int {
	i := 0
	for i < len(b) && b[i] >= 0x80 {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		i += size
	}
	return i
}

// escape reads an escape and writes its canonical form, which made says is an escape too.
func (c *canonicaliser) escape() (made bool, err error) {
	if c.pos+1 >= len(c.src) {
		return false, c.syntax("the end of the text in a string")
	}
	r, next := escaped(c.src, c.pos)
	if r == utf8.RuneError && !isFFFD(c.src[c.pos:]) {
		if bytes.HasPrefix(c.src[c.pos:], []byte(`\u`)) {
			if u, ok := hex4(c.src, c.pos+2); ok && utf16.IsSurrogate(u) {
				return false, c.fail(MBadJSON, "half a surrogate pair")
			}
		}
		return false, c.syntax("no such escape")
	}
	var room [6]byte
	made = r < 0x20 || r == '"' || r == '\\'
	form := room[:0]
	if made {
		form = appendEscaped(form, byte(r))
	} else {
		form = utf8.AppendRune(form, r)
	}
	if bytes.Equal(form, c.src[c.pos:next]) {
		c.keep(len(form))
		return made, nil
	}
	c.diverge()
	c.out = append(c.out, form...)
	c.pos = next
	return made, nil
}

// isFFFD reports whether b starts with the escape of U+FFFD.
func isFFFD(b []byte) bool {
	r, ok := hex4(b, 2)
	return ok && b[1] == 'u' && r == utf8.RuneError
}
