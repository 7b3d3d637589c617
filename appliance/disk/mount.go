package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// MountData mounts the ext4 file system of a partition. If the kernel finds it damaged later, it makes it read-only.
func MountData(p Partition, folder string) error {
	err := unix.Mount(Device(p.Name), folder, "ext4", unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_NOATIME, "errors=remount-ro")
	if err != nil {
		return fmt.Errorf("mounting %s: %w", Device(p.Name), err)
	}
	return nil
}

// MountBoot mounts the FAT file system of a partition for reading. All kernels have the table of codepage 437.
func MountBoot(p Partition, folder string) error {
	err := unix.Mount(Device(p.Name), folder, "vfat", unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_RDONLY, "umask=077,codepage=437,iocharset=cp437")
	if err != nil {
		return fmt.Errorf("mounting %s: %w", Device(p.Name), err)
	}
	return nil
}

// Errors returns how many faults the kernel has found in a mounted ext4 file system since it was made.
func Errors(sys string, p Partition) (int, error) {
	text, err := os.ReadFile(filepath.Join(sys, "fs/ext4", p.Name, "errors_count"))
	if err != nil {
		return 0, fmt.Errorf("asking for faults of %s: %w", p.Name, err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("asking for faults of %s: %w", p.Name, err)
	}
	return n, nil
}

// Space says how full a file system is, and whether it can be written.
type Space struct {
	Free, Size int64 // in bytes, of what all may use
	ReadOnly   bool
}

// SpaceOf returns the space of the file system that a folder is in.
func SpaceOf(folder string) (Space, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return Space{}, fmt.Errorf("measuring the space of %s: %w", folder, err)
	}
	size := int64(stat.Bsize)
	return Space{Free: int64(stat.Bavail) * size, Size: int64(stat.Blocks) * size, ReadOnly: stat.Flags&unix.ST_RDONLY != 0}, nil
}
