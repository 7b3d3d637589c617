package merkle

import (
	"bytes"
	"testing"

	"hearth/storage/blob"
)

// FuzzNode reads any bytes as a node: what is accepted is encoded as it was, and whatever is done with the tree below it
// ends.
func FuzzNode(f *testing.F) {
	s := newNodes()
	s.build(f, members(40))
	s.build(f, map[string]string{"": "", "a": "b", "ab": ""})
	for _, raw := range s.blobs {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := parse(raw)
		if err != nil {
			return
		}
		items := d.items()
		if !bytes.Equal(encode(d.level(), items), raw) {
			t.Fatal("it has another form")
		}
		if w := weighAll(d.level(), items); w != d.weight() {
			t.Fatalf("weight %d, items weigh %d", d.weight(), w)
		}
		for i := range items {
			if at, ok := d.search(items[i].key); at != i || !ok {
				t.Fatalf("item %d found at %d, %t", i, at, ok)
			}
		}
		all := &nodes{blobs: map[blob.Hash][]byte{}}
		for h, b := range s.blobs {
			all.blobs[h] = b
		}
		root := all.put(raw)
		err = everything(t.Context(), all, root, all.build(t, members(5)), []string{"", "ab", string(items[0].key)})
		if k := blob.KindOf(err); err != nil && k != blob.Corrupt && k != blob.TooLarge {
			t.Fatal(err)
		}
	})
}

// FuzzProof reads any bytes as a proof: what is accepted is written as it was, and proves at most one thing.
func FuzzProof(f *testing.F) {
	s, m := newNodes(), members(100)
	root := s.build(f, m)
	key, want := member(42)
	for _, k := range []string{key, "", key + "x"} {
		p, err := Prove(f.Context(), s, root, []byte(k))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseProof(data)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Bytes(), data) {
			t.Fatal("it has another form")
		}
		if value, ok, err := p.Verify(root, []byte(key)); err == nil && (!ok || string(value) != want) {
			t.Fatalf("it proves %q, %t", value, ok)
		}
		if len(p.nodes) > 0 {
			_, _, _ = p.Verify(blob.Sum(p.nodes[0]), []byte(key))
		}
	})
}

// FuzzEdits makes edits of any bytes and compares with a map that is built at once.
func FuzzEdits(f *testing.F) {
	f.Add([]byte("\x03abc\x10\x03abd\xff\x01a\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, m := newNodes(), map[string]string{}
		var root blob.Hash
		for len(data) > 0 {
			n := min(int(data[0]&63), len(data)-1)
			key := string(data[1 : 1+n])
			data = data[1+n:]
			size := 0
			if len(data) > 0 {
				size, data = int(data[0])*8, data[1:]
			}
			if e := set(key, string(make([]byte, size))); size > 0 {
				m[key] = string(e.Value)
				root = s.apply(t, root, e)
			} else {
				delete(m, key)
				root = s.apply(t, root, del(key))
			}
		}
		if want := s.build(t, m); root != want {
			t.Fatalf("%d entries: root %s, want %s", len(m), root, want)
		}
	})
}
