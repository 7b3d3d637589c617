package agent

import (
	"bufio"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hearth/appliance/ota"
)

// A Laptop is what an owner's machine keeps in a folder:
//
//	owner.key   the seed of the owner's Ed25519 key, in base64: whoever has it can update the boxes
//	boxes       the keys of the boxes that were met: lines of a host:port and "ed25519:" with a key
type Laptop struct{ Folder string }

// OpenLaptop returns the laptop of this user, whose folder is hearth among the user's settings.
func OpenLaptop() (*Laptop, error) {
	settings, err := os.UserConfigDir()
	if err != nil {
		return nil, fmt.Errorf("finding the folder of the owner's key: %w", err)
	}
	return &Laptop{filepath.Join(settings, "hearth")}, nil
}

// Key returns the owner's key, and whether it was made just now.
func (l *Laptop) Key() (key ed25519.PrivateKey, made bool, err error) {
	key, made, err = privateKey(filepath.Join(l.Folder, "owner.key"))
	if err != nil {
		return nil, false, fmt.Errorf("reading the owner's key: %w", err)
	}
	return key, made, nil
}

func (l *Laptop) boxes() string { return filepath.Join(l.Folder, "boxes") }

// known returns the key of a box that was met, nil if it was not.
func (l *Laptop) known(host string) (ed25519.PublicKey, error) {
	file, err := os.Open(l.boxes())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading which boxes are known: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 2 || words[0] != host {
			continue
		}
		key, err := ParseKey(words[1])
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", l.boxes(), err)
		}
		return key, nil
	}
	return nil, lines.Err()
}

// remember adds a box.
func (l *Laptop) remember(host string, key ed25519.PublicKey) error {
	text, err := os.ReadFile(l.boxes())
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = keepFile(l.boxes(), string(text)+host+" "+FormatKey(key)+"\n")
	}
	if err != nil {
		return fmt.Errorf("remembering the key of %s: %w", host, err)
	}
	return nil
}

// errStranger says that a box is another one than before.
func (l *Laptop) errStranger(host string, was, is ed25519.PublicKey) error {
	return fmt.Errorf("%s shows the key %s, and had %s before: if its card was flashed anew, remove its line from %s; if not, somebody else answers in its place",
		host, ota.Fingerprint(is), ota.Fingerprint(was), l.boxes())
}
