package ota

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// JournalFile is a Journal in a file on the data partition, whose file system renames atomically.
type JournalFile string

// maxJournal is far more than a Trial needs.
const maxJournal = 64 << 10

// Load implements Journal.
func (f JournalFile) Load() (*Trial, error) {
	data, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading of the last update: %w", err)
	}
	trial, err := parseTrial(data)
	if err != nil {
		return nil, fmt.Errorf("reading of the last update in %s: %w", f, err)
	}
	return trial, nil
}

func parseTrial(data []byte) (*Trial, error) {
	if len(data) > maxJournal {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(data), maxJournal)
	}
	trial := new(Trial)
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(trial); err != nil {
		return nil, err
	}
	known := trial.Outcome == Undecided || trial.Outcome == Committed || trial.Outcome == Undone
	if !known || trial.From != A && trial.From != B || trial.To != trial.From.Other() {
		return nil, errors.New("it is not what this program writes")
	}
	return trial, nil
}

// Store implements Journal.
func (f JournalFile) Store(trial Trial) error {
	data, err := json.Marshal(trial)
	if err == nil {
		err = replaceFile(string(f), append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("noting the state of the update: %w", err)
	}
	return nil
}

// replaceFile puts data in the place of a file: the old content or the new is there, whenever power is lost.
func replaceFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(name+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(name))
	}
	return err
}

func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// MarshalText implements encoding.TextMarshaler.
func (s Slot) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Slot) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSlot(string(text))
	return err
}
