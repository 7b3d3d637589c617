package ota

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// A Box is what an update changes: two slots, of which one runs, and the data.
type Box struct {
	Boot    Boot
	Root    func(Slot) (Partition, error) // opens a slot's root partition; what runs is only read
	Method  Method
	Running Slot
	Board   string
	Journal Journal
	Data    Checkpoint
}

// A Checkpoint keeps the data as they were before a new version saw them, while no program runs that uses them.
type Checkpoint interface {
	// Check returns nil if there is room to take one. Programs may run.
	Check() error

	// Take takes one, which is whole or not there.
	Take() error

	// Restore puts the data back, and uses the checkpoint up. It does nothing if there is none, so it can be repeated.
	Restore() error

	// Drop removes the checkpoint, if there is one.
	Drop() error
}

// A Journal keeps what happened with the last update, whatever happens to the power.
type Journal interface {
	// Load returns what was stored last, nil if nothing ever was.
	Load() (*Trial, error)

	Store(Trial) error
}

// A Trial is the start of a new version, which may fail.
type Trial struct {
	From, To    Slot
	FromVersion string
	ToVersion   string
	Number      uint64  // of ToVersion
	Started     bool    // the new version came up so far that it could note this
	Reason      string  // why the new version gave itself up; empty if it could not say
	Outcome     Outcome // Undecided while it lasts
}

// An Outcome is how a trial ended.
type Outcome string

// The outcomes.
const (
	Undecided Outcome = ""
	Committed Outcome = "committed"
	Undone    Outcome = "undone"
)

// Sentence says in one sentence how the trial went.
func (t *Trial) Sentence() string {
	switch {
	case t.Outcome == Committed:
		return fmt.Sprintf("Version %s runs; it replaced %s.", t.ToVersion, t.FromVersion)
	case t.Outcome == Undecided:
		return fmt.Sprintf("Version %s is on trial.", t.ToVersion)
	case t.Reason != "":
		return fmt.Sprintf("Version %s was undone and %s runs again: %s.", t.ToVersion, t.FromVersion, strings.TrimRight(t.Reason, "."))
	case t.Started:
		return fmt.Sprintf("Version %s was undone and %s runs again: the new one started and then broke off.", t.ToVersion, t.FromVersion)
	}
	return fmt.Sprintf("Version %s was undone and %s runs again: the new one did not start.", t.ToVersion, t.FromVersion)
}

// Installed returns the head of the bundle that a slot holds; fs.ErrNotExist if it holds none that is whole.
func (b *Box) Installed(slot Slot) (*Head, error) {
	raw, err := readFile(b.Boot, slot.String()+"/"+ManifestFile, MaxHead)
	if err != nil {
		return nil, fmt.Errorf("reading what slot %s holds: %w", slot, err)
	}
	head, err := ReadHead(strings.NewReader(string(raw)))
	if err != nil {
		return nil, fmt.Errorf("reading what slot %s holds: %w", slot, err)
	}
	return head, nil
}

// ErrRuns is returned for a bundle of the version that runs already.
var ErrRuns = errors.New("this version runs already")

// Admit returns nil if the owner vouches for a bundle and it may replace what runs; otherwise one sentence of why not.
func (b *Box) Admit(head *Head, owner ed25519.PublicKey) error {
	if !owner.Equal(head.Signer) {
		return fmt.Errorf("the bundle is signed by %s, but this box belongs to %s", Fingerprint(head.Signer), Fingerprint(owner))
	}
	m := head.Manifest
	if m.Board != b.Board {
		return fmt.Errorf("the bundle is for the board %s, but this is a %s", m.Board, b.Board)
	}
	runs, err := b.Installed(b.Running)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("what runs cannot be compared with the bundle: its slot has no manifest")
	}
	if err != nil {
		return err
	}
	switch now := runs.Manifest; {
	case m.Number == now.Number && m.Version == now.Version:
		return fmt.Errorf("version %s: %w", m.Version, ErrRuns)
	case m.Number <= now.Number:
		return fmt.Errorf("the bundle's version %s (number %d) is not newer than %s (number %d), which runs", m.Version, m.Number, now.Version, now.Number)
	case now.Number < m.Minimum:
		return fmt.Errorf("version %s cannot replace %s (number %d): update to a version between them first, of number %d or more", m.Version, now.Version, now.Number, m.Minimum)
	}
	return nil
}

// Fingerprint returns a short name of a public key, for people to compare: 80 bits of its SHA-256 in base32, such as
// "k2zx-7q4m-a5dh-w3ne".
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	text := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
	return text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:]
}
