package vm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"hearth/appliance/fat32"
	"hearth/appliance/ota"
)

// volume is a boot partition that is only read, as by a board's firmware.
type volume struct{ *fat32.Volume }

var errReadOnly = errors.New("the boot partition is only read here")

// Open implements ota.Boot.
func (v volume) Open(name string, size int64) (ota.File, error) {
	if size >= 0 {
		return nil, errReadOnly
	}
	f, err := v.Volume.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fs.ErrInvalid
	}
	r, ok := f.(io.ReaderAt)
	if err == nil && !ok {
		err = fmt.Errorf("%s cannot be read from anywhere", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return file{r, f, info.Size()}, nil
}

// ReadFile returns what a small file holds.
func (v volume) ReadFile(name string) ([]byte, error) { return fs.ReadFile(v.Volume, name) }

// copyTo copies a file out of the volume.
func (v volume) copyTo(name, path string) error {
	from, err := v.Volume.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Rename implements ota.Boot.
func (volume) Rename(string, string) error { return errReadOnly }

// Remove implements ota.Boot.
func (volume) Remove(string) error { return errReadOnly }

// List implements ota.Boot.
func (volume) List(string) ([]string, error) { return nil, errReadOnly }

// Sync implements ota.Boot.
func (volume) Sync() error { return nil }

// file is an ota.File that is only read.
type file struct {
	io.ReaderAt
	io.Closer
	size int64
}

func (f file) Size() (int64, error)             { return f.size, nil }
func (file) WriteAt([]byte, int64) (int, error) { return 0, errReadOnly }
