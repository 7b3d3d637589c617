package kernel_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"hearth/appliance/disk"
)

// box is what this program does as the first process of the machine in the test.
func box() {
	err := errors.Join(readRoot(), readBoot(), disk.GrowPartition(data()), growData())
	if err == nil {
		fmt.Println(success)
	} else {
		fmt.Println("FAILED:", err)
	}
	_ = unix.IoctlSetInt(unix.Stdout, unix.TCSBRK, 1) // waits until the console has written all: tcdrain(3)
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// readRoot compares the root file system with what was put in.
func readRoot() error {
	for _, f := range rootFiles() {
		if err := compare(filepath.Join("/", f.Path), f.Mode, f.Data); err != nil {
			return fmt.Errorf("squashfs: %w", err)
		}
		var stat unix.Stat_t
		if err := unix.Lstat("/"+f.Path, &stat); err != nil {
			return err
		}
		if stat.Uid != f.UID || stat.Gid != f.GID || stat.Rdev != unix.Mkdev(f.Major, f.Minor) || stat.Mtim.Sec != made().Unix() {
			return fmt.Errorf("squashfs: %s: %+v", f.Path, stat)
		}
		if target, _ := os.Readlink("/" + f.Path); target != f.Target {
			return fmt.Errorf("squashfs: %s is a link to %q", f.Path, target)
		}
	}
	entries, err := os.ReadDir("/many")
	if err != nil || len(entries) != many {
		return fmt.Errorf("squashfs: /many has %d entries: %v", len(entries), err)
	}
	return nil
}

func compare(name string, mode fs.FileMode, data []byte) error {
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if info.Mode() != mode {
		return fmt.Errorf("%s has mode %v, want %v", name, info.Mode(), mode)
	}
	if !mode.IsRegular() {
		return nil
	}
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, data) {
		return fmt.Errorf("%s: %d bytes, want %d: %w", name, len(got), len(data), err)
	}
	return nil
}

func readBoot() error {
	if err := unix.Mount("/dev/vda1", "/boot", "vfat", unix.MS_RDONLY, "fmask=0022,dmask=0022,tz=UTC"); err != nil {
		return fmt.Errorf("mounting vfat: %w", err)
	}
	defer unix.Unmount("/boot", 0)
	for _, f := range bootFiles() {
		if err := compare(filepath.Join("/boot", f.Path), 0o755, f.Data); err != nil {
			return fmt.Errorf("vfat: %w", err)
		}
		if info, _ := os.Stat(filepath.Join("/boot", f.Path)); !info.ModTime().Equal(made()) {
			return fmt.Errorf("vfat: %s was written at %v", f.Path, info.ModTime())
		}
	}
	return nil
}

// data is the partition that the box grows.
func data() disk.Partition { return disk.Partition{Name: "vda3", Disk: "vda", Number: 3} }

// growData writes to the data file system, grows it, and writes far more than it could hold before.
func growData() error {
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return fmt.Errorf("mounting sysfs: %w", err)
	}
	if err := unix.Mount("/dev/vda3", "/data", "ext4", 0, ""); err != nil {
		return fmt.Errorf("mounting ext4: %w", err)
	}
	if err := compare("/data/storage", fs.ModeDir|0o700, nil); err != nil {
		return fmt.Errorf("ext4: %w", err)
	}
	content := noise(20, 8*mib)
	if err := os.WriteFile("/data/storage/before", content, 0o600); err != nil {
		return err
	}
	if err := growFileSystem(); err != nil {
		return err
	}
	for i := range 12 {
		if err := os.WriteFile(fmt.Sprintf("/data/storage/%d", i), content, 0o600); err != nil {
			return err
		}
	}
	if err := unix.Unmount("/data", 0); err != nil {
		return fmt.Errorf("unmounting ext4: %w", err)
	}
	if err := unix.Mount("/dev/vda3", "/data", "ext4", 0, ""); err != nil {
		return fmt.Errorf("mounting ext4 again: %w", err)
	}
	defer unix.Unmount("/data", 0)
	return errors.Join(compare("/data/storage/before", 0o600, content), compare("/data/storage/11", 0o600, content))
}

func growFileSystem() error {
	start := time.Now()
	if err := disk.GrowFileSystem("/sys", data(), "/data"); err != nil {
		return err
	}
	space, err := disk.SpaceOf("/data")
	if err != nil {
		return err
	}
	if space.Size < diskSize/100*98 {
		return fmt.Errorf("ext4 has %d bytes on a disk of %d", space.Size, int64(diskSize))
	}
	fmt.Printf("ext4 grew to %d bytes in %v\n", space.Size, time.Since(start))
	return nil
}
