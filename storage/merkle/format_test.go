package merkle

import (
	"bytes"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"hearth/storage/blob"
)

// TestExample checks the worked example of the package comment against the code.
func TestExample(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for _, m := range regexp.MustCompile(`(?m)^//\t((?:[0-9a-f]{2,} )+) `).FindAllStringSubmatch(string(doc), -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(m[1], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, b...)
	}
	s := newNodes()
	root := s.build(t, map[string]string{"m.name": "Alice", "m.topic": ""})
	if !bytes.Equal(s.blobs[root], want) || len(want) != 30 {
		t.Errorf("node of %d bytes\n%x, the comment says\n%x", len(s.blobs[root]), s.blobs[root], want)
	}
	if !bytes.Contains(doc, []byte("Its root is "+root.String()+".")) {
		t.Errorf("root %s is not in the comment", root)
	}
}

// TestInteriorNode checks the layout of a higher level byte by byte.
func TestInteriorNode(t *testing.T) {
	h := blob.Sum([]byte("child"))
	raw := encode(1, []item{
		{key: []byte("ab"), ref: ref{h, 3, 700}},
		{key: []byte("ac"), ref: ref{h, 0x01020304, 1025}},
	})
	want := "4d0100020001" + "61" + "00000027" + h.String() + "00000003" + "02bc" + "62" + h.String() + "01020304" + "0401" + "63"
	if got := hex.EncodeToString(raw); got != want {
		t.Errorf("node\n%s, want\n%s", got, want)
	}
	d, err := parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if r := d.ref(1); r != (ref{h, 0x01020304, 1025}) || d.count() != 0x01020307 || d.weight() != 2 {
		t.Errorf("read back %+v", r)
	}
}

// TestMalformedNodes changes a good node in each way that parse must notice.
func TestMalformedNodes(t *testing.T) {
	good := encode(0, []item{{key: []byte("kaa"), value: []byte("1")}, {key: []byte("kbb"), value: []byte("2")}})
	change := func(at int, b byte) []byte {
		raw := bytes.Clone(good)
		raw[at] = b
		return raw
	}
	many := make([]item, fanLimit+1)
	for i := range many {
		many[i].key = []byte{byte(i)}
	}
	for name, raw := range map[string][]byte{
		"empty":             {},
		"head only":         good[:5],
		"other magic":       change(0, 'N'),
		"level 64":          change(1, 64),
		"no items":          change(3, 0),
		"too many items":    change(2, 255),
		"long prefix":       change(4, 255),
		"first not 0":       change(8, 1),
		"second too early":  change(10, 1),
		"second too late":   change(10, 200),
		"key too long":      change(12, 9),
		"keys equal":        change(18, 'a'),
		"keys descend":      change(13, 'z'),
		"prefix too short":  encodeWithPrefix(0, []item{{key: []byte("kaa")}, {key: []byte("kab")}}, 1),
		"prefix too long":   change(5, 2),
		"cut short":         good[:len(good)-3],
		"too many children": encode(1, many),
		"too heavy":         encode(0, []item{{key: []byte("a"), value: make([]byte, 4000)}, {key: []byte("b"), value: make([]byte, 200)}}),
		"value too long":    encode(0, []item{{key: []byte("a"), value: make([]byte, MaxValue+1)}}),
		"key over limit":    encode(0, []item{{key: make([]byte, MaxKey+1)}}),
	} {
		if d, err := parse(raw); err == nil {
			t.Errorf("%s: accepted with %d items", name, d.n)
		}
	}
	if _, err := parse(good); err != nil {
		t.Error(err)
	}
}

// encodeWithPrefix is encode with a prefix of the caller's choice.
func encodeWithPrefix(level int, items []item, p int) []byte {
	raw := []byte{magic, byte(level), 0, byte(len(items)), 0, byte(p)}
	raw = append(raw, items[0].key[:p]...)
	var body []byte
	for i := range items {
		raw = append(raw, 0, byte(len(body)))
		body = items[i].append(body, level, p)
	}
	return append(raw, body...)
}
