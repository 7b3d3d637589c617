// Package flash writes an image to a disk, unless that holds what somebody may need.
//
// [Machine.Disk] refuses what is no whole disk, is write-protected, or is in use: one of its partitions, or what is built upon
// them (encryption, volumes, RAID), is mounted or swapped to. [Write] writes what is not zero, clears the old partition table at
// the disk's end, and reads everything back from the disk itself.
package flash

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Machine is where this machine's disks are looked up.
type Machine struct {
	Sys, Proc string                                       // the folders of sysfs and procfs
	Number    func(path string) (number string, err error) // the device number of a block device, as MAJOR:MINOR; "" for another file
}

// ThisMachine is the machine that this runs on.
func ThisMachine() Machine { return Machine{Sys: "/sys", Proc: "/proc", Number: deviceNumber} }

func deviceNumber(path string) (string, error) {
	var status unix.Stat_t
	if err := unix.Stat(path, &status); err != nil {
		return "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if status.Mode&unix.S_IFMT != unix.S_IFBLK {
		return "", nil
	}
	return fmt.Sprintf("%d:%d", unix.Major(uint64(status.Rdev)), unix.Minor(uint64(status.Rdev))), nil
}

// Disk is something that may be flashed.
type Disk struct {
	Path       string
	Name       string // of its maker, if it has one
	Size       int64  // in bytes; zero for a file, which takes the image's
	Partitions int    // how many are on it
	Device     bool   // not a file
}

// String describes the disk to who must decide about it.
func (d Disk) String() string {
	if !d.Device {
		return d.Path + ", a file"
	}
	name := d.Name
	if name == "" {
		name = "a disk"
	}
	partitions := fmt.Sprintf("%d partitions", d.Partitions)
	if d.Partitions == 1 {
		partitions = "1 partition"
	}
	return fmt.Sprintf("%s, %s of %.1f GB with %s", d.Path, name, float64(d.Size)/1e9, partitions)
}

// Disk finds out what path is, and returns an error if it must not be written. A file that does not exist is fine: it will be made.
func (m Machine) Disk(path string) (Disk, error) {
	number, err := m.Number(path)
	if errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(filepath.Clean(path), "/dev/") {
		return Disk{Path: path}, nil
	}
	if err != nil {
		return Disk{}, fmt.Errorf("looking at %s: %w", path, err)
	}
	if number == "" {
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return Disk{}, fmt.Errorf("%s is neither a disk nor a file", path)
		}
		return Disk{Path: path}, nil
	}
	folder, err := filepath.EvalSymlinks(filepath.Join(m.Sys, "dev", "block", number))
	if err != nil {
		return Disk{}, fmt.Errorf("looking up the disk %s: %w", path, err)
	}
	return m.disk(path, folder)
}

func (m Machine) disk(path, folder string) (Disk, error) {
	if isPartition(folder) {
		return Disk{}, fmt.Errorf("%s is a partition, and an image is for a whole disk: give /dev/%s", path, filepath.Base(filepath.Dir(folder)))
	}
	if line(folder, "ro") == "1" {
		return Disk{}, fmt.Errorf("%s is write-protected: move the switch at the card's side", path)
	}
	sectors, err := strconv.ParseInt(line(folder, "size"), 10, 64)
	if err != nil || sectors <= 0 {
		return Disk{}, fmt.Errorf("%s is empty: there is no card in the reader", path)
	}
	d := Disk{Path: path, Size: sectors * 512, Device: true}
	d.Name = strings.TrimSpace(line(folder, "device/vendor") + " " + line(folder, "device/model") + line(folder, "device/name"))
	parts, err := m.parts(folder, nil)
	if err != nil {
		return Disk{}, err
	}
	for _, part := range parts {
		if isPartition(part.folder) && filepath.Dir(part.folder) == folder {
			d.Partitions++
		}
	}
	return d, m.checkUnused(path, parts)
}

func isPartition(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "partition"))
	return err == nil
}

// line returns what a file of sysfs says, "" if there is none.
func line(folder, name string) string {
	text, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// part is a disk, a partition, or what is built upon them.
type part struct{ folder, number string }

// parts lists what is on a disk, itself included: whoever uses one of these uses the disk.
func (m Machine) parts(folder string, known []part) ([]part, error) {
	if slices.ContainsFunc(known, func(p part) bool { return p.folder == folder }) {
		return known, nil
	}
	known = append(known, part{folder, line(folder, "dev")})
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("looking up partitions: %w", err)
	}
	var upon []string
	for _, entry := range entries {
		if below := filepath.Join(folder, entry.Name()); entry.IsDir() && isPartition(below) {
			upon = append(upon, below)
		}
	}
	holders, err := os.ReadDir(filepath.Join(folder, "holders"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("looking up what uses partitions: %w", err)
	}
	for _, holder := range holders {
		below, err := filepath.EvalSymlinks(filepath.Join(folder, "holders", holder.Name()))
		if err != nil {
			return nil, fmt.Errorf("looking up what uses partitions: %w", err)
		}
		upon = append(upon, below)
	}
	for _, below := range upon {
		if known, err = m.parts(below, known); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// checkUnused returns an error if one of the parts is mounted or swapped to.
func (m Machine) checkUnused(path string, parts []part) error {
	uses, err := m.uses()
	if err != nil {
		return err
	}
	for _, u := range uses {
		i := slices.IndexFunc(parts, func(p part) bool { return p.number == u.number })
		switch {
		case i < 0:
		case u.system():
			return fmt.Errorf("%s holds this machine's own system (%s): it is not for flashing", path, u.where)
		default:
			return fmt.Errorf("%s is in use: /dev/%s is mounted at %s; if that is the right disk, first: umount %s",
				path, filepath.Base(parts[i].folder), u.where, u.where)
		}
	}
	return nil
}

// use is a place where a block device is used.
type use struct{ number, where string }

// system reports whether the machine needs it to run, or its people every day.
func (u use) system() bool {
	for _, folder := range []string{"/boot", "/usr", "/var", "/etc", "/home", "/nix", "/opt", "/root", "/srv", "/efi"} {
		if u.where == folder || strings.HasPrefix(u.where, folder+"/") {
			return true
		}
	}
	return u.where == "/" || u.where == swap
}

const swap = "swap"

// uses lists what is mounted and swapped to. File systems that name no device of their own, such as btrfs, are found by their
// source.
func (m Machine) uses() ([]use, error) {
	mounts, err := os.ReadFile(filepath.Join(m.Proc, "self", "mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("looking up what is mounted: %w", err)
	}
	var uses []use
	for text := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(text, " - ")
		fields, kinds := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kinds) < 2 {
			return nil, fmt.Errorf("looking up what is mounted: cannot read the line %q", text)
		}
		where := unescape(fields[4])
		uses = append(uses, use{fields[2], where})
		if number, err := m.Number(unescape(kinds[1])); err == nil && number != "" {
			uses = append(uses, use{number, where})
		}
	}
	swaps, err := os.ReadFile(filepath.Join(m.Proc, "swaps"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("looking up where is swapped to: %w", err)
	}
	for text := range strings.Lines(string(swaps)) {
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		if number, err := m.Number(unescape(fields[0])); err == nil && number != "" {
			uses = append(uses, use{number, swap})
		}
	}
	return uses, nil
}

// unescape reads a path of procfs, in which spaces and the like are written as \040.
func unescape(text string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(text, `\`)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		if n, err := strconv.ParseUint(after[:min(3, len(after))], 8, 8); err == nil && len(after) >= 3 {
			b.WriteByte(byte(n))
			after = after[3:]
		} else {
			b.WriteByte('\\')
		}
		text = after
	}
}

// open opens a disk so that nobody else can mount it meanwhile, or a file.
func (d Disk) open() (*os.File, error) {
	flags := os.O_RDWR | os.O_CREATE
	if d.Device {
		flags = os.O_RDWR | syscall.O_EXCL
	}
	f, err := os.OpenFile(d.Path, flags, 0o600)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("opening %s: only root may write to it: call this with sudo", d.Path)
	case errors.Is(err, syscall.EBUSY):
		return nil, fmt.Errorf("opening %s: another program uses it", d.Path)
	case err != nil:
		return nil, fmt.Errorf("opening the disk: %w", err)
	}
	return f, nil
}
