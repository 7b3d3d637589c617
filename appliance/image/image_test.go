package image

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/appliance/box"
	"hearth/appliance/fat32"
	"hearth/appliance/firmware"
	"hearth/appliance/gpt"
	"hearth/appliance/ota"
	"hearth/appliance/powercut"
)

// madeOf builds an image for a test, of the version 1.0, and returns its file.
func madeOf(t *testing.T, board, contents, programs string, lines ...string) (string, *System) {
	t.Helper()
	b, err := ReadBoard(source, board)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ReadContents(source, contents)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Make(t.Context(), Options{Source: source, Board: b, Contents: c, Programs: programs, Settings: lines,
		Version: NamedVersion("1.0", time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), board+".img")
	var total, written int64
	if _, err := s.WriteImage(path, func(n int64) { total = n }, func(n int64) { written = n }); err != nil {
		t.Fatal(err)
	}
	if total == 0 || written < total {
		t.Errorf("%d bytes of %d were reported", written, total)
	}
	return path, s
}

// TestImages builds images for three boards and looks at all that is in them, and at the first twice.
func TestImages(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what builds all programs")
	}
	if raced {
		again(t)
		return
	}
	programs := t.TempDir()
	path, s := madeOf(t, "pi4", "home", programs, "server_name=example.org")
	t.Run("same bytes", func(t *testing.T) {
		second, _ := madeOf(t, "pi4", "home", t.TempDir(), "server_name=example.org")
		sameFile(t, path, second)
	})
	t.Run("size", func(t *testing.T) {
		if size := len(s.Root); size > 25e6 {
			t.Errorf("the root has %d bytes, more than 25 MB", size)
		}
	})
	t.Run("pi4", func(t *testing.T) {
		look(t, path, s)
		boot := bootOf(t, path)
		if got := string(boot["hearth.txt"]); !strings.HasSuffix(got, "\nserver_name=example.org\n") {
			t.Errorf("the owner's settings are %s", got)
		}
		if sum(boot["pieeprom.upd"])+"\n" != string(boot["pieeprom.sig"]) {
			t.Error("pieeprom.sig is not the hash of pieeprom.upd")
		}
		start, err := firmware.RaspberryPi(powercut.NewFAT(texts(boot), ""), false)
		wantStart(t, start, err, s)
	})
	for _, board := range []string{"arm64-uefi", "qemu-arm64"} {
		t.Run(board, func(t *testing.T) {
			path, s := madeOf(t, board, "minimal", programs)
			look(t, path, s)
			if board == "arm64-uefi" {
				start, err := firmware.SystemdBoot(powercut.NewFAT(texts(bootOf(t, path)), ""))
				wantStart(t, start, err, s)
			}
		})
	}
}

// again runs a test without the race detector, which makes compression twenty times slower: what of it runs in several
// goroutines is raced by the tests of package squashfs.
func again(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run", "^"+t.Name()+"$", ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func sameFile(t *testing.T, a, b string) {
	t.Helper()
	sizeA, sumA, err := FileSum(a)
	if err != nil {
		t.Fatal(err)
	}
	sizeB, sumB, err := FileSum(b)
	if err != nil {
		t.Fatal(err)
	}
	if sizeA != sizeB || sumA != sumB {
		t.Errorf("two images of the same source are %d bytes, %s, and %d bytes, %s", sizeA, sumA, sizeB, sumB)
	}
}

func wantStart(t *testing.T, start firmware.Start, err error, s *System) {
	t.Helper()
	want := firmware.Start{Kernel: "a/vmlinuz", CommandLine: strings.ReplaceAll(s.Manifest.CommandLine, ota.SlotMark, "a")}
	if err != nil || start != want {
		t.Errorf("the firmware starts %+v, %v, want %+v", start, err, want)
	}
	for _, part := range []string{"root=PARTLABEL=hearth-root-a ", box.CommandLine, "console="} {
		if !strings.Contains(start.CommandLine, part) {
			t.Errorf("the command line %s lacks %s", start.CommandLine, part)
		}
	}
}

func openImage(t *testing.T, path string) (*os.File, gpt.Table) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	table, err := gpt.Read(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return f, table
}

// bootOf returns the files of an image's boot partition.
func bootOf(t *testing.T, path string) map[string][]byte {
	t.Helper()
	f, table := openImage(t, path)
	volume, err := OpenBoot(f, table.Size)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	err = fs.WalkDir(volume, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[name], err = fs.ReadFile(volume, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func texts(files map[string][]byte) map[string]string {
	all := make(map[string]string)
	for name, data := range files {
		all[name] = string(data)
	}
	return all
}

// look checks an image against its manifest and against package box, has the tools of others judge its parts, and looks for
// secrets in all of it.
func look(t *testing.T, path string, s *System) {
	t.Helper()
	f, table := openImage(t, path)
	var names []string
	parts := make(map[string]string)
	for _, p := range table.Partitions {
		names = append(names, p.Name)
		parts[p.Name] = cut(t, f, p)
	}
	if want := []string{box.BootPartition, box.RootAPartition, box.RootBPartition, box.DataPartition}; !slices.Equal(names, want) {
		t.Fatalf("the partitions are %v, want %v", names, want)
	}
	judge(t, "No problems found", "sgdisk", "--verify", path)
	judge(t, "", "fsck.vfat", "-n", parts[box.BootPartition])
	judge(t, "", "e2fsck", "-fn", parts[box.DataPartition])
	if data, err := os.ReadFile(parts[box.RootBPartition]); err != nil || len(bytes.Trim(data, "\x00")) != 0 {
		t.Errorf("slot b is not empty: %v", err)
	}
	files := bootOf(t, path)
	lookAtManifest(t, f, table, files)
	for name, data := range unpack(t, parts[box.RootAPartition], s) {
		files["root/"+name] = data
	}
	lookForSecrets(t, files)
}

// cut copies a partition into a file of its own.
func cut(t *testing.T, f io.ReaderAt, p gpt.Partition) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), p.Name)
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, io.NewSectionReader(f, p.Start, p.Size)); err != nil {
		t.Fatal(err)
	}
	return path
}

// judge runs a tool that must be content and print want. Without the tool it says so.
func judge(t *testing.T, want, tool string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + tool)
	}
	if err != nil {
		t.Logf("%s is not installed, and does not judge", tool)
		return
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, out)
	}
}

// lookAtManifest compares the manifests on the boot partition with what is there.
func lookAtManifest(t *testing.T, f io.ReaderAt, table gpt.Table, files map[string][]byte) {
	t.Helper()
	var m Manifest
	if err := json.Unmarshal(files[ManifestFile], &m); err != nil {
		t.Fatal(err)
	}
	root := make([]byte, table.Partitions[1].Size)
	if _, err := f.ReadAt(root, table.Partitions[1].Start); err != nil {
		t.Fatal(err)
	}
	named := []string{ManifestFile, "hearth.txt"}
	for _, file := range m.Files {
		named = append(named, file.Name)
		data := files[file.Name]
		if file.Name == ota.RootFile {
			data = root[:file.Size]
		}
		if int64(len(data)) != file.Size || sum(data) != file.SHA256 {
			t.Errorf("%s is not what the manifest says", file.Name)
		}
	}
	for name := range files {
		if !slices.Contains(named, name) {
			t.Errorf("%s is not in the manifest", name)
		}
	}
	installed, err := (&ota.Box{Boot: powercut.NewFAT(texts(files), ""), Board: m.Board}).Installed(ota.A)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range installed.Manifest.Files {
		data := files["a/"+file.Name]
		if file.Name == ota.RootFile {
			data = root[:file.Size]
		}
		if sum(data) != file.SHA256 {
			t.Errorf("%s of slot a is not what its manifest says", file.Name)
		}
	}
	if installed.Manifest.Version != "1.0" || installed.Manifest.Board != m.Board {
		t.Errorf("slot a holds %s for %s", installed.Manifest.Version, installed.Manifest.Board)
	}
}

// unpack returns the files of a root, and checks that it is as package box says.
func unpack(t *testing.T, root string, s *System) map[string][]byte {
	t.Helper()
	tool, err := exec.LookPath("unsquashfs")
	if err != nil {
		t.Log("unsquashfs is not installed: what is in the root is taken from before it was packed")
		return before(t, s)
	}
	folder := filepath.Join(t.TempDir(), "root")
	if out, err := exec.CommandContext(t.Context(), tool, "-q", "-n", "-no-xattrs", "-d", folder, root).CombinedOutput(); err != nil {
		t.Fatalf("unsquashfs: %v\n%s", err, out)
	}
	for _, name := range box.MountPoints() {
		if entries, err := os.ReadDir(filepath.Join(folder, name)); err != nil || len(entries) > 0 {
			t.Errorf("%s is no empty folder: %v", name, err)
		}
	}
	files := make(map[string][]byte)
	err = fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files[name], err = os.ReadFile(filepath.Join(folder, name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{box.Init, "/bin/storage", box.Settings, box.Version, box.Board, box.Certificates, box.Resolvers, "/etc/hosts", sbomFile} {
		if _, ok := files[strings.TrimPrefix(name, "/")]; !ok {
			t.Errorf("the root has no %s", name)
		}
	}
	return files
}

func before(t *testing.T, s *System) map[string][]byte {
	t.Helper()
	list, err := s.rootFiles()
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, file := range list {
		files[file.Path] = file.Data
	}
	return files
}

// lookForSecrets looks into every file of an image for keys, and for files that are named like one. (CVE-2026-24044)
func lookForSecrets(t *testing.T, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		if at := findPrivateKey(data); at >= 0 {
			t.Errorf("%s holds a private key at %d", name, at)
		}
		if base := filepath.Base(name); strings.HasSuffix(base, ".key") || strings.HasSuffix(base, ".pem") || strings.Contains(base, "shadow") ||
			strings.HasPrefix(base, "id_") || base == "machine-id" || base == "random-seed" {
			t.Errorf("%s is named like a secret", name)
		}
	}
	if _, ok := files["root/bin/storage"]; !ok {
		t.Error("the root was not looked at")
	}
}

// TestSecretsAreFound sees that the checks for secrets would find one.
func TestSecretsAreFound(t *testing.T) {
	for text, want := range map[string]bool{
		"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n":        true,
		"x\n-----BEGIN OPENSSH PRIVATE KEY-----\r\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAA\n":              true,
		"ed25519 a_1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n":                                              true,
		"local. hmac-sha256. AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n":                                     true,
		"the text -----BEGIN PRIVATE KEY----- in a program, and -----BEGIN CERTIFICATE-----\nMC4CAQAwBQYDK2VwBC": false,
	} {
		if got := findPrivateKey([]byte(strings.Repeat("x\n", 1000)+text)) >= 0; got != want {
			t.Errorf("%q: found %v, want %v", text, got, want)
		}
	}
}

func TestRootThatDoesNotFit(t *testing.T) {
	b, err := ReadBoard(source, "pi4")
	if err != nil {
		t.Fatal(err)
	}
	s := &System{Root: make([]byte, b.Partitions.Root+1), options: Options{Board: b}}
	wantFault(t, s.checkSizes(), filepath.Join(source, boardFolder, "pi4.toml:29: setting partitions.root: the root image has 64 MiB, more than 64MiB"))
	s = &System{Files: []SlotFile{{"vmlinuz", make([]byte, 110<<20)}}, options: Options{Board: b}}
	wantFault(t, s.checkSizes(), filepath.Join(source, boardFolder, "pi4.toml:28: setting partitions.boot: two slots and the firmware need "))
}

func FuzzReadManifest(f *testing.F) {
	f.Add([]byte(`{"version":"1.0","try":{"arch":"arm64"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		out := make(sparse)
		if err := fat32.Write(out, []fat32.File{{Path: ManifestFile, Data: text}}, fat32.Options{Size: 34 << 20, Label: "X", Time: time.Unix(1e9, 0)}); err != nil {
			t.Fatal(err)
		}
		volume, err := fat32.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		var want Manifest
		_, err = ReadManifest(volume)
		if valid := json.Unmarshal(text, &want) == nil; valid && err != nil {
			t.Errorf("%q is not read: %v", text, err)
		}
	})
}

// sparse is a file of 4 KiB blocks, of which only those exist that were written.
type sparse map[int64]*[4096]byte

func (s sparse) WriteAt(p []byte, at int64) (int, error) {
	for i, c := range p {
		n := at + int64(i)
		if s[n/4096] == nil {
			s[n/4096] = new([4096]byte)
		}
		s[n/4096][n%4096] = c
	}
	return len(p), nil
}

func (s sparse) ReadAt(p []byte, at int64) (int, error) {
	for i := range p {
		n := at + int64(i)
		p[i] = 0
		if b := s[n/4096]; b != nil {
			p[i] = b[n%4096]
		}
	}
	return len(p), nil
}
