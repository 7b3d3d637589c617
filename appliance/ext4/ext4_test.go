package ext4_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/appliance/ext4"
)

const mib = 1 << 20

func options(size int64) ext4.Options {
	return ext4.Options{
		Size: size, Label: "data", Time: time.Date(2026, 11, 25, 16, 30, 20, 0, time.UTC),
		UUID: [16]byte{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8},
	}
}

// image returns the name of a sparse file with the file system.
func image(t testing.TB, o ext4.Options) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "ext4"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(o.Size), ext4.Write(f, o), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// tool skips the test if a judge is not there, and returns what it says.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s (package e2fsprogs) is not installed: make needs installs it on Debian", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func TestE2fsckAgrees(t *testing.T) {
	for _, size := range []int64{32 * mib, 64 * mib, 128 * mib, 200*mib + 4096, 256 * mib, 512 * mib, 1280 * mib, 2048 * mib} {
		name := image(t, options(size))
		out := tool(t, "e2fsck", "-f", "-n", "-v", name)
		for _, bad := range []string{"Fix?", "IGNORED", "WARNING", "optimiz", "expected"} {
			if strings.Contains(out, bad) {
				t.Errorf("%d bytes:\n%s", size, out)
			}
		}
	}
}

func TestDumpe2fsAgrees(t *testing.T) {
	out := tool(t, "dumpe2fs", image(t, options(256*mib)))
	var lines []string
	for line := range strings.Lines(out) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{
		"Filesystem volume name: data", "Filesystem UUID: 12345678-9abc-def0-0102-030405060708", "Filesystem state: clean",
		"Filesystem features: has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg sparse_super large_file huge_file dir_nlink extra_isize metadata_csum",
		"Errors behavior: Remount read-only", "Block count: 65536", "Inode count: 4096", "Reserved GDT blocks: 128",
		"Filesystem created: Wed Nov 25 16:30:20 2026", "Total journal blocks: 4096", "Checksum type: crc32c", "Free inodes: 4085",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in\n%s", want, all)
		}
	}
}

func TestDirectories(t *testing.T) {
	o := options(64 * mib)
	o.Directories = []ext4.Directory{
		{Path: ".", Mode: 0o711, UID: 1},
		{Path: "storage", Mode: 0o700, UID: 70000, GID: 70001},
		{Path: "log", Mode: fs.ModeSticky | fs.ModeSetgid | 0o777},
		{Path: "storage/deeper", Mode: 0o750},
	}
	name := image(t, o)
	if out := tool(t, "e2fsck", "-f", "-n", name); strings.Contains(out, "Fix?") {
		t.Errorf("e2fsck:\n%s", out)
	}
	for path, want := range map[string]string{
		"/":               "Mode:  0711 User:     1 Group:     0",
		"/lost+found":     "Mode:  0700 User:     0 Group:     0",
		"/storage":        "Mode:  0700 User: 70000 Group: 70001",
		"/log":            "Mode:  03777 User:     0 Group:     0",
		"/storage/deeper": "Mode:  0750 User:     0 Group:     0",
	} {
		out := tool(t, "debugfs", "-R", "stat "+path, name)
		if got, want := strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " "); !strings.Contains(got, "Type: directory") ||
			!strings.Contains(strings.ReplaceAll(got, "Flags: 0x80000 Generation: 0 Version: 0x00000000:00000000 ", ""), strings.SplitN(want, " User", 2)[0]) ||
			!strings.Contains(got, want[strings.Index(want, "User"):]) {
			t.Errorf("%s: want %s, got\n%s", path, want, out)
		}
	}
}

// TestResize2fsGrows lets e2fsprogs grow it as far as a large card, and checks that the inode of reserved blocks served.
func TestResize2fsGrows(t *testing.T) {
	name := image(t, options(64*mib))
	for _, size := range []int64{7 << 30, 64 << 30} {
		if err := os.Truncate(name, size); err != nil {
			t.Fatal(err)
		}
		tool(t, "e2fsck", "-f", "-p", name)
		tool(t, "resize2fs", name)
		out := tool(t, "e2fsck", "-f", "-n", name)
		if strings.Contains(out, "Fix?") {
			t.Errorf("%d bytes:\n%s", size, out)
		}
		if out := tool(t, "dumpe2fs", "-h", name); !strings.Contains(out, "resize_inode") || !strings.Contains(out, fmt.Sprint(size/4096)) {
			t.Errorf("%d bytes:\n%s", size, out)
		}
	}
}

func TestSameInputSameBytes(t *testing.T) {
	o := options(32 * mib)
	a, errA := os.ReadFile(image(t, o))
	b, errB := os.ReadFile(image(t, o))
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("the file systems differ: %v, %v", errA, errB)
	}
}

func TestWhatIsNotWritten(t *testing.T) {
	for what, spoil := range map[string]func(*ext4.Options){
		"small":             func(o *ext4.Options) { o.Size = 16 * mib },
		"large":             func(o *ext4.Options) { o.Size = 2049 * mib },
		"half a block":      func(o *ext4.Options) { o.Size += 512 },
		"short last group":  func(o *ext4.Options) { o.Size = 128*mib + 4096 },
		"small journal":     func(o *ext4.Options) { o.Journal = mib },
		"large journal":     func(o *ext4.Options) { o.Journal = 256 * mib },
		"journal too large": func(o *ext4.Options) { o.Journal = 63 * mib },
		"odd journal":       func(o *ext4.Options) { o.Journal = 8*mib + 1 },
		"long label":        func(o *ext4.Options) { o.Label = strings.Repeat("l", 17) },
		"no UUID":           func(o *ext4.Options) { o.UUID = [16]byte{} },
		"no time":           func(o *ext4.Options) { o.Time = time.Time{} },
		"orphan":            func(o *ext4.Options) { o.Directories = []ext4.Directory{{Path: "a/b"}} },
		"twice":             func(o *ext4.Options) { o.Directories = []ext4.Directory{{Path: "a"}, {Path: "a"}} },
		"lost+found":        func(o *ext4.Options) { o.Directories = []ext4.Directory{{Path: "lost+found"}} },
		"absolute":          func(o *ext4.Options) { o.Directories = []ext4.Directory{{Path: "/a"}} },
		"a link":            func(o *ext4.Options) { o.Directories = []ext4.Directory{{Path: "a", Mode: fs.ModeSymlink}} },
		"long name":         func(o *ext4.Options) { o.Directories = []ext4.Directory{{Path: strings.Repeat("n", 256)}} },
		"too many": func(o *ext4.Options) {
			for i := range 300 {
				o.Directories = append(o.Directories, ext4.Directory{Path: fmt.Sprintf("directory %d", i)})
			}
		},
	} {
		o := options(64 * mib)
		spoil(&o)
		if err := ext4.Write(nowhere{}, o); err == nil {
			t.Errorf("%s: it was written", what)
		}
	}
}

type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// failing fails at the n-th write.
type failing struct{ n int }

func (f *failing) WriteAt(p []byte, _ int64) (int, error) {
	if f.n--; f.n < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestFullDisk(t *testing.T) {
	for n := 0; ; n++ {
		err := ext4.Write(&failing{n}, options(64*mib))
		if err == nil {
			if n < 130 {
				t.Errorf("%d writes sufficed", n)
			}
			return
		}
		if !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("failing at write %d: %v", n, err)
		}
	}
}
