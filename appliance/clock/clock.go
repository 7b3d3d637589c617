// Package clock knows whether the box's time can be trusted, and sets it.
//
// A Raspberry Pi has no clock: without this it would wake in 1970, and certificates, keys and signatures would be judged by
// that. The rules:
//
//  1. The last time that was known is kept in a file, as one line such as 2026-11-25T16:17:38Z. The clock is never set
//     to before it, nor to before the day on which the programs were built.
//  2. The time is known once several servers agree on it (NTP, RFC 5905), or at once if the machine has a clock of its
//     own that is not before what rule 1 says.
//  3. Servers agree if more than half of those that answer are within a second of each other, and at least two are. A single
//     answer counts only if a single server was asked, as by an owner whose network has one. Each address of a server's name
//     answers for itself: where there is only IPv6, one name of a public pool must do.
//  4. Who judges time waits until it is known, but not for ever: a box without Internet must start too. It then goes on from
//     the last known time, and says that the time is not known.
package clock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// spread is within what servers agree.
const spread = time.Second

// LastKnown reads the file of rule 1. The zero time is returned if there is none, or no time in it.
func LastKnown(file string) (time.Time, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the last known time: %w", err)
	}
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
	if err != nil { // a file that was cut short by a loss of power is as good as none
		return time.Time{}, nil
	}
	return t, nil
}

// Keep writes the file of rule 1, whole or not at all. A time before the one that is kept is not written.
func Keep(file string, now time.Time) error {
	last, err := LastKnown(file)
	if err != nil {
		return err
	}
	if !now.After(last) {
		return nil
	}
	if err := keep(file, now); err != nil {
		return fmt.Errorf("keeping the time: %w", err)
	}
	return nil
}

func keep(file string, now time.Time) error {
	next := file + ".new"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(now.UTC().Format(time.RFC3339) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := os.Rename(next, file); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// agree returns by how much the clock is off, by rule 3, from what servers answered of those that were asked.
func agree(offsets []time.Duration, asked int) (time.Duration, error) {
	if len(offsets) == 0 {
		return 0, errors.New("no time server answers")
	}
	if asked == 1 && len(offsets) == 1 {
		return offsets[0], nil
	}
	slices.Sort(offsets)
	best := []time.Duration{}
	for i := range offsets { // the largest group of neighbours
		end := i
		for end < len(offsets) && offsets[end]-offsets[i] <= spread {
			end++
		}
		if end-i > len(best) {
			best = offsets[i:end]
		}
	}
	if len(best) < 2 || 2*len(best) <= len(offsets) {
		return 0, fmt.Errorf("%d time servers answer and do not agree", len(offsets))
	}
	return best[len(best)/2], nil
}
