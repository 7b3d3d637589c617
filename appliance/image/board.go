package image

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hearth/appliance/box"
	"hearth/settings"
)

// Board is what an image must know of the machine that it is for: one file of board-configs.
type Board struct {
	Name string // of its file, without .toml

	Description string   `toml:"description" doc:"The machines that it is for, in a few words."`
	Arch        string   `toml:"arch" doc:"Their processor, as Go calls it: arm64 or amd64."`
	Boot        Method   `toml:"boot" doc:"Who starts the kernel and chooses the slot: tryboot, systemd-boot, or direct, which is QEMU's -kernel and has no updates."`
	CommandLine string   `toml:"command_line" doc:"What the kernel's command line has beside what every image has: the console, and what the hardware needs."`
	Watchdogs   []string `toml:"watchdogs" doc:"The kernel drivers of hardware watchdogs that the machines may have, which start them anew when PID 1 hangs. They must be built into the kernel."`

	Kernel     Kernel     `toml:"kernel"`
	Firmware   Firmware   `toml:"firmware"`
	Memory     Memory     `toml:"memory"`
	Partitions Partitions `toml:"partitions"`
	QEMU       QEMU       `toml:"qemu"`

	file *settings.File
}

// Kernel is where the kernel comes from.
type Kernel struct {
	Module      string   `toml:"module" doc:"The Go module that holds it as vmlinuz, pinned by go.mod."`
	Modules     bool     `toml:"modules" doc:"Whether the image takes the kernel's loadable modules, which must be of the same version."`
	DeviceTrees []string `toml:"device_trees" doc:"Names or patterns of its device trees, such as bcm2711-*.dtb."`
	Overlays    []string `toml:"overlays" doc:"Names or patterns of its device tree overlays, such as disable-bt.dtbo."`
}

// Firmware is what a board's own firmware reads before it starts a kernel. It belongs to no slot.
type Firmware struct {
	Module       string   `toml:"module" doc:"The Go module that holds it; empty for none."`
	Files        []string `toml:"files" doc:"Names or patterns of its files."`
	Config       []string `toml:"config" doc:"The lines of config.txt, beside the one that chooses the slot."`
	EEPROMModule string   `toml:"eeprom_module" doc:"The Go module that holds the boot loader in the board's EEPROM, which is written when it is older; empty for none."`
	EEPROM       string   `toml:"eeprom" doc:"The name of that boot loader's file."`
}

// Memory is how much the smallest of the machines has, and what of it the programs try to stay within.
type Memory struct {
	Size       settings.Bytes `toml:"size" doc:"Memory of the smallest of the machines."`
	Storage    settings.Bytes `toml:"storage" doc:"What storage tries to stay within."`
	DNSPrimary settings.Bytes `toml:"dnsprimary" doc:"What dnsprimary tries to stay within."`
	Homeserver settings.Bytes `toml:"homeserver" doc:"What homeserver tries to stay within."`
}

// Partitions are the sizes of the partitions. There are two of Root.
type Partitions struct {
	Boot settings.Bytes `toml:"boot" doc:"Size of the boot partition, which holds two kernels: at least 256MiB."`
	Root settings.Bytes `toml:"root" doc:"Size of each of the two root partitions, with room for later versions."`
	Data settings.Bytes `toml:"data" doc:"Size of the data partition in the image; the box grows it to the disk's end."`
}

// QEMU is the virtual machine in which appliance run tries the image.
type QEMU struct {
	Machine string   `toml:"machine" doc:"QEMU's -machine."`
	CPU     string   `toml:"cpu" doc:"QEMU's -cpu."`
	UEFI    bool     `toml:"uefi" doc:"Whether it boots as the real machine does, by UEFI; otherwise QEMU starts the kernel itself."`
	Console string   `toml:"console" doc:"The serial console in the virtual machine, if it is not that of command_line: it takes its place."`
	Options []string `toml:"options" doc:"QEMU's other options."`
}

// Method is a boot method.
type Method string

// The boot methods.
const (
	TryBoot     Method = "tryboot"      // the Raspberry Pi's firmware
	SystemdBoot Method = "systemd-boot" // UEFI
	Direct      Method = "direct"       // QEMU's -kernel
)

// leastBoot is the least size of a boot partition: smaller ones may not be FAT32, and two kernels need it.
const leastBoot = 256 << 20

// BoardNames lists the boards of a source tree, in alphabetical order.
func BoardNames(source string) ([]string, error) { return configNames(source, boardFolder) }

// Folders of the source tree.
const (
	boardFolder    = "board-configs"
	contentsFolder = "images"
)

func configNames(source, folder string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(source, folder, "*.toml"))
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", folder, err)
	}
	for i, path := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(path), ".toml")
	}
	return paths, nil
}

// configFile returns the path of a named file of a folder, or says what there is.
func configFile(source, folder, kind, name string) (string, error) {
	names, err := configNames(source, folder)
	if err != nil {
		return "", err
	}
	if !slices.Contains(names, name) {
		return "", &settings.Error{Err: fmt.Errorf("there is no %s %q; there are %s", kind, name, strings.Join(names, ", "))}
	}
	return filepath.Join(source, folder, name+".toml"), nil
}

// ReadBoard reads and checks a board of a source tree. Faults are of type *settings.Error, with the line.
func ReadBoard(source, name string) (*Board, error) {
	path, err := configFile(source, boardFolder, "board", name)
	if err != nil {
		return nil, err
	}
	return readBoard(path)
}

func readBoard(path string) (*Board, error) {
	b := &Board{Name: strings.TrimSuffix(filepath.Base(path), ".toml")}
	b.Partitions = Partitions{Boot: leastBoot, Root: 64 << 20, Data: 64 << 20}
	var err error
	if b.file, err = settings.ReadFile(path, b); err != nil {
		return nil, err
	}
	return b, b.check()
}

func (b *Board) check() error {
	invalid := b.file.Invalid
	switch {
	case b.Description == "":
		return invalid("description", "it is missing")
	case b.Arch != "arm64" && b.Arch != "amd64":
		return invalid("arch", "%q is neither arm64 nor amd64", b.Arch)
	case b.Boot != TryBoot && b.Boot != SystemdBoot && b.Boot != Direct:
		return invalid("boot", "%q is none of tryboot, systemd-boot, direct", b.Boot)
	case b.Kernel.Module == "":
		return invalid("kernel.module", "it is missing: an image needs a kernel")
	case !strings.Contains(b.CommandLine, "console="):
		return invalid("command_line", "it has no console=, so nobody would see why the machine does not start")
	case (b.Firmware.Module == "") != (len(b.Firmware.Files) == 0):
		return invalid("firmware.files", "give both module and files, or neither")
	case (b.Firmware.EEPROMModule == "") != (b.Firmware.EEPROM == ""):
		return invalid("firmware.eeprom", "give both eeprom_module and eeprom, or neither")
	case b.Partitions.Boot < leastBoot:
		return invalid("partitions.boot", "it has %v, less than %v", b.Partitions.Boot, settings.Bytes(leastBoot))
	}
	if err := b.checkConfig(); err != nil {
		return err
	}
	return b.checkMemory()
}

// checkConfig sees that config.txt leaves to the slots what is theirs.
func (b *Board) checkConfig() error {
	for _, line := range b.Firmware.Config {
		key, _, _ := strings.Cut(line, "=")
		if slices.Contains([]string{"os_prefix", "kernel", "cmdline", "include"}, strings.TrimSpace(key)) || strings.ContainsAny(line, "\r\n") {
			return b.file.Invalid("firmware.config", "the line %q would decide what starts, which the slots do", line)
		}
	}
	return nil
}

// checkMemory sees that the programs leave the machine a quarter of its memory, for the kernel and its cache.
func (b *Board) checkMemory() error {
	m := b.Memory
	for key, size := range map[string]settings.Bytes{"memory.storage": m.Storage, "memory.dnsprimary": m.DNSPrimary, "memory.homeserver": m.Homeserver} {
		if size <= 0 {
			return b.file.Invalid(key, "it is missing: say what the program may use of memory.size")
		}
	}
	if sum := m.Storage + m.DNSPrimary + m.Homeserver; sum > m.Size/4*3 {
		return b.file.Invalid("memory.size", "the programs want %v, more than three quarters of %v", sum, m.Size)
	}
	return nil
}

// settings returns the lines of the image's settings that come from the board, for the programs that are in the image.
func (b *Board) settings(programs []string) []string {
	budget := map[string]settings.Bytes{"storage": b.Memory.Storage, "dnsprimary": b.Memory.DNSPrimary, "homeserver": b.Memory.Homeserver}
	var lines []string
	for _, program := range programs {
		lines = append(lines, program+".memory_limit = "+budget[program].String())
	}
	return lines
}

// Contents is what an image holds: one file of images.
type Contents struct {
	Name string // of its file, without .toml

	Description string   `toml:"description" doc:"What it is for, in a few words."`
	Programs    []string `toml:"programs" doc:"The programs, beside appliance, which is PID 1."`
	Settings    []string `toml:"settings" doc:"Lines of the image's settings, as KEY = VALUE; those on the boot partition win over them."`
	Notes       string   `toml:"notes" doc:"What whoever updates to this version should know."`
}

// ContentsNames lists the images of a source tree, in alphabetical order.
func ContentsNames(source string) ([]string, error) { return configNames(source, contentsFolder) }

// ReadContents reads and checks an image's file. Faults are of type *settings.Error, with the line.
func ReadContents(source, name string) (*Contents, error) {
	path, err := configFile(source, contentsFolder, "image", name)
	if err != nil {
		return nil, err
	}
	c := &Contents{Name: name}
	file, err := settings.ReadFile(path, c)
	if err != nil {
		return nil, err
	}
	for _, program := range c.Programs {
		if !slices.ContainsFunc(box.Users(), func(u box.User) bool { return u.Name == program }) {
			return nil, file.Invalid("programs", "the box has no user for a program %s", program)
		}
		if _, err := os.Stat(filepath.Join(source, program)); err != nil {
			return nil, file.Invalid("programs", "finding the program %s: %w", program, err)
		}
	}
	for _, line := range c.Settings {
		if err := CheckSetting(line); err != nil {
			return nil, file.Invalid("settings", "%w", err)
		}
	}
	return c, nil
}

// CheckSetting returns an error if a line KEY=VALUE cannot be in an image's settings: no secret is ever in an image.
func CheckSetting(line string) error {
	key, value, ok := strings.Cut(line, "=")
	key = strings.TrimSpace(key)
	last := key[strings.LastIndex(key, ".")+1:]
	switch {
	case !ok || key == "" || strings.HasPrefix(key, "#") || strings.ContainsAny(line, "\r\n"):
		return fmt.Errorf("%q is not a setting: want KEY=VALUE on one line", line)
	case strings.HasSuffix(last, "secret") || strings.HasSuffix(last, "password") || last == "recovery_key":
		return fmt.Errorf("%s is a secret, and no secret is ever in an image: set it on the box", key)
	case strings.Contains(value, "PRIVATE KEY"):
		return fmt.Errorf("the value of %s looks like a private key, and no secret is ever in an image: make it on the box", key)
	}
	return nil
}

// modules finds the modules that the board's image takes files from, by their paths.
func (b *Board) modules(ctx context.Context, source string) (map[string]module, error) {
	found := make(map[string]module)
	for _, use := range []struct{ key, path string }{
		{"kernel.module", b.Kernel.Module},
		{"firmware.module", b.Firmware.Module},
		{"firmware.eeprom_module", b.Firmware.EEPROMModule},
		{"boot", b.bootLoader()},
	} {
		if use.path == "" {
			continue
		}
		m, err := findModule(ctx, source, use.path)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, b.file.Invalid(use.key, "%w", err)
		}
		found[use.path] = m
	}
	return found, nil
}

// bootLoaderModule holds systemd-boot 250.5, whose licence is LGPL-2.1-or-later.
const bootLoaderModule = "github.com/gokrazy/tools"

// bootLoader is the module of the boot loader, "" if the board's firmware does without.
func (b *Board) bootLoader() string {
	if b.Boot == SystemdBoot {
		return bootLoaderModule
	}
	return ""
}

// inFolder returns names with a folder before them.
func inFolder(folder string, names []string) []string {
	var paths []string
	for _, name := range names {
		paths = append(paths, folder+"/"+name)
	}
	return paths
}
