package main

import (
	"bytes"
	"context"
	"encoding/json"
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

	"hearth/appliance/agent"
	"hearth/appliance/image"
	"hearth/appliance/ota"
	"hearth/matrix"
	"hearth/matrix/wire"
	"hearth/process"
)

// updateBoard is the board on which updates are tried: the real systemd-boot chooses.
const updateBoard = "arm64-uefi"

// A release is a version that is pushed to the box, and how it is made from the source tree.
type release struct {
	name string
	edit [3]string                  // a source file, and what in it is replaced by what
	bend func(system *image.System) // changes what was built
	want string                     // the end of the sentence that says why it was undone; empty if it is kept
}

// releases are what is pushed, one after the other: versions that fail in every way, and a good one.
func releases() []release {
	return []release{
		{name: "garbage", want: "the new one did not start.", bend: func(s *image.System) {
			s.Root = make([]byte, 1<<20)
			random := rand.New(rand.NewPCG(1, 2))
			for i := range s.Root {
				s.Root[i] = byte(random.Uint32())
			}
		}},
		{name: "exits", want: "the new one did not start.", bend: func(s *image.System) { // its first process ends at once
			s.Manifest.CommandLine = strings.Replace(s.Manifest.CommandLine, "init=/bin/appliance", "init=/bin/storage", 1)
		}},
		{name: "mute", want: "...sending a message: ...the store does not take it", edit: [3]string{"homeserver/clientapi/room_send.go",
			"typ, txn := ", "if known != \"\" {\nreturn matrix.Errorf(500, matrix.MUnknown, \"the store does not take it\")\n}\ntyp, txn := "}},
		{name: "good"},
		{name: "hangs", want: "...homeserver: ...", edit: [3]string{"homeserver/main.go",
			`process.Main("homeserver", run)`, `process.Ready(); select {}`}},
	}
}

// TestVMUpdates pushes versions to a box in a virtual machine. It comes back from each bad one by itself, with every message.
// It takes a quarter of an hour, most of which is the patience of boxes, and runs with HEARTH_VMTEST set, as make vmtest does.
func TestVMUpdates(t *testing.T) {
	if os.Getenv("HEARTH_VMTEST") == "" {
		t.Skip("HEARTH_VMTEST is not set")
	}
	if _, err := exec.LookPath("qemu-system-aarch64"); err != nil {
		t.Skip("qemu-system-aarch64 is not installed: make needs installs it on Debian")
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	folder := t.TempDir()
	u := &updates{t: t, source: sourceOf(t), folder: folder}
	u.flash()
	u.boot()
	before := u.send("before all updates")
	version := "1.0"
	for _, r := range releases() {
		begin := time.Now()
		result := u.push(r)
		t.Logf("%s: %s (%.0f s)", r.name, result.Sentence, time.Since(begin).Seconds())
		if r.want == "" {
			version = r.name
		}
		if result.Updated != (r.want == "") || result.Version != version || r.want != "" && !fits(result.Sentence, "..."+strings.TrimPrefix(r.want, "...")+"...") {
			t.Errorf("%s: %+v, want %s", r.name, result, r.want)
		}
		u.holds(before, "before all updates")
		u.holds(u.send("after "+r.name), "after "+r.name)
	}
}

// updates is a box in a virtual machine, and who uses it.
type updates struct {
	t          *testing.T
	source     string
	folder     string
	url        string
	management string
	client     *wire.Client
	room       matrix.RoomID
}

func sourceOf(t *testing.T) string {
	t.Helper()
	source, err := image.Source(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// flash builds the first version.
func (u *updates) flash() {
	u.t.Helper()
	u.t.Chdir(u.source)
	args := []string{"build", "--board", updateBoard, "--version", "1.0", "--out", u.folder, "--json", "--set", "homeserver.registration=open"}
	if err := run(u.t.Context(), args, process.Streams{Out: io.Discard, Err: io.Discard}); err != nil {
		u.t.Fatal(err)
	}
}

// boot turns the machine on until the test ends, and registers its user.
func (u *updates) boot() {
	u.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	console := new(bytes.Buffer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		args := []string{"run", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0", "--disk", filepath.Join(u.folder, "disk"), "--json",
			filepath.Join(u.folder, "hearth-"+updateBoard+".img")}
		writer.CloseWithError(run(ctx, args, process.Streams{Out: writer, Err: console}))
	}()
	u.t.Cleanup(func() {
		cancel()
		<-done
		if u.t.Failed() {
			u.t.Logf("the console says\n%s", console)
		}
	})
	var where struct{ URL, Management string }
	if err := json.NewDecoder(reader).Decode(&where); err != nil {
		u.t.Fatalf("the machine does not come up: %v", err)
	}
	u.url, u.management = where.URL, where.Management
	u.client = wire.NewClient(u.url)
	u.t.Cleanup(u.client.Close)
	if err := u.client.Register(u.t.Context(), "alice", "correct horse"); err != nil {
		u.t.Fatal(err)
	}
	var err error
	if u.room, err = u.client.CreateRoom(u.t.Context(), wire.CreateRoom{Preset: "private_chat"}); err != nil {
		u.t.Fatal(err)
	}
}

func (u *updates) send(text string) matrix.EventID {
	u.t.Helper()
	id, err := u.client.SendText(u.t.Context(), u.room, text, text)
	if err != nil {
		u.t.Fatal(err)
	}
	return id
}

func (u *updates) holds(id matrix.EventID, text string) {
	u.t.Helper()
	event, err := u.client.Event(u.t.Context(), u.room, id)
	if err != nil || !strings.Contains(string(event.Content), text) {
		u.t.Errorf("the message %q comes back as %s: %v", text, event.Content, err)
	}
}

// push makes a release and updates the box to it.
func (u *updates) push(r release) updated {
	u.t.Helper()
	file := filepath.Join(u.folder, r.name+".bundle")
	u.make(r, file)
	var out bytes.Buffer
	err := run(u.t.Context(), []string{"update", "--bundle", file, "--json", u.management}, process.Streams{Out: &out, Err: io.Discard})
	var result updated
	if broken := json.Unmarshal(out.Bytes(), &result); broken != nil {
		u.t.Fatalf("updating to %s: %v", r.name, err)
	}
	return result
}

// make builds a release from a source tree that is changed for it.
func (u *updates) make(r release, file string) {
	u.t.Helper()
	source := u.source
	if r.edit[0] != "" {
		source = filepath.Join(u.folder, r.name)
		copySource(u.t, u.source, source)
		name := filepath.Join(source, filepath.FromSlash(r.edit[0]))
		text := readTestFile(u.t, name)
		if !strings.Contains(text, r.edit[1]) {
			u.t.Fatalf("%s does not contain %q", r.edit[0], r.edit[1])
		}
		writeTestFile(u.t, name, []byte(strings.Replace(text, r.edit[1], r.edit[2], 1)))
	}
	system, err := makeSystem(u.t.Context(), source, &order{board: updateBoard, image: "home", version: r.name, newest: true}, io.Discard)
	if err != nil {
		u.t.Fatal(err)
	}
	if r.bend != nil {
		r.bend(system)
	}
	laptop, err := agent.OpenLaptop()
	if err != nil {
		u.t.Fatal(err)
	}
	key, _, err := laptop.Key()
	if err != nil {
		u.t.Fatal(err)
	}
	var b bytes.Buffer
	if err := ota.Write(&b, system.Manifest, system.Sources(), key); err != nil {
		u.t.Fatal(err)
	}
	writeTestFile(u.t, file, b.Bytes())
}

// copySource copies a source tree without what was built from it.
func copySource(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "bin", "data", "node_modules"}, relative) {
			return fs.SkipDir
		}
		if !entry.Type().IsRegular() || entry.Name() == ".git" {
			return nil
		}
		writeTestFile(t, filepath.Join(to, relative), []byte(readTestFile(t, name)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
