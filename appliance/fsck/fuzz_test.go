package fsck_test

import (
	"bytes"
	"os"
	"runtime"
	"testing"

	"hearth/appliance/fsck"
)

// part is a part of a file system with a checksum.
type part struct {
	at   int64
	size int
	seal func(b []byte) // gives it its checksum
}

// parts returns those of a file system on whose checksums the check relies: that of bytes which nobody made would end it at once.
func parts(p patient, text []byte, paths, trees []string) []part {
	seed := sum(^uint32(0), text[1024+104:][:16])
	all := []part{{1024, 1024, func(b []byte) { le.PutUint32(b[1020:], sum(^uint32(0), b[:1020])) }}}
	for g := range uint32(2) {
		all = append(all, part{blockSize + 64*int64(g), 64, func(b []byte) {
			le.PutUint16(b[30:], 0)
			le.PutUint16(b[30:], uint16(sum(seed, le.AppendUint32(nil, g), b)))
		}})
	}
	for _, path := range paths {
		number := p.inode(path)
		place := p.number("imap "+path, "at block ")*blockSize + p.number("imap "+path, "offset ")
		all = append(all, part{place, 256, func(b []byte) {
			le.PutUint16(b[124:], 0)
			le.PutUint16(b[130:], 0)
			s := sum(seed, le.AppendUint32(nil, number), b[100:104], b)
			le.PutUint16(b[124:], uint16(s))
			le.PutUint16(b[130:], uint16(s>>16))
		}})
		ofBlocks := sum(seed, le.AppendUint32(nil, number), text[place+100:][:4])
		if mode := le.Uint16(text[place:]); mode>>12 == 4 {
			first := p.block(path, 0) * blockSize
			all = append(all, part{first, blockSize, func(b []byte) { le.PutUint32(b[blockSize-4:], sum(ofBlocks, b[:blockSize-12])) }})
		}
	}
	for _, path := range trees {
		ofBlocks := p.seed(path)
		for n, at := range []int{32, 8} {
			all = append(all, part{p.block(path, n) * blockSize, blockSize, func(b []byte) {
				if tail, end := at+8*int(le.Uint16(b[at:])), at+8*int(le.Uint16(b[at+2:])); tail <= blockSize-8 && end <= tail {
					le.PutUint32(b[tail+4:], sum(ofBlocks, b[:end], b[tail:tail+4], make([]byte, 4)))
				}
			}})
		}
	}
	return all
}

// What parts are of.
func oursPaths() []string {
	return []string{"/", "/storage", "/storage/holes", "/storage/000003.sst", "/storage/000001.sst", "/log/b", "/log/deep", "/short", "/null", "<8>", "<7>"}
}
func theirsPaths() []string { return []string{"/many", "/legion", "/few"} }
func theirsTrees() []string { return []string{"/many", "/legion"} }

// FuzzCheck changes bytes of file systems' parts and gives them right checksums, or changes any bytes. Whatever they are, the check
// ends without much memory, and what is repaired is sound afterwards.
func FuzzCheck(f *testing.F) {
	first, second := patient{f, ours(f, 32*mib)}, patient{f, theirs(f, 32*mib, 200)}
	var texts [2][]byte
	var all [2][]part
	for i, p := range []patient{first, second} {
		text, err := os.ReadFile(p.file)
		if err != nil {
			f.Fatal(err)
		}
		texts[i] = text
	}
	all[0] = parts(first, texts[0], oursPaths(), nil)
	all[1] = parts(second, texts[1], theirsPaths(), theirsTrees())
	f.Add([]byte{0})
	for base := range byte(2) {
		for p := range byte(len(all[base])) {
			for _, at := range []byte{0, 4, 28, 40, 44, 50, 60, 104} {
				f.Add([]byte{base, p, 0, at, 0x41})
			}
		}
	}
	f.Fuzz(func(t *testing.T, changes []byte) {
		if len(changes) == 0 || len(changes) > 400 {
			return
		}
		base := int(changes[0]) % 2
		disk := &layered{below: texts[base], above: make(map[int64][]byte)}
		for c := changes[1:]; len(c) >= 4; c = c[4:] { // part, place in it, what is there
			n, at := int(c[0]), int64(c[1])<<8|int64(c[2])
			if n >= len(all[base]) {
				disk.WriteAt(c[3:4], (int64(n)<<16|at)*29%int64(len(texts[base])))
				continue
			}
			p := all[base][n]
			b := make([]byte, p.size)
			disk.ReadAt(b, p.at)
			b[at%int64(p.size)] = c[3]
			p.seal(b)
			disk.WriteAt(b, p.at)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := fsck.Check(disk, int64(len(texts[base])))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 400*mib {
			t.Errorf("the check took %d bytes", used)
		}
		if err != nil || !r.Repairable() {
			return
		}
		if err := r.Repair(disk); err != nil {
			t.Fatal(err)
		}
		if again, err := fsck.Check(disk, int64(len(texts[base]))); err != nil || !again.Sound() || again.Marked {
			t.Errorf("after a repair of %v: %v, %v", r, again, err)
		}
	})
}

// FuzzBytes checks a disk that holds any bytes.
func FuzzBytes(f *testing.F) {
	f.Add(bytes.Repeat([]byte{1}, 4096))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := fsck.Check(bytes.NewReader(text), int64(len(text)))
		if err == nil && r.Sound() {
			t.Error("it is sound")
		}
	})
}

// layered is a disk with changes, which does not change what is below.
type layered struct {
	below []byte
	above map[int64][]byte // blocks
}

func (l *layered) ReadAt(b []byte, at int64) (int, error) {
	n := copy(b, l.below[at:])
	for block := at / blockSize; block*blockSize < at+int64(n); block++ {
		if text := l.above[block]; text != nil {
			from := max(at, block*blockSize)
			copy(b[from-at:n], text[from-block*blockSize:])
		}
	}
	return n, nil
}

func (l *layered) WriteAt(b []byte, at int64) (int, error) {
	for i := range b {
		block := (at + int64(i)) / blockSize
		if l.above[block] == nil {
			l.above[block] = bytes.Clone(l.below[block*blockSize:][:blockSize])
		}
		l.above[block][(at+int64(i))%blockSize] = b[i]
	}
	return len(b), nil
}

func (l *layered) Sync() error { return nil }
