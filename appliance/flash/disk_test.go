package flash_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth/appliance/flash"
)

// lab is a machine with these disks:
//
//	nvme0n1  its own: p1 is /boot/efi, p2 is encrypted, and dm-0 upon it is /; p3 is swapped to
//	sda      one of btrfs, /home, which mountinfo tells by a number that no disk has
//	sdb      a stick: sdb1 is mounted at /media/my stick
//	sdc      a card of 32 GB with two partitions that nobody uses
//	sdd      an empty reader
//	sde      a card that is write-protected
func lab(t *testing.T) flash.Machine {
	t.Helper()
	root := t.TempDir()
	numbers := map[string]string{
		"/dev/nvme0n1": "259:0", "/dev/nvme0n1p3": "259:3", "/dev/mapper/root": "253:0", "/dev/sda": "8:0", "/dev/sda1": "8:1",
		"/dev/sdb": "8:16", "/dev/sdb1": "8:17", "/dev/sdc": "8:32", "/dev/sdc1": "8:33", "/dev/sdd": "8:48", "/dev/sde": "8:64",
		"/dev/disk/by-id/card": "8:32",
	}
	folders := map[string]string{
		"nvme0n1": "259:0", "nvme0n1/nvme0n1p1": "259:1", "nvme0n1/nvme0n1p2": "259:2", "nvme0n1/nvme0n1p3": "259:3", "dm-0": "253:0",
		"sda": "8:0", "sda/sda1": "8:1", "sdb": "8:16", "sdb/sdb1": "8:17", "sdc": "8:32", "sdc/sdc1": "8:33", "sdc/sdc2": "8:34", "sdd": "8:48", "sde": "8:64",
	}
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(root, target), path); err != nil {
			t.Fatal(err)
		}
	}
	for folder, number := range folders {
		devices := "sys/devices/" + folder
		put(devices+"/dev", number)
		put(devices+"/ro", "0")
		put(devices+"/size", "62333952")
		if strings.Contains(folder, "/") {
			put(devices+"/partition", "1")
		}
		link(devices, "sys/dev/block/"+number)
	}
	put("sys/devices/sdc/device/vendor", "Generic ")
	put("sys/devices/sdc/device/model", "SD Reader   ")
	put("sys/devices/sdd/size", "0")
	put("sys/devices/sde/ro", "1")
	link("sys/devices/dm-0", "sys/devices/nvme0n1/nvme0n1p2/holders/dm-0")
	put("proc/self/mountinfo", `22 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/root rw
23 22 0:5 / /dev rw - devtmpfs udev rw
24 22 259:1 / /boot/efi rw - vfat /dev/nvme0n1p1 rw
25 22 0:45 /@home /home rw - btrfs /dev/sda1 rw
26 22 8:17 / /media/my\040stick rw shared:2 - vfat /dev/sdb1 rw`)
	put("proc/swaps", "Filename Type Size Used Priority\n/dev/nvme0n1p3 partition 8388604 0 -2")
	return flash.Machine{Sys: filepath.Join(root, "sys"), Proc: filepath.Join(root, "proc"), Number: func(path string) (string, error) {
		if strings.HasPrefix(path, "/dev/") && numbers[path] == "" {
			return "", &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
		}
		if numbers[path] == "" {
			_, err := os.Stat(path)
			return "", err
		}
		return numbers[path], nil
	}}
}

func TestDisksThatAreRefused(t *testing.T) {
	m := lab(t)
	for path, want := range map[string]string{
		"/dev/nvme0n1":     "/dev/nvme0n1 holds this machine's own system (/): it is not for flashing",
		"/dev/nvme0n1p3":   "/dev/nvme0n1p3 is a partition, and an image is for a whole disk: give /dev/nvme0n1",
		"/dev/mapper/root": "/dev/mapper/root holds this machine's own system (/): it is not for flashing",
		"/dev/sda":         "/dev/sda holds this machine's own system (/home): it is not for flashing",
		"/dev/sdb":         "/dev/sdb is in use: /dev/sdb1 is mounted at /media/my stick; if that is the right disk, first: umount /media/my stick",
		"/dev/sdc1":        "/dev/sdc1 is a partition, and an image is for a whole disk: give /dev/sdc",
		"/dev/sdd":         "/dev/sdd is empty: there is no card in the reader",
		"/dev/sde":         "/dev/sde is write-protected: move the switch at the card's side",
		"/dev/sdz":         "looking at /dev/sdz: stat /dev/sdz: file does not exist",
		m.Sys:              m.Sys + " is neither a disk nor a file",
	} {
		if d, err := m.Disk(path); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, %v, want %s", path, d, err, want)
		}
	}
}

func TestDisksThatAreFine(t *testing.T) {
	m := lab(t)
	for path, want := range map[string]string{
		"/dev/sdc":             "/dev/sdc, Generic SD Reader of 31.9 GB with 2 partitions",
		"/dev/disk/by-id/card": "/dev/disk/by-id/card, Generic SD Reader of 31.9 GB with 2 partitions",
	} {
		if d, err := m.Disk(path); err != nil || d.String() != want {
			t.Errorf("%s: got %v, %v, want %s", path, d, err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "new")
	if d, err := m.Disk(file); err != nil || d.String() != file+", a file" {
		t.Errorf("a file that is not there yet: got %v, %v", d, err)
	}
}

// TestThisMachine finds the disk that the root is on, if this machine has one, and sees that it is refused.
func TestThisMachine(t *testing.T) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	m := flash.ThisMachine()
	for text := range strings.Lines(string(mounts)) {
		_, after, _ := strings.Cut(text, " - ")
		source := strings.Fields(after)[1]
		if number, err := m.Number(source); err != nil || number == "" {
			continue
		}
		if d, err := m.Disk(source); err == nil {
			t.Errorf("%s is mounted and may be flashed: %v", source, d)
		}
	}
}
