package fsck_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// treeHarms are for a file system that has hash trees.
func treeHarms() []harm {
	const (
		many, legion = "/many", "/legion"
		root, inner  = 32, 8
	)
	entry := func(b []byte, n int) []byte { return b[root+8*n:] } // of a root
	tree := func(path string, change func([]byte)) func(patient) {
		return func(p patient) { p.changeTree(path, 0, root, change) }
	}
	return []harm{
		{"nothing", func(p patient) {
			for path, levels := range map[string]string{many: "Indirect levels: 0", legion: "Indirect levels: 1"} {
				if out := p.ask("htree_dump " + path); !strings.Contains(out, levels) {
					p.Fatalf("%s has another tree than wanted: %.300s", path, out)
				}
			}
		}, sound, "it is sound"},
		{"a leaf has the wrong names", tree(many, func(b []byte) {
			le.PutUint32(entry(b, 2), le.Uint32(entry(b, 2))/2+le.Uint32(entry(b, 3))/2)
		}), damaged, "is in a block where nobody looks for it"},
		{"hashes are not in order", tree(many, func(b []byte) { le.PutUint32(entry(b, 2), 2) }), damaged, many + ": its hash tree is damaged"},
		{"a leaf is beyond the end", tree(many, func(b []byte) { le.PutUint32(entry(b, 2)[4:], 999) }), damaged, many + ": its hash tree is damaged"},
		{"a leaf is there twice", tree(many, func(b []byte) { copy(entry(b, 2)[4:8], entry(b, 1)[4:8]) }), damaged, many + ": its hash tree is damaged"},
		{"a leaf is not known", tree(many, func(b []byte) { le.PutUint16(b[root+2:], le.Uint16(b[root+2:])-1) }), damaged,
			many + ": its hash tree is damaged, it does not know block"},
		{"too many entries", func(p patient) {
			p.changeBlock(p.block(many, 0), func(b []byte) { le.PutUint16(b[root+2:], 600) })
		}, damaged, many + ": its hash tree is damaged"},
		{"a kind of hash that is not known", tree(many, func(b []byte) { b[28] = 9 }), damaged, many + ": its hash tree is damaged"},
		{"another kind of hash", tree(many, func(b []byte) { b[28] = 2 }), damaged, "is in a block where nobody looks for it"},
		{"the root's checksum", func(p patient) { p.flip(p.block(many, 0)*blockSize + root + 8) }, damaged,
			many + ": its hash tree is damaged, its checksum is wrong"},
		{"a leaf's checksum", func(p patient) { p.flip(p.block(many, 1)*blockSize + 100) }, damaged,
			many + ": its block 1 is damaged, its checksum is wrong"},
		{"an inner node's checksum", func(p patient) {
			n := 0
			p.changeTree(legion, 0, root, func(b []byte) { n = int(le.Uint32(entry(b, 1)[4:])) })
			p.flip(p.block(legion, n)*blockSize + inner + 12)
		}, damaged, legion + ": its hash tree is damaged, its checksum is wrong"},
		{"a level too few", tree(legion, func(b []byte) { b[30] = 0 }), damaged, legion + ": its hash tree is damaged"},
		{"a level too many", tree(many, func(b []byte) { b[30] = 1 }), damaged, many + ": its hash tree is damaged"},
	}
}

func TestTreeHarms(t *testing.T) {
	text, err := os.ReadFile(theirs(t, 32*mib, legion))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range treeHarms() {
		t.Run(strings.ReplaceAll(h.what, " ", "_"), func(t *testing.T) {
			p := patient{t, reproduce(t, text)}
			h.do(p)
			p.compare(h)
		})
	}
}

// TestHashes has e2fsck make hash trees with each kind of hash: all names are in the blocks that our hashes of them lead to.
func TestHashes(t *testing.T) {
	text, err := os.ReadFile(theirs(t, 32*mib, 100))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"legacy", "half_md4", "tea"} {
		for flags, bytes := range map[int]string{1: "signed", 2: "unsigned"} {
			file := reproduce(t, text)
			debug(t, file, "ssv def_hash_version "+kind, fmt.Sprintf("ssv flags %d", flags))
			tool(t, "", "e2fsck", "-fyD", file)
			if isSound, out := judge(t, file); !isSound {
				t.Fatalf("%s, %s: e2fsck says\n%s", kind, bytes, out)
			}
			if out := must(t, "", "debugfs", "-R", "htree_dump /many", file); !strings.Contains(out, "Root node dump") {
				t.Fatalf("%s, %s: there is no hash tree: %.200s", kind, bytes, out)
			}
			if r, err := check(t, file); err != nil || !r.Sound() {
				t.Errorf("%s, %s: %v, %v", kind, bytes, r, err)
			}
		}
	}
}
