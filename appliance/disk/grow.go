package disk

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"hearth/appliance/gpt"
)

// Of <linux/blkpg.h> and fs/ext4/ext4.h.
const (
	blkpg            = 0x1269 // BLKPG
	resizePartition  = 3      // BLKPG_RESIZE_PARTITION
	resizeFileSystem = 0x40086610
	blockSize        = 4096 // of the file systems that images have
)

// GrowPartition makes the last partition of a disk reach to its end, in its table and for the kernel, whether it is
// mounted or not. It does nothing if it does already.
func GrowPartition(p Partition) error {
	if err := growPartition(p); err != nil {
		return fmt.Errorf("growing %s: %w", p.Name, err)
	}
	return nil
}

func growPartition(p Partition) error {
	disk, err := os.OpenFile(Device(p.Disk), os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer disk.Close()
	size, err := disk.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	changes, err := gpt.Grow(disk, size)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if _, err := disk.WriteAt(c.Data, c.Offset); err != nil {
			return err
		}
		if err := disk.Sync(); err != nil {
			return err
		}
	}
	table, err := gpt.Read(disk, size)
	if err != nil {
		return err
	}
	if p.Number > len(table.Partitions) {
		return fmt.Errorf("the table has %d partitions", len(table.Partitions))
	}
	entry := table.Partitions[p.Number-1]
	return tellKernel(disk, p.Number, entry.Start, entry.Size)
}

// tellKernel gives a partition a place, in bytes. The kernel reads a disk's table anew only if nothing of it is mounted,
// and the root is.
func tellKernel(disk *os.File, number int, start, length int64) error {
	partition := struct {
		start, length int64
		number        int32
		names         [128]byte
	}{start: start, length: length, number: int32(number)}
	request := struct {
		op, flags, length int32
		data              unsafe.Pointer
	}{op: resizePartition, length: int32(unsafe.Sizeof(partition)), data: unsafe.Pointer(&partition)}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, disk.Fd(), blkpg, uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(&partition)
	if errno != 0 {
		return fmt.Errorf("telling the kernel: %w", errno)
	}
	return nil
}

// GrowFileSystem makes a mounted ext4 file system as large as its partition, while it is used. It does nothing if it is.
func GrowFileSystem(sys string, p Partition, folder string) error {
	text, err := os.ReadFile(filepath.Join(sys, "class/block", p.Name, "size"))
	if err != nil {
		return fmt.Errorf("growing the file system of %s: %w", p.Name, err)
	}
	sectors, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return fmt.Errorf("growing the file system of %s: %w", p.Name, err)
	}
	root, err := os.Open(folder)
	if err != nil {
		return fmt.Errorf("growing the file system of %s: %w", p.Name, err)
	}
	defer root.Close()
	blocks := uint64(sectors * 512 / blockSize)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, root.Fd(), resizeFileSystem, uintptr(unsafe.Pointer(&blocks))); errno != 0 {
		return fmt.Errorf("growing the file system of %s to %d blocks: %w", p.Name, blocks, errno)
	}
	return nil
}
