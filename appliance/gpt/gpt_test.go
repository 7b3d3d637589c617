package gpt_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"hearth/appliance/gpt"
)

const mib = 1 << 20

// disk is a disk in memory.
type disk []byte

func (d disk) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(d).ReadAt(p, off) }

func (d disk) WriteAt(p []byte, off int64) (int, error) {
	if n := copy(d[off:], p); n < len(p) {
		return n, io.ErrShortWrite
	}
	return len(p), nil
}

func guid(t testing.TB, s string) gpt.GUID {
	t.Helper()
	g, err := gpt.ParseGUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// table is that of an image: firmware, two roots of which one is not there yet, data.
func table(t testing.TB) gpt.Table {
	table := gpt.Table{ID: guid(t, "00000000-1111-2222-3333-444444444444")}
	add := func(kind, id, name string, size int64) {
		table.Partitions = append(table.Partitions, gpt.Partition{Type: guid(t, kind), ID: guid(t, id), Name: name, Size: size})
	}
	add(gpt.TypeEFISystem, "00000000-1111-2222-3333-000000000001", "boot", 5*mib)
	add(gpt.TypeLinuxData, "00000000-1111-2222-3333-000000000002", "root a", mib+512)
	table.Partitions = append(table.Partitions, gpt.Partition{})
	add(gpt.TypeLinuxData, "00000000-1111-2222-3333-000000000004", "données 🔥", 2*mib)
	table.Partitions[1].Attributes = 1 << 60
	table.Size = gpt.Arrange(table.Partitions)
	return table
}

func hybrid(t testing.TB) gpt.Table {
	table := table(t)
	table.Legacy = []gpt.Legacy{{Partition: 0, Type: gpt.LegacyFAT32, Active: true}}
	return table
}

func write(t testing.TB, table gpt.Table) disk {
	t.Helper()
	d := make(disk, table.Size)
	copy(d, "boot code")
	if err := table.Write(d); err != nil {
		t.Fatal(err)
	}
	return d
}

// like compares all but where the array stands.
func like(t *testing.T, got, want gpt.Table) {
	t.Helper()
	if got.ID != want.ID || got.Size != want.Size || !reflect.DeepEqual(got.Partitions, want.Partitions) || !reflect.DeepEqual(got.Legacy, want.Legacy) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestArrange(t *testing.T) {
	table := table(t)
	for i, want := range []int64{mib, 6 * mib, 0, 8 * mib} {
		if got := table.Partitions[i].Start; got != want {
			t.Errorf("partition %d starts at %d, want %d", i+1, got, want)
		}
	}
	if table.Size != 11*mib {
		t.Errorf("the disk has %d bytes", table.Size)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, want := range []gpt.Table{table(t), hybrid(t)} {
		d := write(t, want)
		if !bytes.HasPrefix(d, []byte("boot code")) {
			t.Error("the boot code is gone")
		}
		got, err := gpt.Read(d, int64(len(d)))
		if err != nil {
			t.Fatal(err)
		}
		like(t, got, want)
	}
}

func TestBackupServesIfThePrimaryIsBroken(t *testing.T) {
	want := hybrid(t)
	for _, at := range []int{512 + 3, 512 + 60, 1024 + 40} {
		d := write(t, want)
		d[at] ^= 1
		got, err := gpt.Read(d, int64(len(d)))
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		like(t, got, want)
		d[len(d)-512+60] ^= 1
		if _, err := gpt.Read(d, int64(len(d))); err == nil {
			t.Errorf("byte %d: a table of which both copies are broken was read", at)
		}
	}
}

func TestExampleOfGUID(t *testing.T) {
	want := gpt.GUID{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b}
	if got := guid(t, strings.ToLower(gpt.TypeEFISystem)); got != want || got.String() != gpt.TypeEFISystem {
		t.Errorf("got % x, %s", got[:], got)
	}
	for _, s := range []string{"", "C12A7328F81F11D2BA4B00A0C93EC93B", "C12A7328-F81F-11D2-BA4B-00A0C93EC93", "C12A7328-F81F-11D2-BA4B00-A0C93EC93B", "G12A7328-F81F-11D2-BA4B-00A0C93EC93B"} {
		if _, err := gpt.ParseGUID(s); err == nil {
			t.Errorf("%q was read", s)
		}
	}
}

func TestWhatIsNotWritten(t *testing.T) {
	for name, spoil := range map[string]func(*gpt.Table){
		"overlap":             func(t *gpt.Table) { t.Partitions[1].Start = 5 * mib },
		"before the first":    func(t *gpt.Table) { t.Partitions[0].Start = 512 },
		"behind the last":     func(t *gpt.Table) { t.Partitions[3].Size = 3 * mib },
		"overflowing":         func(t *gpt.Table) { t.Partitions[3].Size = 1<<63 - 512 },
		"empty":               func(t *gpt.Table) { t.Partitions[0].Size = 0 },
		"half a sector":       func(t *gpt.Table) { t.Partitions[1].Size++ },
		"without GUID":        func(t *gpt.Table) { t.Partitions[0].ID = gpt.GUID{} },
		"long name":           func(t *gpt.Table) { t.Partitions[0].Name = strings.Repeat("n", 37) },
		"zero in the name":    func(t *gpt.Table) { t.Partitions[0].Name = "a\x00" },
		"too many":            func(t *gpt.Table) { t.Partitions = append(t.Partitions, make([]gpt.Partition, 125)...) },
		"no disk":             func(t *gpt.Table) { t.Size = 0 },
		"legacy of nothing":   func(t *gpt.Table) { t.Legacy[0].Partition = 2 },
		"legacy of no type":   func(t *gpt.Table) { t.Legacy[0].Type = 0 },
		"four legacy entries": func(t *gpt.Table) { t.Legacy = append(t.Legacy, t.Legacy[0], t.Legacy[0], t.Legacy[0]) },
	} {
		spoilt := hybrid(t)
		spoil(&spoilt)
		if err := spoilt.Write(make(disk, 16*mib)); err == nil {
			t.Errorf("%s: it was written", name)
		}
	}
}

// TestGrowSurvivesAPowerCutAnywhere cuts after each write: at all times the primary copy alone must do, since the kernel
// asks for no other.
func TestGrowSurvivesAPowerCutAnywhere(t *testing.T) {
	for _, old := range []gpt.Table{table(t), hybrid(t)} {
		image := write(t, old)
		grown := old
		grown.Size = 40*mib + 512
		grown.Partitions = append([]gpt.Partition(nil), old.Partitions...)
		grown.Partitions[3].Size = 31 * mib
		all := grow(t, append(bytes.Clone(image), make(disk, grown.Size-old.Size)...))
		for cut := range len(all) + 1 {
			d := disk(append(bytes.Clone(image), make([]byte, grown.Size-old.Size)...))
			for i, c := range all[:cut] {
				d.WriteAt(c.Data, c.Offset)
				want := old
				if i >= 3 {
					want = grown
				}
				alone := bytes.Clone(d)
				clear(alone[len(alone)-512:])
				got, err := gpt.Read(disk(alone), grown.Size)
				if err != nil {
					t.Fatal(err)
				}
				like(t, got, want)
			}
			for _, c := range grow(t, d) {
				d.WriteAt(c.Data, c.Offset)
			}
			if more := grow(t, d); len(more) > 0 {
				t.Errorf("cut after %d writes: growing again has %d more writes", cut, len(more))
			}
			got, err := gpt.Read(d, grown.Size)
			if err != nil {
				t.Fatal(err)
			}
			like(t, got, grown)
			verify(t, d)
		}
	}
}

func grow(t testing.TB, d disk) []gpt.Change {
	t.Helper()
	changes, err := gpt.Grow(d, int64(len(d)))
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

func TestGrowTwice(t *testing.T) {
	d := write(t, hybrid(t))
	for range 3 {
		d = append(d, make(disk, 5*mib)...)
		for _, c := range grow(t, d) {
			d.WriteAt(c.Data, c.Offset)
		}
		got, err := gpt.Read(d, int64(len(d)))
		if err != nil {
			t.Fatal(err)
		}
		if p := got.Partitions[3]; p.Start+p.Size != int64(len(d))-mib {
			t.Errorf("on %d bytes the last partition ends at %d", len(d), p.Start+p.Size)
		}
	}
}

func TestGrowMends(t *testing.T) {
	for _, at := range []int{512 + 60, 11*mib - 512 + 60, 11*mib - 512*20} {
		d := write(t, table(t))
		want := bytes.Clone(d)
		d[at] ^= 1
		for _, c := range grow(t, d) {
			d.WriteAt(c.Data, c.Offset)
		}
		got, err := gpt.Read(d, int64(len(d)))
		if err != nil {
			t.Fatal(err)
		}
		like(t, got, table(t))
		if !bytes.Equal(d[len(d)-33*512:], want[len(want)-33*512:]) {
			t.Errorf("byte %d: the backup is not what it was", at)
		}
	}
}

func TestGrowRefusesASmallerDisk(t *testing.T) {
	d := write(t, table(t))
	if _, err := gpt.Grow(d, int64(len(d))-mib); err == nil {
		t.Error("a table was fitted to a disk smaller than its own")
	}
}

// verify asks sgdisk.
func verify(t testing.TB, d disk) {
	t.Helper()
	if _, err := exec.LookPath("sgdisk"); err != nil {
		return
	}
	name := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(name, d, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sgdisk", "--verify", name).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("No problems found")) {
		t.Errorf("sgdisk: %v\n%s", err, out)
	}
}

func TestSgdiskAgrees(t *testing.T) {
	if _, err := exec.LookPath("sgdisk"); err != nil {
		t.Skip("sgdisk (package gdisk) is not installed")
	}
	for _, table := range []gpt.Table{table(t), hybrid(t)} {
		d := write(t, table)
		verify(t, d)
		name := filepath.Join(t.TempDir(), "disk")
		if err := os.WriteFile(name, d, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("sgdisk", "-p", "-i", "4", name).CombinedOutput()
		for _, want := range []string{"données ", "44444444", gpt.TypeLinuxData, "First sector: 16384", "Last sector: 20479"} {
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("sgdisk says nothing of %q: %v\n%s", want, err, out)
			}
		}
	}
}

// FuzzRead has its way with the MBR, a header and the entries; the sums are made right so that it gets past them.
func FuzzRead(f *testing.F) {
	small := gpt.Table{ID: gpt.GUID{1}, Legacy: []gpt.Legacy{{Type: gpt.LegacyFAT32}}}
	for i := range byte(2) {
		small.Partitions = append(small.Partitions, gpt.Partition{Type: gpt.GUID{1}, ID: gpt.GUID{i + 2}, Name: "small", Size: 64 << 10, Start: mib + int64(i)<<17})
	}
	small.Size = 2 * mib
	d := write(f, small)
	f.Add([]byte(d[:1024]), []byte(d[1024:2048]))
	f.Fuzz(func(t *testing.T, start, entries []byte) {
		clear(d[:mib])
		clear(d[2*mib-33*512:])
		copy(d[1024:34*512], entries)
		copy(d, start[:min(len(start), 1024)])
		header := d[512:][:92]
		binary.LittleEndian.PutUint32(header[88:], crc32.ChecksumIEEE(d[1024:34*512]))
		clear(header[16:20])
		binary.LittleEndian.PutUint32(header[16:], crc32.ChecksumIEEE(header))
		table, err := gpt.Read(d, int64(len(d)))
		if err != nil {
			return
		}
		for _, c := range grow(t, d) {
			if _, err := d.WriteAt(c.Data, c.Offset); err != nil {
				t.Fatalf("writing at %d: %v", c.Offset, err)
			}
		}
		if _, err := gpt.Read(d, int64(len(d))); err != nil || len(grow(t, d)) > 0 {
			t.Fatalf("%+v is not right when grown: %v", table, err)
		}
	})
}
