package fsck_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hearth/appliance/ext4"
	"hearth/appliance/fsck"
)

const (
	mib       = 1 << 20
	blockSize = 4096
)

// tool runs a program of e2fsprogs with an input, and returns what it prints. It skips the test if the program is not there.
func tool(t testing.TB, input, name string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s (package e2fsprogs) is not installed: make needs installs it on Debian", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8", "DEBUGFS_PAGER=cat")
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is tool for what must work.
func must(t testing.TB, input, name string, args ...string) string {
	t.Helper()
	out, err := tool(t, input, name, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

// debug has debugfs change a file system.
func debug(t testing.TB, file string, commands ...string) {
	t.Helper()
	out := must(t, strings.Join(commands, "\n")+"\n", "debugfs", "-w", "-f", "-", file)
	for line := range strings.Lines(out) {
		fine := strings.HasPrefix(line, "debugfs") || strings.HasPrefix(line, "Allocated inode") || strings.HasPrefix(line, "Checksum set")
		if !fine && strings.TrimSpace(line) != "" {
			t.Fatalf("debugfs: %s", out)
		}
	}
}

// judge returns whether e2fsck finds a file system sound, and what it says.
func judge(t testing.TB, file string) (bool, string) {
	t.Helper()
	out, err := tool(t, "", "e2fsck", "-fn", file)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode()&^(4|8) != 0) { // damaged, or too much to go on
		t.Fatalf("e2fsck: %v\n%s", err, out)
	}
	return err == nil && !strings.Contains(out, "? no"), out
}

// check checks a file.
func check(t testing.TB, file string) (*fsck.Report, error) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return fsck.Check(f, info.Size())
}

// ours makes a file system as the box has, with what debugfs puts there: it has files in one piece and in many, a deep tree
// of extents, folders, links of both kinds, a device, attributes.
func ours(t testing.TB, size int64) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ours")
	o := ext4.Options{Size: size, Label: "data", Time: time.Date(2026, 11, 25, 16, 30, 20, 0, time.UTC),
		UUID:        [16]byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8},
		Directories: []ext4.Directory{{Path: "storage", Mode: 0o700, UID: 1001, GID: 1001}},
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(size), ext4.Write(f, o), f.Close()); err != nil {
		t.Fatal(err)
	}
	debug(t, file, fill(t)...)
	return file
}

// fill returns what debugfs is to do to fill a file system.
func fill(t testing.TB) []string {
	t.Helper()
	folder := t.TempDir()
	content := filepath.Join(folder, "content")
	if err := os.WriteFile(content, bytes.Repeat([]byte("content\n"), 3000), 0o600); err != nil {
		t.Fatal(err)
	}
	holes := filepath.Join(folder, "holes")
	f, err := os.Create(holes)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 600 { // each block alone
		if _, err := f.WriteAt([]byte("x"), int64(i)*2*blockSize); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	commands := []string{"mkdir /log", "mkdir /log/deep", "mkdir /log/deep/deeper"}
	for i := range 40 {
		commands = append(commands, fmt.Sprintf("write %s /storage/%06d.sst", content, i))
	}
	return append(commands,
		"write "+holes+" /storage/holes", "write "+content+" /log/deep/deeper/a", "ln /log/deep/deeper/a /log/b", "sif /log/b links_count 2",
		"symlink /short target", "symlink /long "+strings.Repeat("target/", 12), "mknod null c 1 3", "mknod pipe p",
		"ea_set /log/b user.a value", "ea_set /storage/000001.sst user.large "+strings.Repeat("v", 200),
	)
}

// legion is how many names a folder has whose hash tree has two levels.
const legion = 8000

// theirs makes a file system by mke2fs, with folders that have hash trees. That of the last has so many names, which takes long if
// these are many.
func theirs(t testing.TB, size int64, last int) string {
	t.Helper()
	folder := t.TempDir()
	for name, count := range map[string]int{"few": 3, "many": 300, "legion": last} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
		first := filepath.Join(folder, name, "first")
		if err := os.WriteFile(first, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		for i := range count {
			text := fmt.Sprintf("%d-%s", i, strings.Repeat("ä", 115-i%20))
			if err := os.Link(first, filepath.Join(folder, name, text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "theirs")
	must(t, "", "mke2fs", "-q", "-t", "ext4", "-b", "4096", "-I", "256", "-N", "8192", "-O", "metadata_csum,64bit,^orphan_file", "-d", folder, file, fmt.Sprint(size/1024)+"k")
	tool(t, "", "e2fsck", "-fyD", file) // makes the hash trees
	return file
}

// reproduce copies a file system without its zeros.
func reproduce(t testing.TB, text []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "copy")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(len(text))); err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, blockSize)
	for at := 0; at < len(text); at += blockSize {
		if b := text[at:min(at+blockSize, len(text))]; !bytes.Equal(b, zeros[:len(b)]) {
			if _, err := f.WriteAt(b, int64(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// grown makes a file system as the box has, and has resize2fs make it larger, beyond what fits into a block of descriptors.
func grown(t testing.TB, size int64) string {
	t.Helper()
	file := ours(t, 64*mib)
	if err := os.Truncate(file, size); err != nil {
		t.Fatal(err)
	}
	must(t, "", "resize2fs", file)
	return file
}

// made makes an empty file system by mke2fs, with features, on a disk with bad blocks.
func made(t testing.TB, size int64, features string, bad ...int) string {
	t.Helper()
	file, list := filepath.Join(t.TempDir(), "made"), filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(list, []byte(strings.Trim(fmt.Sprint(bad), "[]")), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "", "mke2fs", "-q", "-t", "ext4", "-b", "4096", "-I", "256", "-l", list, "-O", "metadata_csum,64bit,^orphan_file,"+features, file, fmt.Sprint(size/1024)+"k")
	return file
}

// TestSound looks at file systems that nothing is wrong with, and compares how much is in use.
func TestSound(t *testing.T) {
	count := regexp.MustCompile(`(\d+)/\d+ files .* (\d+)/\d+ blocks`)
	for name, file := range map[string]string{
		"ours": ours(t, 64*mib), "ours in several groups": ours(t, 512*mib), "ours, grown": grown(t, 12<<30), "theirs": theirs(t, 64*mib, 200),
		"descriptors elsewhere": made(t, 12<<30, "meta_bg,^resize_inode"), "a seed": made(t, 64*mib, "metadata_csum_seed"),
		"no flexible groups": made(t, 300*mib, "^flex_bg"), "no reserved blocks": made(t, 300*mib, "^resize_inode"),
		"bad blocks": made(t, 64*mib, "flex_bg", 9000, 9001, 9002, 9003, 9004, 9005, 9006, 9007, 9008, 9009, 9010, 9011, 9012, 9013),
	} {
		sound, out := judge(t, file)
		if !sound {
			t.Fatalf("%s: e2fsck says\n%s", name, out)
		}
		r, err := check(t, file)
		if err != nil || !r.Sound() || r.Marked || !r.Repairable() {
			t.Errorf("%s: %v, %v", name, r, err)
			continue
		}
		// E2fsck counts the reserved inodes that have no use too.
		unused := map[string]int{"descriptors elsewhere": 8, "no reserved blocks": 8, "bad blocks": 6}[name]
		if used := count.FindStringSubmatch(out); used == nil || used[1] != fmt.Sprint(r.Inodes+cmp.Or(unused, 7)) || used[2] != fmt.Sprint(r.Blocks) {
			t.Errorf("%s: %d inodes and %d blocks are in use, and e2fsck says\n%s", name, r.Inodes, r.Blocks, out)
		}
	}
}
