package ota

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// PartitionFile is a Partition: a block device, or an image in a file.
type PartitionFile struct{ *os.File }

// OpenPartition opens a partition, for reading only if it is not to be written.
func OpenPartition(name string, write bool) (PartitionFile, error) {
	flags := os.O_RDONLY
	if write {
		flags = os.O_RDWR
	}
	file, err := os.OpenFile(name, flags, 0)
	if err != nil {
		return PartitionFile{}, fmt.Errorf("opening a root partition: %w", err)
	}
	return PartitionFile{file}, nil
}

// Size implements File.
func (p PartitionFile) Size() (int64, error) { return p.Seek(0, io.SeekEnd) }

// Sync implements Partition.
func (p PartitionFile) Sync() error {
	if err := p.File.Sync(); err != nil {
		return err
	}
	return unix.Fadvise(int(p.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// remount keeps what else a boot partition is mounted with.
const remount = unix.MS_REMOUNT | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// BootFolder is a Boot where the boot partition is mounted.
type BootFolder struct {
	Folder string

	// ReadOnly says that it is mounted read-only: it is made writable for changes, until the next Sync.
	ReadOnly bool
}

// Open implements Boot. A file that is opened for reading is read from the disk, not from what the kernel remembers.
func (b BootFolder) Open(name string, size int64) (File, error) {
	where := b.path(name)
	if size < 0 {
		file, err := os.Open(where)
		if err != nil {
			return nil, err
		}
		unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED) // concerns only what is synced; the rest is read as it is
		return PartitionFile{file}, nil
	}
	if err := b.writable(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(where), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(where, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || info.Size() > size {
		if err == nil {
			err = file.Truncate(size)
		}
		if err != nil {
			file.Close()
			return nil, err
		}
	}
	return PartitionFile{file}, nil
}

// Rename implements Boot.
func (b BootFolder) Rename(from, to string) error {
	if err := b.writable(); err != nil {
		return err
	}
	return os.Rename(b.path(from), b.path(to))
}

// Remove implements Boot.
func (b BootFolder) Remove(name string) error {
	if _, err := os.Lstat(b.path(name)); err != nil {
		return err
	}
	if err := b.writable(); err != nil {
		return err
	}
	return os.Remove(b.path(name))
}

// List implements Boot.
func (b BootFolder) List(folder string) ([]string, error) {
	entries, err := os.ReadDir(b.path(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() {
			name += "/"
		}
		names = append(names, name)
	}
	return names, err
}

// Sync implements Boot.
func (b BootFolder) Sync() error {
	folder, err := os.Open(b.Folder)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := unix.Syncfs(int(folder.Fd())); err != nil {
		return err
	}
	if !b.ReadOnly {
		return nil
	}
	err = unix.Mount("", b.Folder, "", remount|unix.MS_RDONLY, "")
	if errors.Is(err, unix.EBUSY) { // a file is open for writing; the Sync after it was closed will do
		return nil
	}
	return err
}

func (b BootFolder) writable() error {
	if !b.ReadOnly {
		return nil
	}
	if err := unix.Mount("", b.Folder, "", remount, ""); err != nil {
		return fmt.Errorf("making the boot partition writable: %w", err)
	}
	return nil
}

// path keeps names inside the folder.
func (b BootFolder) path(name string) string {
	return filepath.Join(b.Folder, filepath.FromSlash(strings.TrimPrefix(path.Clean("/"+name), "/")))
}
