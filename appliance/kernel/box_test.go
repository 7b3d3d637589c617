package kernel_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hearth/appliance/disk"
	"hearth/appliance/fsck"
)

// box is what this program does as the first process of the machine in the test.
func box(what string) {
	err := unix.Mount("sysfs", "/sys", "sysfs", 0, "")
	if err == nil && what == "box" {
		err = errors.Join(readRoot(), readBoot(), disk.GrowPartition(data()), growData(), use())
	} else if err == nil {
		err = checkData(what)
	}
	if err == nil {
		fmt.Println(success)
	} else {
		fmt.Println("FAILED:", err)
	}
	_ = unix.IoctlSetInt(unix.Stdout, unix.TCSBRK, 1) // waits until the console has written all: tcdrain(3)
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

// use does to the file system whatever programs do: what it leaves is on the disk or in the journal, and some of it half done.
func use() error {
	if err := disk.MountData(data(), "/data"); err != nil {
		return err
	}
	const folder = "/data/storage/used"
	if err := os.MkdirAll(folder+"/a/b/c", 0o700); err != nil {
		return err
	}
	for i := range 3000 { // so many that the folder has a hash tree
		name := fmt.Sprintf("%s/%0100d", folder, i)
		err := os.WriteFile(name, noise(uint64(i), i%5000), 0o600)
		switch {
		case err == nil && i%3 == 0:
			err = os.Remove(name)
		case err == nil && i%7 == 0:
			err = os.Rename(name, fmt.Sprintf("%s/a/b/c/%d", folder, i))
		case err == nil && i%100 == 1:
			err = errors.Join(os.Link(name, name+" again"), os.Mkdir(name+" folder", 0o700), os.Symlink(name, name+" link"), os.Symlink("x", name+" short"),
				unix.Mkfifo(name+" pipe", 0o600), unix.Setxattr(name, "user.hearth", noise(1, 500), 0))
		}
		if err != nil {
			return err
		}
	}
	f, err := os.Create(folder + "/holes")
	if err != nil {
		return err
	}
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 8*mib); err != nil {
		return err
	}
	for i := range 1000 { // so many pieces that the tree of extents is deep
		_, err := f.WriteAt(noise(3, 4096), int64(i)*3*4096)
		if err == nil && i%5 == 0 {
			err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(i)*3*4096, 4096)
		}
		if err != nil {
			return err
		}
	}
	open, err := os.Create(folder + "/deleted while open")
	if err != nil {
		return err
	}
	if _, err := open.Write(noise(4, 3*mib)); err != nil {
		return err
	}
	return errors.Join(f.Sync(), os.Remove(open.Name()), open.Sync())
}

// checkData does what a box does when it starts, and compares what came of it.
func checkData(want string) error {
	if want == "sound" {
		if err := keepsMark(); err != nil {
			return err
		}
	}
	checked, err := disk.CheckData(data(), "/data")
	fmt.Printf("the check: %+v, %v\n", checked, err)
	switch {
	case want == "damaged" && err != nil && strings.Contains(err.Error(), `/storage: its entry "before" is to inode`):
		return nil
	case err != nil:
		return err
	case want == "sound" && checked.Found != "it is sound":
		return errors.New("it is not found sound")
	case want == "repaired" && checked.Found != "this was wrong and is repaired: /storage/before: it has 1 names and says 7":
		return errors.New("it is not repaired")
	case want == "damaged":
		return errors.New("it is not found damaged")
	}
	if err := disk.MountData(data(), "/data"); err != nil {
		return err
	}
	if faults, err := disk.Errors("/sys", data()); err != nil || faults > 0 {
		return fmt.Errorf("the kernel remembers %d faults: %w", faults, err)
	}
	if err := compare("/data/storage/11", 0o600, noise(20, 8*mib)); err != nil {
		return err
	}
	if err := unix.Unmount("/data", 0); err != nil {
		return err
	}
	again, err := disk.CheckData(data(), "/data")
	if err != nil || again.Found != "" {
		return fmt.Errorf("a clean file system is checked: %s: %w", again.Found, err)
	}
	return nil
}

// keepsMark returns an error unless the kernel leaves the mark for a check where it is when it replays the journal: power may fail
// behind that.
func keepsMark() error {
	f, err := os.OpenFile("/dev/vda3", os.O_RDWR|unix.O_EXCL, 0)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err := errors.Join(err, fsck.Mark(f, size), f.Close()); err != nil {
		return err
	}
	if err := unix.Mount("/dev/vda3", "/data", "ext4", unix.MS_RDONLY, ""); err != nil {
		return err
	}
	if err := unix.Unmount("/data", 0); err != nil {
		return err
	}
	if f, err = os.Open("/dev/vda3"); err != nil {
		return err
	}
	defer f.Close()
	if _, err := fsck.Check(f, size); err != nil { // the journal is empty
		return err
	}
	toCheck, err := fsck.State(f, size)
	if err != nil || !toCheck {
		return fmt.Errorf("the mark is gone: %w", err)
	}
	return nil
}
