package vmtest_test

import (
	"crypto/ed25519"
	"encoding/json"
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
)

// fault is a text of a source file and what stands in its place in a version with that fault.
type fault struct{ file, was, is string }

// impatient has a version be undone after a minute, so that a test need not wait for four.
func impatient() fault {
	return fault{"appliance/agent/doc.go", "const TrialPatience = 4 * time.Minute", "const TrialPatience = time.Minute"}
}

// dying has the first process end.
func dying() []fault { return []fault{{"appliance/main.go", "\t\tpid1()\n", "\t\tos.Exit(1)\n"}} }

// frozen has the first process start the watchdog, and then do nothing any more.
func frozen() []fault {
	const file = "appliance/main.go"
	return []fault{
		{file, "\t\tpid1()\n", "\t\tfreeze()\n"},
		{file, "import (\n", "import (\n\t\"time\"\n\n\t\"hearth/appliance/boot\"\n"},
		{file, "func main() {\n", `func freeze() {
	_, err := boot.OpenWatchdog("/dev/watchdog")
	for {
		println("frozen", err)
		time.Sleep(time.Hour)
	}
}

func main() {
`},
	}
}

// hanging has the homeserver never become ready, and heed no wish to end.
func hanging() []fault {
	const file = "homeserver/main.go"
	return []fault{impatient(),
		{file, "import \"hearth/process\"", "import (\n\t\"context\"\n\t\"time\"\n\n\t\"hearth/process\"\n)"},
		{file, "func main() { process.Main(\"homeserver\", run) }", `func main() { process.Main("homeserver", hang) }

func hang(context.Context, []string, process.Streams) error {
	for {
		time.Sleep(time.Hour)
	}
}
`}}
}

// mute has the homeserver be well, and take no message.
func mute() []fault {
	return []fault{impatient(), {"homeserver/clientapi/room_send.go", "a.authed(a.send))",
		"func(http.ResponseWriter, *http.Request) error { return matrix.Errorf(http.StatusInternalServerError, matrix.MUnknown, \"Nothing is sent\") })"}}
}

// version makes a version of this source tree, with faults.
func version(t *testing.T, board, name string, number uint64, faults ...fault) *image.System {
	t.Helper()
	source := sourceFolder(t)
	b, err := image.ReadBoard(source, board)
	if err != nil {
		t.Fatal(err)
	}
	contents, err := image.ReadContents(source, "home")
	if err != nil {
		t.Fatal(err)
	}
	v := image.NamedVersion(name, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	v.Number = number
	system, err := image.Make(t.Context(), image.Options{
		Source: source, Overlay: overlay(t, source, faults), Board: b, Contents: contents, Version: v, Programs: t.TempDir(),
		Settings: []string{"server_name = vm.test", "homeserver.registration = open", "homeserver.rate_limits = false"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return system
}

func sourceFolder(t *testing.T) string {
	t.Helper()
	folder, err := image.Source(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// overlay writes the files with faults, and the list of them that the go command takes.
func overlay(t *testing.T, source string, faults []fault) string {
	t.Helper()
	if len(faults) == 0 {
		return ""
	}
	folder, replace := t.TempDir(), make(map[string]string)
	for i, f := range faults {
		original := filepath.Join(source, filepath.FromSlash(f.file))
		if replace[original] == "" {
			replace[original] = original
		}
		text, err := os.ReadFile(replace[original])
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), f.was) != 1 {
			t.Fatalf("%s does not hold once %q: the fault must be made in another way", f.file, f.was)
		}
		replace[original] = filepath.Join(folder, string(rune('a'+i))+".go")
		if err := os.WriteFile(replace[original], []byte(strings.Replace(string(text), f.was, f.is, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// garbage makes a version whose root holds noise.
func garbage(t *testing.T, board string, number uint64) *image.System {
	t.Helper()
	system := version(t, board, "garbage", number)
	system.Root = slices.Clone(system.Root)
	rand.NewChaCha8([32]byte{}).Read(system.Root)
	return system
}

// bundle writes a version's bundle, signed by the owner of a machine.
func (m *machine) bundle(t *testing.T, system *image.System) string {
	t.Helper()
	file, err := os.CreateTemp(m.folder, "bundle")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := ota.Write(file, system.Manifest, system.Sources(), m.owner(t)); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

func (m *machine) owner(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	laptop := agent.Laptop{Folder: filepath.Join(m.folder, "hearth")}
	key, _, err := laptop.Key()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// command builds the owner's command.
func command(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "appliance")
	c := exec.CommandContext(t.Context(), "go", "build", "-o", name, "./appliance")
	c.Dir = sourceFolder(t)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	return name
}
