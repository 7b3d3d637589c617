package fat32_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"hearth/appliance/fat32"
)

const mib = 1 << 20

func options() fat32.Options {
	return fat32.Options{Size: 64 * mib, Start: mib, Label: "HEARTH", ID: 0x1234abcd, Time: time.Date(2026, 11, 25, 16, 30, 20, 0, time.UTC)}
}

// content returns so many bytes that tell files from each other.
func content(seed, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + seed)
	}
	return b
}

// files are those of a boot partition, and what is hard about names.
func files() []fat32.File {
	out := []fat32.File{
		{Path: "config.txt", Data: []byte("os_prefix=a/\n"), Time: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Path: "EMPTY"},
		{Path: "a/vmlinuz", Data: content(1, 3*mib+17)},
		{Path: "a/overlays/README", Data: content(2, 4096)},
		{Path: "a/overlays/a name of more than twenty-six characters.dtbo", Data: content(3, 1)},
		{Path: "a/cmdline.txt", Data: content(4, 100)},
		{Path: "loader/entries/hearth-a+3-0.conf", Data: content(5, 2048)},
		{Path: "loader/entries/thirteen.conf", Data: content(6, 2049)},
		{Path: "loader/entries/" + strings.Repeat("n", 255), Data: content(7, 3)},
		{Path: "EFI/BOOT/BOOTX64.EFI", Data: content(8, 70000)},
		{Path: "grüße 🔥 日本.txt", Data: content(9, 9)},
		{Path: ".hidden.d/two.dots.conf", Data: content(10, 9)},
		{Path: "void", Directory: true},
	}
	for i := range 300 {
		out = append(out, fat32.File{Path: fmt.Sprintf("many/file number %d", i), Data: content(i, i)})
	}
	return out
}

// image returns the name of a sparse file with the volume.
func image(t testing.TB, files []fat32.File, o fat32.Options) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "fat"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := errors.Join(f.Truncate(o.Size), fat32.Write(f, files, o)); err != nil {
		t.Fatal(err)
	}
	return f
}

func open(t testing.TB, r io.ReaderAt) *fat32.Volume {
	t.Helper()
	v, err := fat32.Open(r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// contents returns all files of a tree.
func contents(t testing.TB, fsys fs.FS) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		all[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// want is what contents should return.
func want(files []fat32.File) map[string]string {
	all := make(map[string]string)
	for _, f := range files {
		if !f.Directory {
			all[f.Path] = string(f.Data)
		}
	}
	return all
}

func same(t testing.TB, got, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[name]; !ok || g != want[name] {
			t.Errorf("%s: %v, %d bytes, want %d", name, ok, len(g), len(want[name]))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is there, who knows why", name)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, size := range []int64{64 * mib, 256 * mib, 300 * mib, 9 << 30} {
		o := options()
		o.Size = size
		v := open(t, image(t, files(), o))
		same(t, contents(t, v), want(files()))
		if v.Label() != "HEARTH" || v.ID() != 0x1234abcd {
			t.Errorf("label %q, identifier %x", v.Label(), v.ID())
		}
	}
}

func TestVolumeIsAFileSystem(t *testing.T) {
	short := files()
	for i := range short {
		short[i].Data = short[i].Data[:min(len(short[i].Data), 5000)] // it reads them byte by byte
	}
	v := open(t, image(t, short, options()))
	if err := fstest.TestFS(v, "config.txt", "a/vmlinuz", "many/file number 17", "void"); err != nil {
		t.Error(err)
	}
	if _, err := v.Open("config.txt/more"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path through a file: %v", err)
	}
	if _, err := v.ReadDir("config.txt"); err == nil {
		t.Error("a file was listed")
	}
}

func TestTimesAndCase(t *testing.T) {
	v := open(t, image(t, files(), options()))
	for name, want := range map[string]time.Time{"CONFIG.txt": time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), "A/VMLINUZ": options().Time, "void": options().Time} {
		info, err := v.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if !info.ModTime().Equal(want) {
			t.Errorf("%s: %v, want %v", name, info.ModTime(), want)
		}
	}
}

func TestSameInputSameBytes(t *testing.T) {
	reversed := files()
	slices.Reverse(reversed)
	a, errA := os.ReadFile(image(t, files(), options()).Name())
	b, errB := os.ReadFile(image(t, reversed, options()).Name())
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("the volumes differ: %v, %v", errA, errB)
	}
}

func TestWhatIsNotWritten(t *testing.T) {
	name := func(names ...string) (out []fat32.File) {
		for _, n := range names {
			out = append(out, fat32.File{Path: n})
		}
		return out
	}
	change := func(change func(*fat32.Options)) fat32.Options {
		o := options()
		change(&o)
		return o
	}
	for what, c := range map[string]struct {
		files []fat32.File
		o     fat32.Options
	}{
		"twice":               {name("a", "a"), options()},
		"case only":           {name("a", "A"), options()},
		"case only, deeper":   {name("a/b", "A/c"), options()},
		"file as directory":   {name("a", "a/b"), options()},
		"directory as file":   {name("a/b", "a"), options()},
		"root":                {name("."), options()},
		"not clean":           {name("a//b"), options()},
		"above":               {name("../a"), options()},
		"absolute":            {name("/a"), options()},
		"dot at the end":      {name("a."), options()},
		"colon":               {name("a:b"), options()},
		"control character":   {name("a\tb"), options()},
		"not UTF-8":           {name("a\xff"), options()},
		"too long":            {name(strings.Repeat("n", 256)), options()},
		"directory with data": {[]fat32.File{{Path: "a", Directory: true, Data: []byte("b")}}, options()},
		"too early":           {[]fat32.File{{Path: "a", Time: time.Unix(0, 0)}}, options()},
		"too large":           {[]fat32.File{{Path: "a", Data: make([]byte, 64*mib)}}, options()},
		"small":               {nil, change(func(o *fat32.Options) { o.Size = 32 * mib })},
		"half a sector":       {nil, change(func(o *fat32.Options) { o.Size++ })},
		"huge":                {nil, change(func(o *fat32.Options) { o.Size = 1 << 42 })},
		"no label":            {nil, change(func(o *fat32.Options) { o.Label = "" })},
		"label in lower case": {nil, change(func(o *fat32.Options) { o.Label = "hearth" })},
		"long label":          {nil, change(func(o *fat32.Options) { o.Label = "HEARTHHEARTH" })},
		"no time":             {nil, change(func(o *fat32.Options) { o.Time = time.Time{} })},
	} {
		if err := fat32.Write(nowhere{}, c.files, c.o); err == nil {
			t.Errorf("%s: it was written", what)
		}
	}
}

type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// tool skips the test if a judge is not there, and returns what it says.
func tool(t *testing.T, from, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s (package %s) is not installed", name, from)
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MTOOLS_SKIP_CHECK=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func TestFsckAgrees(t *testing.T) {
	for _, size := range []int64{64 * mib, 256 * mib, 300 * mib, 9 << 30} {
		o := options()
		o.Size = size
		out := tool(t, "dosfstools", "fsck.vfat", "-n", "-v", image(t, files(), o).Name())
		for _, bad := range []string{"differ", "wrong", "Free cluster summary", "Dirty", "Bad", "bad", "truncat"} {
			if strings.Contains(out, bad) {
				t.Errorf("%d bytes:\n%s", size, out)
				break
			}
		}
	}
}

func TestMtoolsAgrees(t *testing.T) {
	files := slices.DeleteFunc(files(), func(f fat32.File) bool { return strings.Contains(f.Path, "🔥") }) // mtools knows no surrogates
	f := image(t, files, options())
	tool(t, "mtools", "mdir", "-/", "-i", f.Name(), "::")
	for _, file := range files {
		if file.Directory || strings.HasPrefix(file.Path, "many/") {
			continue
		}
		if out := tool(t, "mtools", "mtype", "-i", f.Name(), "::"+file.Path); out != string(file.Data) {
			t.Errorf("%s: %d bytes, want %d", file.Path, len(out), len(file.Data))
		}
	}
	dir := t.TempDir()
	tool(t, "mtools", "mcopy", "-s", "-i", f.Name(), "::", dir)
	same(t, contents(t, os.DirFS(dir)), want(files))
}

// TestOthersVolumesAreRead reads what mkfs.vfat and mtools make, with fragmented files.
func TestOthersVolumesAreRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fat")
	tool(t, "dosfstools", "mkfs.vfat", "-C", "-F", "32", "-n", "OTHER", "-i", "deadbeef", name, "70000")
	source := t.TempDir()
	all := make(map[string]string)
	put := func(file string, size int) {
		all[file] = string(content(len(all), size))
		if err := os.WriteFile(filepath.Join(source, file), []byte(all[file]), 0o600); err != nil {
			t.Fatal(err)
		}
		tool(t, "mtools", "mcopy", "-i", name, filepath.Join(source, file), "::"+file)
	}
	for i := range 12 {
		put(fmt.Sprintf("piece %d.txt", i), 5000)
	}
	for i := 0; i < 12; i += 2 {
		file := fmt.Sprintf("piece %d.txt", i)
		tool(t, "mtools", "mdel", "-i", name, "::"+file)
		delete(all, file)
	}
	put("in pieces", 60<<20)
	put("lower.txt", 10)
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := open(t, f)
	same(t, contents(t, v), all)
	if v.Label() != "OTHER" || v.ID() != 0xdeadbeef {
		t.Errorf("label %q, identifier %x", v.Label(), v.ID())
	}
}

// dataOffset is where cluster 2 of a volume of 64 MiB is.
const dataOffset = (32 + 2*1016) * 512

// patch is a volume of 64 MiB of which these parts count and the rest is zero.
type patch struct{ boot, table, data []byte }

func (p *patch) parts() map[int64][]byte {
	return map[int64][]byte{0: p.boot, 32 * 512: p.table, dataOffset: p.data}
}

func (p *patch) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off > 64*mib-int64(len(b)) {
		return 0, io.EOF
	}
	clear(b)
	for at, part := range p.parts() {
		if from := max(at, off); from < min(at+int64(len(part)), off+int64(len(b))) {
			copy(b[from-off:], part[from-at:])
		}
	}
	return len(b), nil
}

// WriteAt keeps what belongs to a part.
func (p *patch) WriteAt(b []byte, off int64) (int, error) {
	for at, part := range p.parts() {
		if from := max(at, off); from < min(at+int64(len(part)), off+int64(len(b))) {
			copy(part[from-at:], b[from-off:])
		}
	}
	return len(b), nil
}

func FuzzVolume(f *testing.F) {
	seed := patch{make([]byte, 512), make([]byte, 256), make([]byte, 16384)}
	names := []fat32.File{{Path: "config.txt", Data: content(1, 700)}, {Path: "a/b/hearth-a+3-0.conf", Data: content(2, 10)}, {Path: "EMPTY"}}
	if err := fat32.Write(&seed, names, options()); err != nil {
		f.Fatal(err)
	}
	same(f, contents(f, open(f, &seed)), want(names))
	f.Add(seed.boot, seed.table, seed.data)
	f.Fuzz(func(t *testing.T, boot, table, data []byte) {
		v, err := fat32.Open(&patch{boot[:min(len(boot), 512)], table[:min(len(table), 4096)], data[:min(len(data), 16384)]})
		if err != nil {
			return
		}
		seen := 0
		fs.WalkDir(v, ".", func(name string, d fs.DirEntry, err error) error {
			if seen++; seen > 10 {
				return fs.SkipAll
			}
			if err != nil {
				return fs.SkipDir
			}
			if file, err := v.Open(name); err == nil && !d.IsDir() {
				io.CopyN(io.Discard, file, 1<<16)
			}
			return nil
		})
	})
}
