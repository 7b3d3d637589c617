package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"hearth/appliance/box"
)

// lock makes the data folder if it is not there, and sees to it that only one up uses it. The lock ends
// with the process, however that ends, or when the returned function is called.
func lock(data string) (unlock func(), err error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(data, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("another appliance up runs on the data folder %s", data)
	case err != nil:
		err = fmt.Errorf("locking the data folder: %w", err)
	default:
		return func() { file.Close() }, nil
	}
	file.Close()
	return nil, err
}

// longestFolder is the longest path in which sockets such as homeserver.notify have at most the 107 bytes
// that the kernel allows.
const longestFolder = 85

// socketFolder makes the folder in which the programs meet, which is ours alone, but for looking up names in it if the mode
// says so: below the data folder, or below the temporary one if that path would be too long.
func socketFolder(data string, mode os.FileMode) (string, error) {
	folder := filepath.Join(data, "run")
	if len(folder) > longestFolder {
		name := sha256.Sum256([]byte(data))
		folder = filepath.Join(os.TempDir(), fmt.Sprintf("hearth-%x", name[:8]))
	}
	if err := os.Mkdir(folder, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("making the folder for sockets: %w", err)
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return "", fmt.Errorf("checking the folder for sockets: %w", err)
	}
	status, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(status.Uid) != os.Getuid() || info.Mode().Perm() != mode {
		return "", fmt.Errorf("using %s for sockets: it is not a folder of this user alone", folder)
	}
	return folder, nil
}

// keyFile is the name of the file, among the sockets, that holds what writeKey makes.
const keyFile = "dns.key"

// writeKey makes the key by which the programs of this machine prove names to certificate authorities: a new one at each
// start, which they read and nobody else.
func (s *site) writeKey() error {
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return fmt.Errorf("making the programs' key: %w", err)
	}
	text := "local. hmac-sha256. " + base64.StdEncoding.EncodeToString(secret[:]) + "\n"
	for _, u := range box.Users() {
		file := s.path(u.Name, keyFile)
		if u.ID == box.StorageID {
			continue
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing the programs' key: %w", err)
		}
		if !s.users {
			continue
		}
		if err := os.Chown(file, int(u.ID), int(u.ID)); err != nil {
			return fmt.Errorf("writing the programs' key: %w", err)
		}
	}
	return nil
}

// removeKey removes it again; if that fails, the next start writes another.
func (s *site) removeKey() {
	for _, u := range box.Users() {
		os.Remove(s.path(u.Name, keyFile))
	}
}
