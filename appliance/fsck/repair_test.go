package fsck_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"hearth/appliance/fsck"
)

// flaky is a disk whose power fails at the n-th write or flush. Of the sectors that were written since the last flush it keeps any.
type flaky struct {
	text  []byte // what lasts
	cache map[int64][]byte
	n     int
	luck  *rand.Rand
}

const sector = 512

var errPower = errors.New("power fails")

func (f *flaky) ReadAt(b []byte, at int64) (int, error) {
	n := copy(b, f.text[at:])
	for i := range b[:n] {
		if s := f.cache[(at+int64(i))/sector]; s != nil {
			b[i] = s[(at+int64(i))%sector]
		}
	}
	return n, nil
}

func (f *flaky) event() error {
	if f.n--; f.n >= 0 {
		return nil
	}
	for n, s := range f.cache {
		if f.luck.IntN(2) == 0 {
			copy(f.text[n*sector:], s)
		}
	}
	clear(f.cache)
	return errPower
}

func (f *flaky) WriteAt(b []byte, at int64) (int, error) {
	for i := range b {
		n := (at + int64(i)) / sector
		if f.cache[n] == nil {
			f.cache[n] = bytes.Clone(f.text[n*sector:][:sector])
		}
		f.cache[n][(at+int64(i))%sector] = b[i]
	}
	return len(b), f.event()
}

func (f *flaky) Sync() error {
	if err := f.event(); err != nil {
		return err
	}
	for n, s := range f.cache {
		copy(f.text[n*sector:], s)
	}
	clear(f.cache)
	return nil
}

// TestPowerFailsWhileRepairing lets power fail at each write: the file system is as before, or it says that it is to be checked
// and can be repaired, or is sound.
func TestPowerFailsWhileRepairing(t *testing.T) {
	p := patient{t, ours(t, 32*mib)}
	p.debug("setb 8000", "seti <1500>", "sif /log links_count 9", "sif /log/b blocks 8000", "set_bg 0 used_dirs_count 77", "set_bg 0 checksum calc", "ssv free_blocks_count 77")
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	luck := rand.New(rand.NewPCG(1, 2))
	for n := 0; ; n++ {
		disk := &flaky{text: bytes.Clone(text), cache: make(map[int64][]byte), n: n, luck: luck}
		r, err := fsck.Check(disk, int64(len(text)))
		if err != nil || r.Sound() || !r.Repairable() {
			t.Fatalf("before: %v, %v", r, err)
		}
		repairErr := r.Repair(disk)
		if repairErr == nil {
			t.Logf("a repair has %d writes and flushes", n)
			break
		}
		if !errors.Is(repairErr, errPower) {
			t.Fatal(repairErr)
		}
		disk.n = 1 << 30
		toCheck, err := fsck.State(disk, int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		if r, err = fsck.Check(disk, int64(len(text))); err != nil || !r.Repairable() {
			t.Fatalf("power fails at event %d: %v, %v", n, r, err)
		}
		if !toCheck && !r.Sound() && !bytes.Equal(disk.text, text) {
			t.Fatalf("power fails at event %d: it is not to be checked, and %v", n, r)
		}
		if err := r.Repair(disk); err != nil {
			t.Fatal(err)
		}
		if isSound, out := judge(t, reproduce(t, disk.text)); !isSound {
			t.Fatalf("power fails at event %d, and after the second repair e2fsck says\n%s", n, out)
		}
	}
}

// TestMark marks a file system for a check, with the superblock's checksum unchanged, so that one sector is written.
func TestMark(t *testing.T) {
	p := patient{t, ours(t, 32*mib)}
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	disk := &flaky{text: bytes.Clone(text), cache: make(map[int64][]byte), n: 1 << 30}
	for range 2 {
		if err := fsck.Mark(disk, int64(len(text))); err != nil {
			t.Fatal(err)
		}
	}
	if toCheck, err := fsck.State(disk, int64(len(text))); err != nil || !toCheck {
		t.Errorf("it is to be checked: %v, %v", toCheck, err)
	}
	copy(disk.text[1024:][:sector], text[1024:][:sector])
	if !bytes.Equal(disk.text, text) {
		t.Error("more than a sector has changed")
	}
}

// features changes some in a word of the superblock.
func (p patient) features(at int, change uint32) {
	p.change(1024, 1024, func(b []byte) {
		le.PutUint32(b[at:], le.Uint32(b[at:])^change)
		le.PutUint32(b[1020:], sum(^uint32(0), b[:1020]))
	})
}

// TestWhatCannotBeChecked gives no false alarm, and does not claim soundness either.
func TestWhatCannotBeChecked(t *testing.T) {
	text, err := os.ReadFile(ours(t, 32*mib))
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		do   func(p patient)
		want error
	}{
		"another feature":       {func(p patient) { p.features(96, 0x8000) }, fsck.ErrUnknown},
		"a feature for writing": {func(p patient) { p.features(100, 0x100) }, fsck.ErrUnknown},
		"a harmless feature":    {func(p patient) { p.features(92, 0x800) }, fsck.ErrUnknown},
		"no checksums":          {func(p patient) { p.features(100, 0x400) }, fsck.ErrUnknown},
		"other blocks":          {func(p patient) { p.debug("ssv log_block_size 0") }, fsck.ErrUnknown},
		"other inodes":          {func(p patient) { p.debug("ssv inode_size 512") }, fsck.ErrUnknown},
		"more blocks":           {func(p patient) { p.debug("ssv blocks_count 99999") }, fsck.ErrUnknown},
		"a full journal":        {func(p patient) { p.features(96, 4) }, fsck.ErrJournal},
		"a damaged superblock":  {func(p patient) { p.flip(1024 + 4) }, fsck.ErrUnknown},
		"no file system":        {func(p patient) { p.change(1024, 1024, func(b []byte) { clear(b) }) }, fsck.ErrUnknown},
	} {
		p := patient{t, reproduce(t, text)}
		c.do(p)
		if r, err := check(t, p.file); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", what, r, err)
		}
	}
	p := patient{t, reproduce(t, text)}
	p.features(96, 4)
	f, err := os.Open(p.file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if toCheck, err := fsck.State(f, 32*mib); err != nil || !toCheck {
		t.Errorf("with a full journal it is to be checked: %v, %v", toCheck, err)
	}
}

// TestOrphans has files on the list of those to be deleted, and to be cut off: both are as they should be until a mount.
func TestOrphans(t *testing.T) {
	p := patient{t, ours(t, 32*mib)}
	gone, cut := p.inode("/storage/000003.sst"), p.inode("/storage/000004.sst")
	p.debug(
		fmt.Sprintf("ssv last_orphan %d", gone), "sif /storage/000003.sst links_count 0", fmt.Sprintf("sif /storage/000003.sst dtime 0x%x", cut), "unlink /storage/000003.sst",
		"sif /storage/000004.sst size 100",
	)
	r, err := check(t, p.file)
	if err != nil || !r.Sound() {
		t.Fatalf("%v, %v", r, err)
	}
	out, _ := tool(t, "", "e2fsck", "-fp", p.file) // deletes one and cuts the other
	t.Log(out)
	if isSound, out := judge(t, p.file); !isSound {
		t.Fatalf("e2fsck says\n%s", out)
	}
	if r, err := check(t, p.file); err != nil || !r.Sound() {
		t.Errorf("after it has deleted what it should: %v, %v", r, err)
	}
	// An orphan must have no name, and be no circle.
	for what, c := range map[string]func(p patient){
		"a name": func(p patient) {
			p.debug("sif /storage/000005.sst links_count 0", fmt.Sprintf("ssv last_orphan %d", p.inode("/storage/000005.sst")))
		},
		"a circle": func(p patient) {
			n := p.inode("/storage/000005.sst")
			p.debug(fmt.Sprintf("ssv last_orphan %d", n), fmt.Sprintf("sif /storage/000005.sst dtime 0x%x", n))
		},
	} {
		text, err := os.ReadFile(p.file)
		if err != nil {
			t.Fatal(err)
		}
		q := patient{t, reproduce(t, text)}
		c(q)
		if r, err := check(t, q.file); err != nil || r.Repairable() {
			t.Errorf("an orphan with %s: %v, %v", what, r, err)
		}
	}
}

// failing fails at the n-th read.
type failing struct {
	text []byte
	n    int
}

func (f *failing) ReadAt(b []byte, at int64) (int, error) {
	if f.n--; f.n < 0 {
		return 0, errPower
	}
	return copy(b, f.text[at:]), nil
}

// TestDiskThatCannotBeRead has each read fail: the check says so, and does not call that soundness or damage.
func TestDiskThatCannotBeRead(t *testing.T) {
	text, err := os.ReadFile(ours(t, 32*mib))
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		r, err := fsck.Check(&failing{text, n}, int64(len(text)))
		if err == nil {
			if n < 20 || !r.Sound() {
				t.Errorf("after %d reads: %v", n, r)
			}
			return
		}
		if !errors.Is(err, errPower) {
			t.Fatalf("failing at read %d: %v", n, err)
		}
	}
}
