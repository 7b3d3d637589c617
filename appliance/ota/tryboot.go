package ota

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
)

// TryBoot is the Method of the Raspberry Pi: its firmware's tryboot flag and os_prefix.
//
// config.txt has one line os_prefix=a/ or os_prefix=b/, from which folder the firmware takes kernel, device trees, overlays and
// command line. If the machine is restarted with the argument "0 tryboot", the firmware reads tryboot.txt in its place, that
// once: it clears the flag before anything of the new system runs. So a trial that ends in any way leads back to config.txt.
//
// Arm writes tryboot.txt, which nothing reads before the flag is set, and that happens when it has been read back. Commit
// changes config.txt in place, by one byte, the letter: whatever a loss of power leaves of a sector that is being written, the
// letter is the old or the new one, and all other bytes are the same in both. Firmware (start4.elf and the like) and config.txt's
// other lines belong to no slot, and are changed by flashing only.
type TryBoot struct{}

// Files and texts of the Raspberry Pi's firmware.
const (
	ConfigFile  = "config.txt"
	TryFile     = "tryboot.txt"
	prefixStart = "os_prefix="
	tryRestart  = "0 tryboot"
	maxConfig   = 64 << 10
)

// readConfig returns config.txt, and where in it the slot's letter stands.
func readConfig(boot Boot) (text []byte, at int, err error) {
	text, err = readFile(boot, ConfigFile, maxConfig)
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", ConfigFile, err)
	}
	offset, found := 0, 0
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(prefixStart)); ok {
			if letter, ok := bytes.CutSuffix(bytes.TrimRight(rest, "\r\n"), []byte("/")); !ok || len(letter) != 1 || letter[0] != 'a' && letter[0] != 'b' {
				return nil, 0, fmt.Errorf("reading %s: its line of os_prefix names no slot", ConfigFile)
			}
			at, found = offset+len(prefixStart), found+1
		}
		offset += len(line)
	}
	if found != 1 {
		return nil, 0, fmt.Errorf("reading %s: it has %d lines of os_prefix, want 1", ConfigFile, found)
	}
	return text, at, nil
}

// Disarm implements Method.
func (TryBoot) Disarm(boot Boot, running Slot) error {
	text, at, err := readConfig(boot)
	if err != nil {
		return err
	}
	if Slot(text[at]) != running {
		return fmt.Errorf("slot %s runs, but %s leads to the other one", running, ConfigFile)
	}
	return removeTry(boot)
}

func removeTry(boot Boot) error {
	if err := boot.Remove(TryFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", TryFile, err)
	}
	return syncBoot(boot)
}

// Arm implements Method.
func (TryBoot) Arm(boot Boot, slot Slot, _ Entry) (string, error) {
	text, at, err := readConfig(boot)
	if err != nil {
		return "", err
	}
	text[at] = byte(slot)
	if err := writeFile(boot, TryFile, text); err != nil {
		return "", fmt.Errorf("writing %s: %w", TryFile, err)
	}
	if err := syncBoot(boot); err != nil {
		return "", err
	}
	if got, err := readFile(boot, TryFile, int64(len(text))); err != nil || !bytes.Equal(got, text) {
		return "", fmt.Errorf("reading back %s: it is not what was written (%w)", TryFile, orDifferent(err))
	}
	return tryRestart, nil
}

// Trial implements Method. The firmware has cleared its flag already.
func (TryBoot) Trial(boot Boot, running Slot) (bool, error) {
	text, at, err := readConfig(boot)
	if err != nil {
		return false, err
	}
	return Slot(text[at]) != running, nil
}

// Commit implements Method.
func (TryBoot) Commit(boot Boot, running Slot, _ Entry) error {
	text, at, err := readConfig(boot)
	if err != nil {
		return err
	}
	if Slot(text[at]) != running {
		if err := setLetter(boot, len(text), at, running); err != nil {
			return fmt.Errorf("changing %s: %w", ConfigFile, err)
		}
	}
	return removeTry(boot)
}

// setLetter changes one byte of config.txt in place.
func setLetter(boot Boot, size, at int, slot Slot) error {
	file, err := boot.Open(ConfigFile, int64(size))
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte{byte(slot)}, int64(at))
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = boot.Sync()
	}
	return err
}
