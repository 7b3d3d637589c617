package squashfs_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/appliance/squashfs"
)

func options() squashfs.Options {
	return squashfs.Options{Time: time.Date(2026, 11, 25, 16, 30, 20, 0, time.UTC), Workers: 2}
}

// text is what compresses, noise what does not.
func text(seed, size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "line %d of file %d\n", i, seed)
	}
	return b.Bytes()[:size]
}

func noise(seed uint64, size int) []byte {
	b := make([]byte, size)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// files are of all kinds, with all that is special about sizes.
func files() []squashfs.File {
	const block = 128 << 10
	holes := slices.Concat(make([]byte, 2*block), text(1, block), make([]byte, block+5))
	out := []squashfs.File{
		{Path: "init", Mode: 0o755, Data: text(2, 3*block+17)},
		{Path: "exact", Mode: 0o644, Data: text(3, 2*block)},
		{Path: "noise", Mode: 0o600, Data: noise(4, 2*block+1)},
		{Path: "holes", Mode: 0o644, Data: holes},
		{Path: "zeros", Mode: 0o644, Data: make([]byte, 4*block)},
		{Path: "short zeros", Mode: 0o644, Data: make([]byte, 100)},
		{Path: "empty", Mode: 0o644},
		{Path: "copy of init", Mode: 0o755, Data: text(2, 3*block+17)},
		{Path: "etc/hosts", Mode: 0o644, Data: []byte("127.0.0.1 localhost\n"), Time: time.Unix(0, 0)},
		{Path: "etc/copy", Mode: 0o640, UID: 1000, GID: 100, Data: []byte("127.0.0.1 localhost\n")},
		{Path: "etc/resolv.conf", Mode: fs.ModeSymlink | 0o777, Target: "/run/resolv.conf"},
		{Path: "dev", Mode: fs.ModeDir | 0o750, UID: 7},
		{Path: "dev/null", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666, Major: 1, Minor: 3},
		{Path: "dev/far", Mode: fs.ModeDevice | 0o600, Major: 259, Minor: 2},
		{Path: "dev/pipe", Mode: fs.ModeNamedPipe | 0o600},
		{Path: "dev/socket", Mode: fs.ModeSocket | 0o600},
		{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		{Path: "su", Mode: fs.ModeSetuid | fs.ModeSetgid | 0o755, Data: []byte("#!")},
		{Path: "a/b/c/" + strings.Repeat("n", 255), Mode: 0o444, Data: text(5, 5)},
		{Path: "grüße 🔥", Mode: 0o444, Data: text(6, 66)},
	}
	for i := range 1500 { // more than fit one block of inodes, one run of a listing, a small directory
		out = append(out, squashfs.File{Path: fmt.Sprintf("many/file with a name that is long %d", i), Mode: 0o644, Data: text(i, i%100)})
	}
	return out
}

// image returns the name of a file with an image.
func image(t testing.TB, files []squashfs.File, o squashfs.Options) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "squashfs"))
	if err != nil {
		t.Fatal(err)
	}
	size, err := squashfs.Write(f, files, o)
	if err := errors.Join(err, f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func unsquashfs(t testing.TB, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("unsquashfs"); err != nil {
		t.Skip("unsquashfs (package squashfs-tools) is not installed")
	}
	cmd := exec.Command("unsquashfs", args...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("unsquashfs %v: %v\n%s", args, err, &complaint)
	}
	return string(out)
}

func TestUnsquashfsListsWhatIsWritten(t *testing.T) {
	out := unsquashfs(t, "-lln", image(t, files(), options()))
	var got []string
	for line := range strings.Lines(out) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	for _, want := range []string{
		"drwxr-xr-x 0/0 3%d 2026-11-25 16:30 squashfs-root",
		"-rwxr-xr-x 0/0 393233 2026-11-25 16:30 squashfs-root/init",
		"-rw-r--r-- 0/0 20 1970-01-01 00:00 squashfs-root/etc/hosts",
		"-rw-r----- 1000/100 20 2026-11-25 16:30 squashfs-root/etc/copy",
		"lrwxrwxrwx 0/0 16 2026-11-25 16:30 squashfs-root/etc/resolv.conf -> /run/resolv.conf",
		"drwxr-x--- 7/0 %d 2026-11-25 16:30 squashfs-root/dev",
		"crw-rw-rw- 0/0 1, 3 2026-11-25 16:30 squashfs-root/dev/null",
		"brw------- 0/0 259, 2 2026-11-25 16:30 squashfs-root/dev/far",
		"prw------- 0/0 0 2026-11-25 16:30 squashfs-root/dev/pipe",
		"srw------- 0/0 0 2026-11-25 16:30 squashfs-root/dev/socket",
		"drwxrwxrwt 0/0 3 2026-11-25 16:30 squashfs-root/tmp",
		"-rwsr-sr-x 0/0 2 2026-11-25 16:30 squashfs-root/su",
		"drwxr-xr-x 0/0 %d 2026-11-25 16:30 squashfs-root/a/b/c",
	} {
		if !slices.ContainsFunc(got, func(line string) bool { return line == want || strings.Contains(want, "%d") && like(line, want) }) {
			t.Errorf("%q is not in the list", want)
		}
	}
	if len(got) != len(files())+6 {
		t.Errorf("%d lines, want %d", len(got), len(files())+6)
	}
	if t.Failed() {
		t.Log(strings.Join(got[:30], "\n"))
	}
}

// like reports whether a line is as wanted but for the number that stands in the place of %d.
func like(line, want string) bool {
	before, after, _ := strings.Cut(want, "%d")
	return strings.HasPrefix(line, strings.TrimRight(before, "3")) && strings.HasSuffix(line, after)
}

func TestUnsquashfsExtractsWhatIsWritten(t *testing.T) {
	for _, size := range []int{0, 4096, 1 << 20} {
		o := options()
		o.BlockSize = size
		regular := slices.DeleteFunc(files(), func(f squashfs.File) bool { return f.Mode.Type() != 0 && !f.Mode.IsDir() })
		dir := filepath.Join(t.TempDir(), "root")
		unsquashfs(t, "-n", "-q", "-strict-errors", "-d", dir, image(t, regular, o))
		count := 0
		for _, f := range regular {
			if f.Mode.IsDir() {
				continue
			}
			count++
			if got, err := os.ReadFile(filepath.Join(dir, f.Path)); err != nil || !bytes.Equal(got, f.Data) {
				t.Errorf("blocks of %d: %s: %d bytes, want %d: %v", size, f.Path, len(got), len(f.Data), err)
			}
		}
		err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				count--
			}
			return err
		})
		if err != nil || count != 0 {
			t.Errorf("%d files more or less than there were: %v", -count, err)
		}
	}
}

func TestEmptyImage(t *testing.T) {
	out := unsquashfs(t, "-s", image(t, nil, options()))
	for _, want := range []string{"Compression gzip", "Block size 131072", "Number of inodes 1", "Wed Nov 25 16:30:20 2026", "Number of fragments 0"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestSameInputSameBytes(t *testing.T) {
	want, err := os.ReadFile(image(t, files(), options()))
	if err != nil {
		t.Fatal(err)
	}
	reversed := files()
	slices.Reverse(reversed)
	for workers := range 5 {
		o := options()
		o.Workers = workers
		if got, err := os.ReadFile(image(t, reversed, o)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the image that %d workers made is another one: %v", workers, err)
		}
	}
}

func TestCopiesAndZerosTakeNoSpace(t *testing.T) {
	once, twice := memory{}, memory{}
	a, errA := squashfs.Write(&once, []squashfs.File{{Path: "a", Data: noise(1, 1<<20)}}, options())
	b, errB := squashfs.Write(&twice, []squashfs.File{{Path: "a", Data: noise(1, 1<<20)}, {Path: "b", Data: noise(1, 1<<20)}, {Path: "c", Data: make([]byte, 1<<20)}}, options())
	if errA != nil || errB != nil || b > a+4096 {
		t.Errorf("%d and %d bytes: %v, %v", a, b, errA, errB)
	}
}

// memory is a file in memory.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if end := int(off) + len(p); end > len(m.b) {
		m.b = append(m.b, make([]byte, end-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

// TestExampleOfListing reads the package comment's example from an image.
func TestExampleOfListing(t *testing.T) {
	var m memory
	if _, err := squashfs.Write(&m, []squashfs.File{{Path: "init", Mode: 0o755}}, options()); err != nil {
		t.Fatal(err)
	}
	block := m.b[binary.LittleEndian.Uint64(m.b[72:]):]
	size, b := binary.LittleEndian.Uint16(block), block[2:]
	if size&0x8000 != 0 {
		b = b[:size&0x7fff]
	} else {
		r, err := zlib.NewReader(bytes.NewReader(b[:size]))
		if err == nil {
			b, err = io.ReadAll(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := "000000000000000001000000" + "0000000002000300696e6974"; hex.EncodeToString(b) != want {
		t.Errorf("got %x, want %s", b, want)
	}
}

func TestWhatIsNotWritten(t *testing.T) {
	change := func(change func(*squashfs.Options)) squashfs.Options {
		o := options()
		change(&o)
		return o
	}
	for what, c := range map[string]struct {
		files []squashfs.File
		o     squashfs.Options
	}{
		"twice":                {[]squashfs.File{{Path: "a"}, {Path: "a"}}, options()},
		"file as directory":    {[]squashfs.File{{Path: "a"}, {Path: "a/b"}}, options()},
		"directory as file":    {[]squashfs.File{{Path: "a/b"}, {Path: "a"}}, options()},
		"root that is a file":  {[]squashfs.File{{Path: "."}}, options()},
		"absolute":             {[]squashfs.File{{Path: "/a"}}, options()},
		"long name":            {[]squashfs.File{{Path: strings.Repeat("n", 256)}}, options()},
		"before 1970":          {[]squashfs.File{{Path: "a", Time: time.Unix(-1, 0)}}, options()},
		"irregular":            {[]squashfs.File{{Path: "a", Mode: fs.ModeIrregular}}, options()},
		"directory with data":  {[]squashfs.File{{Path: "a", Mode: fs.ModeDir, Data: []byte("b")}}, options()},
		"link to nothing":      {[]squashfs.File{{Path: "a", Mode: fs.ModeSymlink}}, options()},
		"file with a target":   {[]squashfs.File{{Path: "a", Target: "b"}}, options()},
		"device of no number":  {[]squashfs.File{{Path: "a", Mode: fs.ModeDevice, Major: 4096}}, options()},
		"block of no size":     {nil, change(func(o *squashfs.Options) { o.BlockSize = 5000 })},
		"block that is large":  {nil, change(func(o *squashfs.Options) { o.BlockSize = 2 << 20 })},
		"image without a time": {nil, change(func(o *squashfs.Options) { o.Time = time.Time{} })},
	} {
		if _, err := squashfs.Write(new(memory), c.files, c.o); err == nil {
			t.Errorf("%s: it was written", what)
		}
	}
}

// full is a file that takes so many bytes.
type full int64

func (f full) WriteAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > int64(f) {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestFullDisk(t *testing.T) {
	var m memory
	some := files()[:20]
	size, err := squashfs.Write(&m, some, options())
	if err != nil {
		t.Fatal(err)
	}
	for room := int64(0); room < size; room += size / 37 {
		if _, err := squashfs.Write(full(room), some, options()); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("with room for %d of %d bytes: %v", room, size, err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	name, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	program, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(program)))
	var size int64
	for b.Loop() {
		if size, err = squashfs.Write(new(memory), []squashfs.File{{Path: "init", Mode: 0o755, Data: program}}, options()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/float64(len(program)), "ratio")
}
