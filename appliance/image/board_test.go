package image

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hearth/settings"
)

const source = "../.."

func TestBoards(t *testing.T) {
	names, err := BoardNames(source)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"arm64-uefi", "pc", "pi3", "pi4", "pi5", "qemu-amd64", "qemu-arm64", "zero2w"}; !slices.Equal(names, want) {
		t.Errorf("the boards are %v, want %v", names, want)
	}
	for _, name := range names {
		if _, err := ReadBoard(source, name); err != nil {
			t.Error(err)
		}
	}
}

// TestPinnedFiles checks each board against the modules that go.mod pins: all its files are there, and its kernel fits.
func TestPinnedFiles(t *testing.T) {
	names, err := BoardNames(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			b, err := ReadBoard(source, name)
			if err != nil {
				t.Fatal(err)
			}
			found, err := b.modules(t.Context(), source)
			if err != nil {
				t.Fatal(err)
			}
			kernel := found[b.Kernel.Module]
			text, err := os.ReadFile(filepath.Join(kernel.Dir, "vmlinuz"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.checkKernel(kernel, text); err != nil {
				t.Error(err)
			}
			for _, c := range []struct {
				module   module
				patterns []string
			}{
				{kernel, b.Kernel.DeviceTrees},
				{kernel, inFolder("overlays", b.Kernel.Overlays)},
				{found[b.Firmware.Module], b.Firmware.Files},
			} {
				if _, err := c.module.match(c.patterns); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestFaultsOfBoards(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(source, boardFolder, "pi4.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"arch =", "arhc =", ":2: setting arhc: there is no such setting; did you mean arch?"},
		{"[memory]", "[memory]\nswap = 1", ":22: setting memory.swap: there is no such setting; there are "},
		{`"arm64"`, `"riscv64"`, `:2: setting arch: "riscv64" is neither arm64 nor amd64`},
		{`"tryboot"`, `"grub"`, `:3: setting boot: "grub" is none of tryboot, systemd-boot, direct`},
		{"console=tty1 console=serial0,115200", "quiet", ":4: setting command_line: it has no console="},
		{`module = "github.com/gokrazy/kernel.rpi"`, ``, ": setting kernel.module: it is missing: an image needs a kernel"},
		{`"gpu_mem=32"`, `"kernel=mine"`, ":16: setting firmware.config: the line \"kernel=mine\" would decide what starts"},
		{`boot = "256MiB"`, `boot = "64MiB"`, ":28: setting partitions.boot: it has 64MiB, less than 256MiB"},
		{`"384MiB"`, `"900MiB"`, ":22: setting memory.size: the programs want 1188MiB, more than three quarters of 1GiB"},
		{`homeserver = "384MiB"`, ``, ": setting memory.homeserver: it is missing"},
		{`files = ["start4.elf", "fixup4.dat"]`, ``, ": setting firmware.files: give both module and files, or neither"},
	} {
		path := filepath.Join(t.TempDir(), "pi4.toml")
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), c.old, c.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readBoard(path)
		wantFault(t, err, path+c.want)
	}
}

// TestFaultsOfKernels checks a kernel's module that is not pinned, one for another processor, one whose modules do not fit, and
// a watchdog that is not in it.
func TestFaultsOfKernels(t *testing.T) {
	for _, c := range []struct {
		board string
		wrong func(*Board)
		want  string
	}{
		{"qemu-arm64", func(b *Board) { b.Kernel.Module = "github.com/gokrazy/kernel.amd64" }, "qemu-arm64.toml:8: setting kernel.module: github.com/gokrazy/kernel.amd64@"},
		{"qemu-amd64", func(b *Board) { b.Kernel.Modules = true }, "qemu-amd64.toml:10: setting kernel.modules: github.com/gokrazy/kernel.amd64@"},
		{"pi4", func(b *Board) { b.Watchdogs = []string{"sp5100_tco"} }, "pi4.toml:5: setting watchdogs: the kernel of github.com/gokrazy/kernel.rpi@"},
	} {
		b, err := ReadBoard(source, c.board)
		if err != nil {
			t.Fatal(err)
		}
		c.wrong(b)
		found, err := b.modules(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		m := found[b.Kernel.Module]
		text, err := os.ReadFile(filepath.Join(m.Dir, "vmlinuz"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.checkKernel(m, text)
		wantFault(t, err, filepath.Join(source, boardFolder, c.want))
	}
}

func TestModulesMustBePinned(t *testing.T) {
	b, err := ReadBoard(source, "qemu-arm64")
	if err != nil {
		t.Fatal(err)
	}
	b.Kernel.Module = "github.com/gokrazy/kernel.arm46"
	_, err = b.modules(t.Context(), source)
	wantFault(t, err, filepath.Join(source, boardFolder, "qemu-arm64.toml:8: setting kernel.module: finding the module github.com/gokrazy/kernel.arm46: "))
}

func wantFault(t *testing.T, err error, want string) {
	t.Helper()
	var fault *settings.Error
	if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s...", err, want)
	}
}

func TestNamesThatAreNot(t *testing.T) {
	if _, err := ReadBoard(source, "pi9"); err == nil || !strings.HasPrefix(err.Error(), `there is no board "pi9"; there are arm64-uefi, pc, pi3,`) {
		t.Errorf("got %v", err)
	}
	if _, err := ReadContents(source, "../board-configs/pi4"); err == nil || err.Error() != `there is no image "../board-configs/pi4"; there are home, minimal` {
		t.Errorf("got %v", err)
	}
}

func TestContents(t *testing.T) {
	names, err := ContentsNames(source)
	if err != nil || !slices.Equal(names, []string{"home", "minimal"}) {
		t.Fatalf("the images are %v, %v", names, err)
	}
	for _, name := range names {
		if _, err := ReadContents(source, name); err != nil {
			t.Error(err)
		}
	}
}

func TestSettingsThatAreSecret(t *testing.T) {
	for line, want := range map[string]string{
		"server_name=example.org":             "",
		"homeserver.registration = closed":    "",
		"registration_secret_file=/data/x":    "",
		"homeserver.registration_secret=abc":  "homeserver.registration_secret is a secret, and no secret is ever in an image: set it on the box",
		"turn.password = x":                   "turn.password is a secret, and no secret is ever in an image: set it on the box",
		"a=-----BEGIN EC PRIVATE KEY-----":    "the value of a looks like a private key, and no secret is ever in an image: make it on the box",
		"server_name":                         `"server_name" is not a setting: want KEY=VALUE on one line`,
		"a=b\nhomeserver.registration=open":   `"a=b\nhomeserver.registration=open" is not a setting: want KEY=VALUE on one line`,
		"# homeserver.registration = closed ": `"# homeserver.registration = closed " is not a setting: want KEY=VALUE on one line`,
	} {
		if got := CheckSetting(line); (got == nil) != (want == "") || got != nil && got.Error() != want {
			t.Errorf("%q: got %v, want %s", line, got, want)
		}
	}
}
