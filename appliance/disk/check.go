package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"hearth/appliance/fsck"
)

// Checked is what came of CheckData.
type Checked struct {
	Found string // one line for people; "" if there was no reason to look
	Took  time.Duration
}

// CheckData checks the file system of a partition that is not mounted, if it was not left clean or the kernel has seen an error
// in it, and repairs what is safe to. Folder is where it may be mounted meanwhile. An error says that the file system is damaged,
// or cannot be read: nothing is to be written to it. What cannot be checked is no error.
func CheckData(p Partition, folder string) (Checked, error) {
	begun := time.Now()
	found, err := checkData(Device(p.Name), folder)
	if err != nil {
		return Checked{}, fmt.Errorf("checking the file system of %s: %w", Device(p.Name), err)
	}
	return Checked{found, time.Since(begun)}, nil
}

// checkData has the kernel replay the journal, then checks. The mark that is made before sees to it that the next start checks too,
// if power fails in between: after the replay the file system would look as if it had been left clean.
func checkData(device, folder string) (found string, err error) {
	toCheck := false
	err = with(device, func(f *os.File, size int64) error {
		if toCheck, err = fsck.State(f, size); err != nil || !toCheck {
			return err
		}
		return fsck.Mark(f, size)
	})
	if errors.Is(err, fsck.ErrUnknown) { // a mount tells whether it is a file system at all
		return err.Error(), nil
	}
	if err != nil || !toCheck {
		return "", err
	}
	if err := unix.Mount(device, folder, "ext4", unix.MS_RDONLY|unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC, ""); err != nil {
		return "", fmt.Errorf("mounting it for its journal: %w", err)
	}
	if err := unix.Unmount(folder, 0); err != nil {
		return "", fmt.Errorf("unmounting it: %w", err)
	}
	err = with(device, func(f *os.File, size int64) error {
		report, err := fsck.Check(f, size)
		if err != nil {
			return err
		}
		found = report.String()
		if !report.Repairable() {
			return fmt.Errorf("it is damaged, and nothing is written to it: %s. Turn the box off, copy its disk, and repair the copy "+
				"with e2fsck on another computer", found)
		}
		if !report.Sound() {
			found = "this was wrong and is repaired: " + found
		}
		return report.Repair(f)
	})
	return found, err
}

// with does something with a device that nobody has mounted, and its size in bytes.
func with(device string, do func(f *os.File, size int64) error) error {
	f, err := os.OpenFile(device, os.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	return do(f, size)
}
