package fsck_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"
	"strings"
	"testing"

	"hearth/appliance/fsck"
)

// patient is a file system that something is done to.
type patient struct {
	testing.TB
	file string
}

// debug has debugfs do something.
func (p patient) debug(commands ...string) { debug(p, p.file, commands...) }

// ask returns what debugfs says.
func (p patient) ask(command string) string {
	return must(p, "", "debugfs", "-R", command, p.file)
}

// number returns the first number in what debugfs says, behind a word.
func (p patient) number(command, after string) int64 {
	out := p.ask(command)
	_, rest, _ := strings.Cut(out[strings.IndexByte(out, '\n')+1:], after) // the first line is its version
	rest = strings.TrimLeft(rest, " ")
	end := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefx", r) })
	if end < 1 {
		p.Fatalf("%s: there is no %q in %s", command, after, out)
	}
	n, err := strconv.ParseInt(rest[:end], 0, 64)
	if err != nil {
		p.Fatalf("%s: %v in %s", command, err, out)
	}
	return n
}

// block returns the n-th block of a file.
func (p patient) block(path string, n int) int64 {
	out := p.ask("blocks " + path)
	b, err := strconv.ParseInt(strings.Fields(out[strings.IndexByte(out, '\n')+1:])[n], 10, 64)
	if err != nil {
		p.Fatal(err)
	}
	return b
}

func (p patient) inode(path string) uint32 { return uint32(p.number("stat "+path, "Inode:")) }

// change changes a number of bytes of the file system.
func (p patient) change(at int64, count int, change func([]byte)) {
	f, err := os.OpenFile(p.file, os.O_RDWR, 0)
	if err != nil {
		p.Fatal(err)
	}
	b := make([]byte, count)
	_, err = f.ReadAt(b, at)
	change(b)
	_, wrong := f.WriteAt(b, at)
	if err := errors.Join(err, wrong, f.Close()); err != nil {
		p.Fatal(err)
	}
}

// flip changes a bit.
func (p patient) flip(at int64) { p.change(at, 1, func(b []byte) { b[0] ^= 0x40 }) }

func (p patient) changeBlock(n int64, change func([]byte)) { p.change(n*blockSize, blockSize, change) }

func sum(start uint32, b ...[]byte) uint32 {
	return ^crc32.Update(^start, crc32.MakeTable(crc32.Castagnoli), bytes.Join(b, nil))
}

var le = binary.LittleEndian

// seed returns that of the checksums of a file's blocks.
func (p patient) seed(path string) uint32 {
	super := make([]byte, 1024)
	p.change(1024, 1024, func(b []byte) { copy(super, b) })
	seed := sum(^uint32(0), super[104:120])
	if le.Uint32(super[96:])&0x2000 != 0 {
		seed = le.Uint32(super[624:])
	}
	return sum(seed, le.AppendUint32(nil, p.inode(path)), le.AppendUint32(nil, uint32(p.number("stat "+path, "Generation:"))))
}

// changeEntries changes a block of a directory's entries, and gives it its checksum.
func (p patient) changeEntries(path string, n int, change func([]byte)) {
	seed := p.seed(path)
	p.changeBlock(p.block(path, n), func(b []byte) {
		change(b)
		le.PutUint32(b[blockSize-4:], sum(seed, b[:blockSize-12]))
	})
}

// changeTree changes a node of a directory's hash tree, whose entries are at a byte, and gives it its checksum.
func (p patient) changeTree(path string, n, at int, change func([]byte)) {
	seed := p.seed(path)
	p.changeBlock(p.block(path, n), func(b []byte) {
		change(b)
		tail := at + 8*int(le.Uint16(b[at:]))
		le.PutUint32(b[tail+4:], sum(seed, b[:at+8*int(le.Uint16(b[at+2:]))], b[tail:tail+4], make([]byte, 4)))
	})
}

// rename overwrites a name in a block of entries with one of the same length.
func rename(was, is string) func([]byte) {
	return func(b []byte) { copy(b[bytes.Index(b, []byte(was)):], is) }
}

// What is done to file systems comes to one of these.
const (
	repaired = "repaired"
	damaged  = "damaged"
	sound    = "sound"
)

// unseen is what e2fsck does not look at unless it may write.
const unseen = "a list of orphans that leads nowhere"

type harm struct {
	what string
	do   func(p patient)
	want string
	says string // the report
}

func harms() []harm {
	commands := func(lines ...string) func(patient) { return func(p patient) { p.debug(lines...) } }
	const file = "/storage/000003.sst"
	return []harm{
		{"nothing", func(patient) {}, sound, "it is sound"},

		{"two files share blocks", func(p patient) {
			p.debug(fmt.Sprintf("sif %s block[5] %d", file, p.block("/log/deep/deeper/a", 0)))
		}, damaged, "are used by /storage/000003.sst too"},
		{"a file has blocks of the table of inodes", commands("sif " + file + " block[5] 135"), damaged, file + ": its blocks 135..140 are of the file system itself"},
		{"an extent is beyond the end", commands("sif " + file + " block[5] 99999999"), damaged, file + ": its blocks 99999999..100000004 are beyond the end"},
		{"an extent has no length", commands("sif " + file + " block[4] 0"), damaged, file + ": its extents are not in order"},
		{"an extent is behind the file's end", commands("sif " + file + " block[3] 90"), damaged, file + ": its size is 24000 bytes"},
		{"extents are no extents", commands("sif " + file + " block[0] 0"), damaged, file + ": its tree of extents is damaged"},
		{"more extents than places", commands("sif " + file + " block[0] 0x0009f30a"), damaged, file + ": its tree of extents is damaged"},
		{"extents of an impossible depth", commands("sif " + file + " block[1] 0x00090004"), damaged, file + ": its tree of extents has 9 levels"},
		{"a node of a tree of extents", func(p patient) { p.flip(p.number("ex -n /storage/holes", "0 -   677 ")*blockSize + 30) }, damaged, "/storage/holes: block"},
		{"a file is shorter than its blocks", commands("sif " + file + " size 100"), damaged, file + ": its size is 100 bytes"},
		{"a file's count of blocks", commands("sif " + file + " blocks 888"), repaired, file + ": it has 6 blocks and says 111"},
		{"a file of no kind", commands("sif " + file + " mode 0"), damaged, file + ": it is of no kind"},
		{"a directory turns into a file", commands("sif /log/deep mode 0100644"), damaged, "is for another kind of file"},
		{"a file is in use and deleted", commands("sif " + file + " dtime 0x6925d000"), damaged, file + ": it is in use and has a time of deletion"},
		{"a file with data in its inode", commands("sif " + file + " flags 0x10080000"), damaged, file + ": it has flags"},
		{"an inode's checksum", func(p patient) {
			p.flip(p.number("imap "+file, "at block ")*blockSize + p.number("imap "+file, "offset ") + 9)
		}, damaged, file + ": its inode is damaged, its checksum is wrong"},
		{"a link's target", commands("sif /short size 30"), damaged, "/short: it is a link whose target is damaged"},
		{"a device has blocks", commands("sif /null blocks 80"), repaired, "/null: it has 0 blocks"},
		{"attributes", func(p patient) { p.flip(p.number("stat /storage/000001.sst", "File ACL:")*blockSize + 80) }, damaged, "/storage/000001.sst: its extended attributes are damaged"},

		{"fewer names than the inode says", commands("sif /log/b links_count 5"), repaired, "it has 2 names and says 5"},
		{"more names than the inode says", commands("sif /log/b links_count 1"), repaired, "it has 2 names and says 1"},
		{"a directory's count of names", commands("sif /log links_count 9"), repaired, "/log: it has 3 names and says 9"},
		{"both counts of an inode", commands("sif /log/b links_count 5", "sif /log/b blocks 8000"), repaired, "it has 2 names and says 5"},
		{"a file without name", commands("unlink " + file), damaged, "it has no name any more"},
		{"a directory without name", commands("unlink /log/deep"), damaged, "it has no name any more"},
		{"an inode is gone", commands("clri " + file), damaged, "/storage: its entry \"000003.sst\" is to inode"},
		{"an entry to an inode that never was", commands("ln <2000> /ghost"), damaged, "/: its entry \"ghost\" is to inode 2000, which is not in use"},
		{"an entry to the journal", commands("ln <8> /journal"), damaged, "/: its entry \"journal\" is to inode 8"},
		{"a directory with two names", commands("ln /log/deep /again"), damaged, "is a second name of a directory"},
		{"a circle of directories", commands("ln /log /log/deep/deeper/loop", "unlink /log"), damaged, "it says that another directory is its parent"},
		{"another parent", func(p patient) {
			p.changeEntries("/log/deep/deeper", 0, func(b []byte) { le.PutUint32(b[12:], 2) })
		}, damaged, "/log/deep/deeper: it says that another directory is its parent"},
		{"another self", func(p patient) {
			p.changeEntries("/log/deep", 0, func(b []byte) { le.PutUint32(b, 2) })
		}, damaged, "/log/deep: its entries for itself and its parent are damaged"},
		{"a name twice", func(p patient) { p.changeEntries("/storage", 0, rename("000004", "000005")) }, damaged, `/storage: it has two entries "000005.sst"`},
		{"a name with a slash", func(p patient) { p.changeEntries("/storage", 0, rename("000004", "0/0005")) }, damaged, `/storage: it has an entry with the name "0/0005.sst"`},
		{"an entry's length", func(p patient) {
			p.changeEntries("/storage", 0, func(b []byte) { le.PutUint16(b[28:], 15) })
		}, damaged, "/storage: its block 0 is damaged, its entries cannot be read"},
		{"an entry's kind", func(p patient) { p.changeEntries("/storage", 0, func(b []byte) { b[31] = 2 }) }, damaged, "is for another kind of file"},
		{"a directory's checksum", func(p patient) { p.flip(p.block("/storage", 0)*blockSize + 100) }, damaged, "/storage: its block 0 is damaged, its checksum is wrong"},
		{"a directory without checksum", func(p patient) {
			p.changeBlock(p.block("/storage", 0), func(b []byte) { b[blockSize-5] = 0 })
		}, damaged, "/storage: its block 0 is damaged, it has no checksum"},
		{"a directory is too short", commands("sif /lost+found size 8192"), damaged, "/lost+found: its size is 8192 bytes"},
		{"a directory has a hole", commands("sif /lost+found block[3] 1"), damaged, "/lost+found: it has no block 0"},
		{"a hash tree where none is", commands("sif /storage flags 0x81000"), damaged, "/storage: its hash tree is damaged"},

		{"a block in use is free in the bitmap", func(p patient) { p.debug(fmt.Sprintf("freeb %d 2", p.block(file, 0))) }, repaired, "the bitmap of group 0 is wrong about 2 blocks"},
		{"a free block is in use in the bitmap", commands("setb 8000"), repaired, "the bitmap of group 0 is wrong about 1 blocks"},
		{"an inode in use is free in the bitmap", func(p patient) { p.debug(fmt.Sprintf("freei <%d>", p.inode(file))) }, repaired, "the bitmap of group 0 is wrong about 1 inodes"},
		{"a free inode is in use in the bitmap", commands("seti <1500>"), repaired, "the bitmap of group 0 is wrong about 1 inodes"},
		{"a bitmap's checksum", commands("set_bg 0 block_bitmap_csum 0x1234", "set_bg 0 checksum calc"), repaired, "the checksum of the bitmap of blocks of group 0 is wrong"},
		{"the other bitmap's checksum", commands("set_bg 0 inode_bitmap_csum 0x1234", "set_bg 0 checksum calc"), repaired, "the checksum of the bitmap of inodes of group 0 is wrong"},
		{"a bit of a bitmap", func(p patient) { p.flip(p.number("stats", "block bitmap at ")*blockSize + 1300) }, repaired, "the bitmap of group 0 is wrong about 1 blocks"},
		{"a bit of the other bitmap", func(p patient) { p.flip(p.number("stats", "inode bitmap at ")*blockSize + 100) }, repaired, "the bitmap of group 0 is wrong about 1 inodes"},
		{"a bit behind a bitmap's end", func(p patient) { p.flip(p.number("stats", "inode bitmap at ")*blockSize + 4000) }, repaired, "the bitmap of group 0 is wrong about 1 inodes"},
		{"a group's free blocks", commands("set_bg 0 free_blocks_count 77", "set_bg 0 checksum calc"), repaired, "blocks are free and its descriptor says 77"},
		{"a group's free inodes", commands("set_bg 0 free_inodes_count 77", "set_bg 0 checksum calc"), repaired, "inodes are free and its descriptor says 77"},
		{"a group's directories", commands("set_bg 0 used_dirs_count 77", "set_bg 0 checksum calc"), repaired, "6 directories are there and its descriptor says 77"},
		{"a group's inodes that were never in use", commands("set_bg 0 itable_unused 2030", "set_bg 0 checksum calc"), repaired, "says that 2030 inodes were never in use"},
		{"a group whose bitmap was never written", commands("set_bg 0 flags 2", "set_bg 0 checksum calc"), repaired, "the bitmap of group 0 is wrong about"},
		{"a group without inodes", commands("set_bg 0 flags 1", "set_bg 0 checksum calc"), damaged, "there is no root directory"},
		{"a group's checksum", commands("set_bg 0 checksum 0x1234"), damaged, "the descriptor of group 0 is damaged"},
		{"a group's table is elsewhere", commands("set_bg 0 inode_table 99999999", "set_bg 0 checksum calc"), damaged, "the table of inodes of group 0 is beyond the end"},
		{"a group's table is on another part", commands("set_bg 0 inode_table 1", "set_bg 0 checksum calc"), damaged, "the table of inodes of group 0 is where another part is"},
		{"the superblock's free blocks", commands("ssv free_blocks_count 77"), repaired, "blocks are free and the superblock says 77"},
		{"the superblock's free inodes", commands("ssv free_inodes_count 77"), repaired, "inodes are free and the superblock says 77"},
		{"reserved blocks", func(p patient) { p.changeBlock(5, func(b []byte) { le.PutUint32(b, 77) }) }, damaged, "block 5, which is reserved for descriptors"},
		{"the list of reserved blocks", commands("sif <7> block[DIND] 8000"), damaged, "the list of blocks that are reserved for descriptors is damaged"},
		{"an inode for reserved blocks", commands("sif <7> links_count 0"), damaged, "the inode of reserved blocks is damaged"},
		{"the journal's magic", func(p patient) { p.flip(p.block("<8>", 0) * blockSize) }, damaged, "the journal is damaged"},
		{"the journal is gone", commands("clri <8>"), damaged, "there is no journal"},

		{"a deleted file without a time", commands("sif "+file+" links_count 0", "unlink "+file), repaired, "its deletion has no time"},
		{unseen, commands("ssv last_orphan 3"), damaged, "the list of inodes to delete leads to inode 3"},
		{"the kernel saw an error", commands("ssv state 3"), sound, "it is sound"},
		{"the kernel counted errors", commands("ssv error_count 5", "ssv first_error_ino 12", "ssv first_error_func why"), sound, "it is sound"},
		{"in use", commands("ssv state 0"), sound, "it is sound"},
	}
}

// TestHarms does harm to file systems of ours: e2fsck finds what we find, and finds nothing any more where we repaired it.
func TestHarms(t *testing.T) {
	text, err := os.ReadFile(ours(t, 32*mib))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range harms() {
		t.Run(strings.ReplaceAll(h.what, " ", "_"), func(t *testing.T) {
			p := patient{t, reproduce(t, text)}
			h.do(p)
			p.compare(h)
		})
	}
}

// compare compares what we and e2fsck find.
func (p patient) compare(h harm) {
	p.Helper()
	isSound, out := judge(p, p.file)
	r, err := check(p, p.file)
	if err != nil {
		p.Fatal(err)
	}
	got := damaged
	switch {
	case r.Sound():
		got = sound
	case r.Repairable():
		got = repaired
	}
	if got != h.want || !strings.Contains(r.String(), h.says) {
		p.Errorf("it is %s: %v; want %s: %s", got, r, h.want, h.says)
	}
	if (got == sound) != isSound && h.what != unseen {
		p.Errorf("it is %s: %v; e2fsck says\n%s", got, r, out)
	}
	before, readErr := os.ReadFile(p.file)
	f, openErr := os.OpenFile(p.file, os.O_RDWR, 0)
	if err := errors.Join(readErr, openErr); err != nil {
		p.Fatal(err)
	}
	defer f.Close()
	if err := r.Repair(f); (err == nil) != r.Repairable() {
		p.Fatalf("repairing %s: %v", r, err)
	}
	if got == damaged {
		if after, err := os.ReadFile(p.file); err != nil || !bytes.Equal(before, after) {
			p.Errorf("it is damaged, and written: %v", err)
		}
		return
	}
	if isSound, out := judge(p, p.file); !isSound {
		p.Errorf("after %v e2fsck says\n%s", r, out)
	}
	if again, err := check(p, p.file); err != nil || !again.Sound() || again.Marked {
		p.Errorf("after %v: %v, %v", r, again, err)
	}
	if toCheck, err := fsck.State(f, 32*mib); err != nil || toCheck {
		p.Errorf("after %v it is to be checked again: %v, %v", r, toCheck, err)
	}
}
