// Package kernel_test lets Linux judge what we write: a machine in QEMU boots from an image, reads its files, and grows it.
package kernel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/appliance/ext4"
	"hearth/appliance/fat32"
	"hearth/appliance/fsck"
	"hearth/appliance/gpt"
	"hearth/appliance/squashfs"
)

const (
	mib      = 1 << 20
	many     = 1000
	diskSize = 64 << 30
	success  = "ALL IS AS IT SHOULD BE"
)

// TestMain is the machine's first process if it has the number of one. The machine has nothing else that could be it.
func TestMain(m *testing.M) {
	if os.Getpid() == 1 && len(os.Args) > 1 {
		box(os.Args[1])
		return
	}
	os.Exit(m.Run())
}

func made() time.Time { return time.Date(2026, 11, 25, 16, 30, 20, 0, time.UTC) }

func noise(seed uint64, size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

// rootFiles are those of the root, but for the first process's program.
func rootFiles() []squashfs.File {
	files := []squashfs.File{
		{Path: "boot", Mode: fs.ModeDir | 0o755},
		{Path: "data", Mode: fs.ModeDir | fs.ModeSticky | 0o750, UID: 70000, GID: 70001},
		{Path: "far", Mode: fs.ModeDevice | 0o600, Major: 4000, Minor: 300000},
		{Path: "link", Mode: fs.ModeSymlink | 0o777, Target: "many/1"},
		{Path: "noise", Mode: 0o600, Data: noise(1, mib+1)},
		{Path: "holes", Mode: 0o640, Data: append(make([]byte, mib), noise(2, 300<<10)...)},
		{Path: "text", Mode: fs.ModeSetuid | 0o711, Data: bytes.Repeat([]byte("compressible\n"), 50000)},
		{Path: "a/b/c/d", Mode: 0o644, Data: []byte("deep\n")},
	}
	for i := range many {
		files = append(files, squashfs.File{Path: fmt.Sprintf("many/%d", i), Mode: 0o644, Data: noise(uint64(i), i)})
	}
	return files
}

// bootFiles have only names in ASCII, since that is what the Raspberry Pi's kernel takes.
func bootFiles() []fat32.File {
	files := []fat32.File{
		{Path: "a/vmlinuz", Data: noise(3, 5*mib+3)},
		{Path: "CONFIG.TXT", Data: []byte("os_prefix=a/\n")},
		{Path: "loader/entries/hearth-a+3-0.conf", Data: []byte("title Hearth\n")},
		{Path: "a name that has more than three parts.txt"},
	}
	for i := range 200 {
		files = append(files, fat32.File{Path: fmt.Sprintf("many/file number %d", i), Data: noise(uint64(i), i)})
	}
	return files
}

func TestLinuxTakesWhatWeWrite(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what boots a virtual machine")
	}
	disk, table := image(t, program(t))
	p := table.Partitions[2]
	data := fmt.Sprintf("%s?offset=%d", disk, p.Start)
	boot(t, disk, "box")
	judge(t, "sgdisk", "--verify", disk)
	if r, err := look(t, disk, p); !errors.Is(err, fsck.ErrJournal) {
		t.Errorf("of a machine without power: %v, %v", r, err)
	}
	boot(t, disk, "sound")
	sound(t, disk, p)
	judge(t, "debugfs", "-w", "-R", "sif /storage/before links_count 7", data)
	judge(t, "debugfs", "-w", "-R", "ssv state 3", data)
	judge(t, "debugfs", "-w", "-R", "ssv error_count 3", data)
	boot(t, disk, "repaired")
	sound(t, disk, p)
	judge(t, "debugfs", "-w", "-R", "clri /storage/before", data)
	judge(t, "debugfs", "-w", "-R", "ssv state 3", data)
	boot(t, disk, "damaged")
	boot(t, disk, "damaged") // whoever starts it again must see the same
}

// boot starts the machine, which is to do something and end.
func boot(t *testing.T, disk, what string) {
	t.Helper()
	qemu, err := exec.LookPath("qemu-system-aarch64")
	if err != nil {
		t.Skip("qemu-system-aarch64 (package qemu-system-arm) is not installed")
	}
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gokrazy/kernel.arm64").Output()
	if err != nil {
		t.Fatalf("finding the kernel: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, qemu, "-M", "virt", "-cpu", "cortex-a53", "-smp", "1", "-m", "512", "-nographic", "-no-reboot",
		"-nic", "none", "-kernel", filepath.Join(strings.TrimSpace(string(folder)), "vmlinuz"),
		"-append", "console=ttyAMA0 quiet root=/dev/vda2 ro rootfstype=squashfs init=/init panic=-1 -- "+what,
		"-drive", "if=none,id=disk,format=raw,cache=unsafe,file="+disk, "-device", "virtio-blk-pci,drive=disk").CombinedOutput()
	if err != nil || !strings.Contains(string(out), success) {
		t.Fatalf("%s: %v\n%s", what, err, out)
	}
	t.Logf("%s: %s", what, out)
}

// look checks a partition.
func look(t *testing.T, disk string, p gpt.Partition) (*fsck.Report, error) {
	t.Helper()
	f, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return fsck.Check(io.NewSectionReader(f, p.Start, diskSize-p.Start), diskSize-p.Start)
}

// sound fails the test unless a partition is.
func sound(t *testing.T, disk string, p gpt.Partition) {
	t.Helper()
	begun := time.Now()
	r, err := look(t, disk, p)
	if err != nil || !r.Sound() || r.Marked {
		t.Errorf("the file system: %v, %v", r, err)
	}
	t.Logf("a check of %d inodes takes %v", r.Inodes, time.Since(begun))
	judge(t, "e2fsck", "-f", "-n", fmt.Sprintf("%s?offset=%d", disk, p.Start))
}

// judge asks another program what it thinks of the disk that the machine left.
func judge(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Logf("%s is not installed: it was not asked", name)
		return
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

// program returns this test, compiled for the machine.
func program(t *testing.T) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "init")
	compile := exec.Command("go", "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", name, ".")
	compile.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compiling for the machine: %v\n%s", err, out)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// image writes a disk of 64 GiB with an image of a few MiB, and returns its name and the image's table.
func image(t *testing.T, program []byte) (name string, table gpt.Table) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "disk")
	disk, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	table.ID = gpt.GUID{1}
	for i, size := range []int64{64 * mib, 32 * mib, 64 * mib} {
		table.Partitions = append(table.Partitions, gpt.Partition{Type: gpt.MustParseGUID(gpt.TypeLinuxData), ID: gpt.GUID{byte(i + 2)}, Size: size})
	}
	table.Size = gpt.Arrange(table.Partitions)
	table.Legacy = []gpt.Legacy{{Type: gpt.LegacyFAT32}}
	part := func(i int) io.WriterAt { return io.NewOffsetWriter(disk, table.Partitions[i].Start) }
	root := append(rootFiles(), squashfs.File{Path: "init", Mode: 0o755, Data: program}, squashfs.File{Path: "dev", Mode: fs.ModeDir | 0o755}, squashfs.File{Path: "sys", Mode: fs.ModeDir | 0o755})
	_, rootErr := squashfs.Write(part(1), root, squashfs.Options{Time: made(), Workers: 2})
	err = errors.Join(rootErr, disk.Truncate(diskSize), table.Write(disk),
		fat32.Write(part(0), bootFiles(), fat32.Options{Size: 64 * mib, Start: table.Partitions[0].Start, Label: "BOOT", ID: 1, Time: made()}),
		ext4.Write(part(2), ext4.Options{Size: 64 * mib, UUID: [16]byte{1}, Label: "data", Time: made(), Directories: []ext4.Directory{{Path: "storage", Mode: 0o700}}}))
	if err != nil {
		t.Fatal(err)
	}
	return name, table
}
