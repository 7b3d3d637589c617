package merkle

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"hearth/storage/blob"
)

// failing is a store of which every read after a number of them fails.
type failing struct {
	*nodes
	left int
}

func (f *failing) Get(ctx context.Context, hashes ...blob.Hash) ([][]byte, error) {
	if f.left--; f.left < 0 {
		return nil, errRead
	}
	return f.nodes.Get(ctx, hashes...)
}

// calls does everything that reads with a map.
func everything(ctx context.Context, src blob.Getter, root, other blob.Hash, keys []string) error {
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	put := func(b []byte) blob.Hash { return blob.Sum(b) }
	var raw [][]byte
	for i, k := range keys {
		raw = append(raw, []byte(k))
		_, err := Get(ctx, src, root, []byte(k))
		note(err)
		_, err = Prove(ctx, src, root, []byte(k))
		note(err)
		_, err = Apply(ctx, src, root, []Edit{{[]byte(k), [][]byte{nil, []byte("new"), make([]byte, 52)}[i%3]}}, put)
		note(err)
	}
	_, err := Get(ctx, src, root, raw...)
	note(err)
	var edits []Edit
	for i, k := range keys {
		edits = append(edits, Edit{[]byte(k), [][]byte{nil, []byte("new")}[i%2]})
	}
	_, err = Apply(ctx, src, root, edits, put)
	note(err)
	_, err = Merge(ctx, src, other, root, blob.Hash{}, func(_, _, _, _ []byte) ([]byte, error) { return nil, nil }, put)
	note(err)
	for _, err := range Scan(ctx, src, root, nil, nil) {
		note(err)
	}
	for _, err := range Diff(ctx, src, root, other) {
		note(err)
	}
	for _, err := range Diff(ctx, src, other, root) {
		note(err)
	}
	for _, err := range Nodes(ctx, src, root) {
		note(err)
	}
	return errors.Join(errs...)
}

// TestFailedReads lets each read of each call fail in turn: the error comes out, and nothing else happens.
func TestFailedReads(t *testing.T) {
	s := newNodes()
	m := members(3000)
	root := s.build(t, m)
	k, _ := member(1234)
	other := s.apply(t, root, set(k, "x"))
	calls := map[string]func(src blob.Getter) error{
		"get": func(src blob.Getter) error { _, err := Get(t.Context(), src, root, []byte(k)); return err },
		"get many": func(src blob.Getter) error {
			_, err := Get(t.Context(), src, root, []byte(k), []byte("a"), []byte(k+"z"))
			return err
		},
		"remove": func(src blob.Getter) error {
			_, err := Apply(t.Context(), src, root, []Edit{del(k)}, blob.Sum)
			return err
		},
		"clear": func(src blob.Getter) error {
			var edits []Edit
			for k := range m {
				edits = append(edits, del(k))
			}
			_, err := Apply(t.Context(), src, root, edits[:len(edits)-3], blob.Sum)
			return err
		},
		"prove": func(src blob.Getter) error { _, err := Prove(t.Context(), src, root, []byte(k)); return err },
		"scan": func(src blob.Getter) error {
			var last error
			for _, err := range Scan(t.Context(), src, root, nil, nil) {
				last = err
			}
			return last
		},
		"diff": func(src blob.Getter) error {
			var last error
			for _, err := range Diff(t.Context(), src, root, other) {
				last = err
			}
			return last
		},
		"nodes": func(src blob.Getter) error {
			var last error
			for _, err := range Nodes(t.Context(), src, root) {
				last = err
			}
			return last
		},
	}
	for name, call := range calls {
		for n := 0; ; n++ {
			f := &failing{s, n}
			err := call(f)
			if f.left >= 0 {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				break
			}
			if !errors.Is(err, errRead) {
				t.Errorf("%s, read %d: %v", name, n, err)
			}
		}
	}
}

// TestMissingNodeIsNamed takes away one node at a time.
func TestMissingNodeIsNamed(t *testing.T) {
	s := newNodes()
	root := s.build(t, members(300))
	for h := range s.blobs {
		s.forget = map[blob.Hash]bool{h: true}
		var last error
		for _, err := range Scan(t.Context(), s, root, nil, nil) {
			last = err
		}
		if blob.KindOf(last) != blob.Corrupt || !strings.Contains(last.Error(), h.String()) {
			t.Errorf("without %s: %v", h, last)
		}
	}
}

// TestWrongChildren gives well-formed nodes that are not what their parents say.
func TestWrongChildren(t *testing.T) {
	s := newNodes()
	m := members(400)
	root := s.build(t, m)
	parent := s.blobs[root]
	d, err := parse(parent)
	if err != nil || d.level() == 0 {
		t.Fatal(err)
	}
	it := d.body // the first item
	key, _ := member(0)
	for name, at := range map[string]int{"hash": it, "count": it + 35, "weight": it + 37, "level": 1, "first key": it + refSize} {
		bad := append([]byte(nil), parent...)
		switch name {
		case "hash":
			copy(bad[it:], d.item(1)[:blob.HashSize])
		case "level":
			bad[at]++
		default:
			bad[at]--
		}
		h := s.put(bad)
		_, err := Get(t.Context(), s, h, []byte(key))
		if blob.KindOf(err) != blob.Corrupt {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMadeUpTrees gives trees of well-formed nodes that no map has: every call must end, with or without an error.
func TestMadeUpTrees(t *testing.T) {
	r := seeded(t, 9)
	for range 300 {
		s := newNodes()
		var level []item
		n := 2 + r.IntN(40)
		for i := range n {
			e := []item{{key: binary.BigEndian.AppendUint16([]byte("k"), uint16(i*8)), value: []byte("v")}}
			for range r.IntN(4) {
				e = append(e, item{key: append(e[len(e)-1].key[:3:3], byte(len(e)))})
			}
			if r.IntN(8) == 0 { // reaches into the next
				e = append(e, item{key: binary.BigEndian.AppendUint16([]byte("k"), uint16(i*8+9))})
			}
			level = append(level, nodeItem(0, e, s.put(encode(0, e))))
		}
		for l := 1; len(level) > 1; l++ {
			var up []item
			for rest := level; len(rest) > 0; {
				n := 1 + r.IntN(min(len(rest), fanLimit))
				up = append(up, nodeItem(l, rest[:n], s.put(encode(l, rest[:n]))))
				rest = rest[n:]
			}
			level = up
			if l > 40 {
				break
			}
		}
		var keys []string
		for range 6 {
			keys = append(keys, string(binary.BigEndian.AppendUint16([]byte("k"), uint16(r.IntN(n*8)))))
		}
		err := everything(t.Context(), s, level[0].hash, s.build(t, members(50)), keys)
		if err != nil && blob.KindOf(err) != blob.Corrupt {
			t.Fatal(err)
		}
	}
}
