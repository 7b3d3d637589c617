package flash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"hearth/appliance/box"
	"hearth/appliance/gpt"
)

// block is how much is written and compared at once, in bytes.
const block = 1 << 20

// tableSize is what the copy of a partition table takes at a disk's end, in bytes.
const tableSize = 33 * 512

// Result is what was done.
type Result struct {
	Size    int64 // of the image, in bytes
	Written int64 // of it, in bytes; the rest was zero in the image and on the disk
}

// Check returns the size of an image, or an error if it is not one of Hearth's or was cut short.
func Check(image *os.File) (int64, error) {
	info, err := image.Stat()
	if err != nil {
		return 0, fmt.Errorf("looking at the image: %w", err)
	}
	table, err := gpt.Read(image, info.Size())
	if err != nil {
		return 0, fmt.Errorf("looking at the image %s: it is not whole, or none: %w", image.Name(), err)
	}
	if len(table.Partitions) == 0 || table.Partitions[0].Name != box.BootPartition {
		return 0, fmt.Errorf("looking at the image %s: it is not one that appliance build has made", image.Name())
	}
	if table.Size != info.Size() {
		return 0, fmt.Errorf("looking at the image %s: it is of %d bytes, and has %d", image.Name(), table.Size, info.Size())
	}
	return info.Size(), nil
}

// Write writes the image to the disk, syncs it, and reads it back. Of both it reports the bytes that are done: each comes to the
// image's size in the end.
func Write(ctx context.Context, image *os.File, d Disk, written, verified func(int64)) (Result, error) {
	size, err := Check(image)
	if err != nil {
		return Result{}, err
	}
	if d.Device && d.Size < size {
		return Result{}, fmt.Errorf("the image has %d MB, and %s only %d MB", size/1e6, d.Path, d.Size/1e6)
	}
	f, err := d.open()
	if err != nil {
		return Result{}, err
	}
	defer f.Close()
	result := Result{Size: size}
	if result.Written, err = write(ctx, image, f, size, written); err != nil {
		return result, fmt.Errorf("writing to %s: %w", d.Path, err)
	}
	if err := finish(f, d, size); err != nil {
		return result, err
	}
	if err := verify(ctx, image, f, size, verified); err != nil {
		return result, fmt.Errorf("reading back %s: %w", d.Path, err)
	}
	if d.Device {
		_ = unix.IoctlSetInt(int(f.Fd()), unix.BLKRRPART, 0) // the kernel reads the table when the disk is plugged in, at the latest
	}
	return result, nil
}

// write writes the blocks that are not zero, and those that are zero in the image but not on the disk.
func write(ctx context.Context, image io.ReaderAt, f *os.File, size int64, report func(int64)) (written int64, err error) {
	buffer, zeros, old := make([]byte, block), make([]byte, block), make([]byte, block)
	for at := int64(0); at < size; at += block {
		if err := ctx.Err(); err != nil {
			return written, err
		}
		b := buffer[:min(block, size-at)]
		if _, err := image.ReadAt(b, at); err != nil && err != io.EOF {
			return written, err
		}
		if !bytes.Equal(b, zeros[:len(b)]) || !zeroAt(f, old[:len(b)], at) {
			if _, err := f.WriteAt(b, at); err != nil {
				return written, err
			}
			written += int64(len(b))
		}
		report(at + int64(len(b)))
	}
	return written, nil
}

// zeroAt reports whether a file is zero at an offset, or ends before it.
func zeroAt(f io.ReaderAt, b []byte, at int64) bool {
	n, err := f.ReadAt(b, at)
	return (err == nil || err == io.EOF) && len(bytes.Trim(b[:n], "\x00")) == 0
}

// finish gives a file its size, clears the copy of a former partition table at a disk's end, and syncs.
func finish(f *os.File, d Disk, size int64) error {
	var err error
	switch end := d.Size - tableSize; {
	case !d.Device:
		err = f.Truncate(size)
	case end >= size:
		_, err = f.WriteAt(make([]byte, tableSize), end)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return fmt.Errorf("finishing %s: %w", d.Path, err)
	}
	return nil
}

// verify compares the image with what is on the disk, not in the kernel's cache of it.
func verify(ctx context.Context, image io.ReaderAt, f *os.File, size int64, report func(int64)) error {
	if err := forget(f); err != nil {
		return err
	}
	want, got := make([]byte, block), make([]byte, block)
	for at := int64(0); at < size; at += block {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(block, size-at)
		if _, err := image.ReadAt(want[:n], at); err != nil && err != io.EOF {
			return err
		}
		if _, err := f.ReadAt(got[:n], at); err != nil && err != io.EOF {
			return err
		}
		if i := differ(want[:n], got[:n]); i >= 0 {
			return fmt.Errorf("the byte at %d is not what was written: the disk is worn out or not as large as it claims; use another", at+int64(i))
		}
		report(at + n)
	}
	return nil
}

func differ(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// forget has the kernel drop its copy of what was written.
func forget(f *os.File) error {
	err := unix.IoctlSetInt(int(f.Fd()), unix.BLKFLSBUF, 0)
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) { // no block device
		err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	}
	if err != nil {
		return fmt.Errorf("clearing the kernel's cache: %w", err)
	}
	return nil
}
