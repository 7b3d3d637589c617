package primary

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// TestCompressedNames reads names behind a header of 12 bytes (threat 13, compression-pointer loops).
func TestCompressedNames(t *testing.T) {
	const head = "............"
	for what, c := range map[string]struct {
		wire string
		at   int
		want string // "" if it cannot be read
	}{
		"a plain name":          {"\x03wWw\x03org\x00", 12, "www.org."},
		"the root":              {"\x00", 12, "."},
		"a pointer":             {"\x03org\x00\x03www\xc0\x0c", 17, "www.org."},
		"pointers to pointers":  {"\x03org\x00\x01b\xc0\x0c\x01a\xc0\x11", 21, "a.b.org."},
		"a pointer to itself":   {"\xc0\x0c", 12, ""},
		"a pointer in a circle": {"\x01a\xc0\x0c", 12, ""},
		"two that meet":         {"\xc0\x0e\xc0\x0c", 14, ""},
		"a pointer ahead":       {"\xc0\x0e\x00", 12, ""},
		"into the header":       {"\xc0\x04", 12, ""},
		"half a pointer":        {"\x01a\xc0", 12, ""},
		"a label of 64":         {"\x40" + strings.Repeat("a", 64) + "\x00", 12, ""},
		"a name of 256":         {strings.Repeat("\x3f"+strings.Repeat("a", 63), 3) + "\x3e" + strings.Repeat("a", 62) + "\x00", 12, ""},
		"a name of 255":         {strings.Repeat("\x3f"+strings.Repeat("a", 63), 3) + "\x3d" + strings.Repeat("a", 61) + "\x00", 12, strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("a", 61) + "."},
		"a name without end":    {"\x03www", 12, ""},
		"a name cut short":      {"\x03ww", 12, ""},
	} {
		got, ok := readName([]byte(head+c.wire), c.at)
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%s is read as %q, %v", what, got, ok)
		}
	}
}

// TestLoopsOfPointersInAnUpdate hands over a record whose owner is a pointer to itself, where a name is decoded.
func TestLoopsOfPointersInAnUpdate(t *testing.T) {
	w := newWorld(t)
	message := pack(t, update(t, "add new 60 A 192.0.2.9"))
	at := headerSize + len("\x07example\x03org\x00") + 4
	message = append(message[:at:at], 0xc0, byte(at), 0, byte(dns.TypeA), 0, dns.ClassINET, 0, 0, 0, 60, 0, 4, 192, 0, 2, 9)
	g := &signature{key: w.state.keys[name("update.")], name: name("update."), algorithm: HMACSHA256}
	if m := w.parse(w.handle(g.signRequest(message, w.now)).Reply); m.Rcode != dns.RcodeFormatError {
		t.Errorf("the reply is %s", render(m))
	}
}
