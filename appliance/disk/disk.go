// Package disk finds the box's partitions, sees that the data partition is sound, and makes it as large as its disk allows.
//
// Partitions are told apart by the names in the partition table, which the kernel repeats in sysfs:
//
//	/sys/class/block/mmcblk0p4/uevent     PARTNAME=hearth-data
//	/sys/class/block/mmcblk0p4            a link to .../mmcblk0/mmcblk0p4: the partition's folder lies in its disk's
//	/sys/dev/block/179:2                  a link to the folder of the device with that number, such as the root's
//
// The data partition's file system is checked before it is mounted if it was not left clean, as after a loss of power, or if
// the kernel has found an error in it, which Errors tells:
//
//	mark that it is to be checked     so that a loss of power during what follows does not hide that
//	mount it to read, and unmount it  by which the kernel replays the journal
//	check it, see appliance/fsck      and repair what can be derived, and take the mark away
//
// A clean one costs the reading of its superblock. What cannot be mounted, or is damaged beyond that, is for a person to
// decide about: nothing is written to it.
package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Partition is a partition of this machine.
type Partition struct {
	Name   string // of its device, such as mmcblk0p4
	Disk   string // of its disk's device, such as mmcblk0
	Number int    // in its disk
}

// Device returns the path of a device by its name.
func Device(name string) string { return "/dev/" + name }

// ErrMissing is what Find returns if there is no such partition.
var ErrMissing = errors.New("there is no such partition")

// Find returns the partition that has a name, on the disk given if it is not "". Sys is where sysfs is mounted.
func Find(sys, name, disk string) (Partition, error) {
	var found []Partition
	files, err := filepath.Glob(filepath.Join(sys, "class/block/*/uevent"))
	if err != nil {
		return Partition{}, fmt.Errorf("looking for the partition %s: %w", name, err)
	}
	for _, file := range files {
		p, label, err := read(filepath.Dir(file))
		if err == nil && label == name && (disk == "" || p.Disk == disk) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Partition{}, fmt.Errorf("looking for the partition %s: %w", name, ErrMissing)
	}
	return Partition{}, fmt.Errorf("looking for the partition %s: %s and %s both have this name", name, found[0].Name, found[1].Name)
}

// read reads a folder of sysfs; label is "" for what is no partition or has no name.
func read(folder string) (p Partition, label string, err error) {
	text, err := os.ReadFile(filepath.Join(folder, "uevent"))
	if err != nil {
		return p, "", err
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		switch key {
		case "DEVNAME":
			p.Name = value
		case "PARTN":
			p.Number, err = strconv.Atoi(value)
		case "PARTNAME":
			label = value
		}
	}
	if err != nil || p.Number == 0 {
		return p, "", err
	}
	real, err := filepath.EvalSymlinks(folder)
	p.Disk = filepath.Base(filepath.Dir(real))
	return p, label, err
}

// OfRoot returns the disk that the root is on and its partition's name; both are "" if the root is on no named partition.
func OfRoot(sys string) (disk, label string, err error) {
	var stat unix.Stat_t
	if err := unix.Stat("/", &stat); err != nil {
		return "", "", fmt.Errorf("looking for the root's disk: %w", err)
	}
	folder := filepath.Join(sys, "dev/block", fmt.Sprintf("%d:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev)))
	p, label, err := read(folder)
	if err != nil {
		return "", "", fmt.Errorf("looking for the root's disk: %w", err)
	}
	if label == "" {
		return "", "", nil
	}
	return p.Disk, label, nil
}
