package disk

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSys makes a folder that looks like sysfs: lines of DISK PARTITION NUMBER LABEL.
func fakeSys(t *testing.T, lines ...string) string {
	t.Helper()
	sys := t.TempDir()
	for _, line := range lines {
		f := strings.Fields(line)
		folder := filepath.Join(sys, "devices", f[0], f[1])
		text := "MAJOR=179\nMINOR=" + f[2] + "\nDEVNAME=" + f[1] + "\nDEVTYPE=partition\nPARTN=" + f[2] + "\nPARTNAME=" + f[3] + "\n"
		for _, err := range []error{
			os.MkdirAll(folder, 0o755), os.MkdirAll(filepath.Join(sys, "class/block"), 0o755),
			os.WriteFile(filepath.Join(folder, "uevent"), []byte(text), 0o644),
			os.Symlink(folder, filepath.Join(sys, "class/block", f[1])),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return sys
}

func TestFind(t *testing.T) {
	sys := fakeSys(t, "mmcblk0 mmcblk0p1 1 hearth-boot", "mmcblk0 mmcblk0p4 4 hearth-data", "sda sda1 1 hearth-data", "sda sda2 2 backup")
	for _, c := range []struct{ name, disk, want, err string }{
		{"hearth-boot", "", "mmcblk0p1 mmcblk0 1", ""},
		{"hearth-boot", "mmcblk0", "mmcblk0p1 mmcblk0 1", ""},
		{"hearth-data", "mmcblk0", "mmcblk0p4 mmcblk0 4", ""},
		{"hearth-data", "sda", "sda1 sda 1", ""},
		{"hearth-data", "", "", "looking for the partition hearth-data: mmcblk0p4 and sda1 both have this name"},
		{"hearth-data", "sdb", "", "looking for the partition hearth-data: there is no such partition"},
		{"", "", "", "looking for the partition : there is no such partition"},
	} {
		p, err := Find(sys, c.name, c.disk)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%s on %s: got %v, want %s", c.name, c.disk, err, c.err)
			}
			continue
		}
		if got := p.Name + " " + p.Disk + " " + string(rune('0'+p.Number)); err != nil || got != c.want {
			t.Errorf("%s on %s: got %s, %v, want %s", c.name, c.disk, got, err, c.want)
		}
	}
	if _, err := Find(t.TempDir(), "hearth-data", ""); !errors.Is(err, ErrMissing) {
		t.Errorf("without disks: %v", err)
	}
}
