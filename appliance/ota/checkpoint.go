package ota

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// FolderCheckpoint is a Checkpoint of a folder: a copy beside it, on the same file system, which shares the blocks if that can
// be done (FICLONE) and else is a true copy.
//
//	NAME              the data
//	NAME.checkpoint   the checkpoint: whole, or not there
//	NAME.copying      a checkpoint that is being made
//	NAME.discarded    data that a restored checkpoint has replaced
type FolderCheckpoint struct {
	Folder string
	Spare  int64 // bytes that must be left free
}

func (c FolderCheckpoint) checkpoint() string { return c.Folder + ".checkpoint" }
func (c FolderCheckpoint) copying() string    { return c.Folder + ".copying" }
func (c FolderCheckpoint) discarded() string  { return c.Folder + ".discarded" }

// Check implements Checkpoint. It does not count on shared blocks.
func (c FolderCheckpoint) Check() error {
	var need int64
	err := filepath.WalkDir(c.Folder, func(_ string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // the programs run, and remove files
			return nil
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			need += blocks(info)
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("measuring the data: %w", err)
	}
	var system unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(c.Folder), &system); err != nil {
		return fmt.Errorf("measuring the data partition: %w", err)
	}
	free := int64(system.Bavail) * system.Bsize
	if free < need+c.Spare {
		return fmt.Errorf("the data partition is too full: an update needs %d MiB free for a copy of the data, and %d MiB are", (need+c.Spare)>>20+1, free>>20)
	}
	return nil
}

// blocks returns the bytes that a file takes on the disk.
func blocks(info fs.FileInfo) int64 {
	if status, ok := info.Sys().(*syscall.Stat_t); ok {
		return status.Blocks * 512
	}
	return info.Size()
}

// Take implements Checkpoint.
func (c FolderCheckpoint) Take() error {
	if err := c.Drop(); err != nil {
		return err
	}
	if err := c.Check(); err != nil {
		return err
	}
	if err := copyTree(c.Folder, c.copying()); err != nil {
		return errors.Join(fmt.Errorf("copying the data: %w", err), os.RemoveAll(c.copying()))
	}
	if err := os.Rename(c.copying(), c.checkpoint()); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(c.Folder))
}

// Restore implements Checkpoint. Whenever power is lost, the checkpoint is there as long as the folder is not what it was.
func (c FolderCheckpoint) Restore() error {
	if _, err := os.Lstat(c.checkpoint()); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if err := os.RemoveAll(c.discarded()); err != nil {
		return err
	}
	if err := os.Rename(c.Folder, c.discarded()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(c.checkpoint(), c.Folder); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(c.Folder))
}

// Drop implements Checkpoint.
func (c FolderCheckpoint) Drop() error {
	// A checkpoint that is half removed must not be taken for a whole one.
	if err := os.Rename(c.checkpoint(), c.copying()+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	} else if err == nil {
		if err := syncFolder(filepath.Dir(c.Folder)); err != nil {
			return err
		}
	}
	for _, name := range []string{c.copying() + ".old", c.copying(), c.discarded()} {
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	return nil
}

// copyTree copies a folder with its owners and modes, and syncs all of it.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir():
			err = os.Mkdir(target, 0o700)
		case info.Mode().IsRegular():
			err = copyFile(name, target)
		default: // sockets and the like are made anew by who needs them
			return nil
		}
		if err != nil {
			return err
		}
		return dress(target, info)
	})
}

// dress gives a copy the owner and mode of the original, and syncs it and its place.
func dress(name string, info fs.FileInfo) error {
	if status, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		if err := os.Lchown(name, int(status.Uid), int(status.Gid)); err != nil {
			return err
		}
	}
	if err := os.Chmod(name, info.Mode().Perm()); err != nil {
		return err
	}
	if err := syncFolder(name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if unix.IoctlFileClone(int(out.Fd()), int(in.Fd())) != nil {
		_, err = io.Copy(out, in)
	}
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	return err
}
