package ota

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// SystemdBoot is the Method of machines with UEFI: systemd-boot and its counting of boots.
//
// A slot that may be started has an entry (UAPI.1 Boot Loader Specification) among loader/entries, hearth-a.conf or
// hearth-b.conf. The pinned systemd-boot (250) knows no sort-key: it starts the entry with the greatest name. A slot on trial has
// hearth-trial-b+1.conf, which is greater than both, and which systemd-boot renames to hearth-trial-b+0-1.conf before it starts it;
// an entry with no tries left comes last in its order, whatever its name. So a trial that ends in any way leads back to the other
// slot, and only Commit, which makes an entry without a count and then removes the other slot's, changes that.
//
// loader.conf must not name a default: one would be started although it has no tries left.
//
// An entry is never seen half written: it is written under a name that does not end in .conf, synced, and then renamed. A
// rename that is cut off by a loss of power leaves the new name, the old, both or none, and each of these is fine: the old
// name is not an entry, or is one of the same slot that comes later in the order. (The firmware's own rename is not in our hands:
// one that leaves both names makes systemd-boot start the trial without counting, which Trial then does. UEFI's usual FAT driver
// takes the old name away first.)
type SystemdBoot struct{}

// Folders and files of systemd-boot.
const (
	EntriesFolder  = "loader/entries"
	LoaderSettings = "loader/loader.conf"
)

// LoaderConf is what an image has as LoaderSettings.
const LoaderConf = "timeout 0\neditor no\nauto-entries no\nauto-firmware no\n"

// EntryName returns the path of a committed slot's entry.
func EntryName(slot Slot) string { return entryName(slot, "") }

// trialMark makes a trial's name greater than that of any slot.
const trialMark = "trial-"

func entryName(slot Slot, count string) string {
	if count != "" {
		return EntriesFolder + "/hearth-" + trialMark + slot.String() + count + ".conf"
	}
	return EntriesFolder + "/hearth-" + slot.String() + ".conf"
}

// EntryText returns what a slot's entry holds.
func EntryText(slot Slot, e Entry) []byte {
	return fmt.Appendf(nil, "title Hearth %s (%s)\nsort-key hearth\nversion %d\nlinux /%s/%s\noptions %s\n",
		e.Version, slot, e.Number, slot, KernelFile, e.CommandLine)
}

// An entryFile is an entry as it stands on the disk.
type entryFile struct {
	path    string
	slot    Slot
	counted bool // it is on trial, or was
	left    uint64
}

// entries returns the entries of the slots. What else is in the folder is not ours.
func entries(boot Boot) ([]entryFile, error) {
	names, err := boot.List(EntriesFolder)
	if err != nil {
		return nil, fmt.Errorf("reading the boot loader's entries: %w", err)
	}
	var found []entryFile
	for _, name := range names {
		if e, ok := parseEntryName(name); ok {
			found = append(found, e)
		}
	}
	return found, nil
}

func parseEntryName(name string) (entryFile, bool) {
	e := entryFile{path: EntriesFolder + "/" + name}
	text, isEntry := strings.CutSuffix(name, ".conf")
	text, ours := strings.CutPrefix(text, "hearth-")
	text, count, counted := strings.Cut(text, "+")
	text, marked := strings.CutPrefix(text, trialMark)
	slot, err := ParseSlot(text)
	if !isEntry || !ours || err != nil || marked && !counted {
		return e, false
	}
	e.slot, e.counted = slot, counted
	if counted {
		left, _, _ := strings.Cut(count, "-")
		e.left, err = strconv.ParseUint(left, 10, 32)
	}
	return e, err == nil
}

// Disarm implements Method.
func (SystemdBoot) Disarm(boot Boot, running Slot) error {
	all, err := entries(boot)
	if err != nil {
		return err
	}
	leads := false
	for _, e := range all {
		leads = leads || e.slot == running && !e.counted
	}
	if !leads {
		return fmt.Errorf("slot %s runs, but no entry of the boot loader leads to it for good", running)
	}
	for _, e := range all {
		if e.slot == running {
			continue
		}
		if err := boot.Remove(e.path); err != nil {
			return fmt.Errorf("removing the boot loader's entry of slot %s: %w", e.slot, err)
		}
	}
	return syncBoot(boot)
}

// Arm implements Method.
func (SystemdBoot) Arm(boot Boot, slot Slot, e Entry) (string, error) {
	return "", writeEntry(boot, slot, e, "+1")
}

// writeEntry makes an entry that is there whole or not at all.
func writeEntry(boot Boot, slot Slot, e Entry, count string) error {
	temporary := EntriesFolder + "/hearth-" + slot.String() + ".new"
	want := EntryText(slot, e)
	if err := writeFile(boot, temporary, want); err != nil {
		return fmt.Errorf("writing the boot loader's entry of slot %s: %w", slot, err)
	}
	if err := syncBoot(boot); err != nil {
		return err
	}
	if got, err := readFile(boot, temporary, int64(len(want))); err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("reading back the boot loader's entry of slot %s: it is not what was written (%w)", slot, orDifferent(err))
	}
	if err := boot.Rename(temporary, entryName(slot, count)); err != nil {
		return fmt.Errorf("naming the boot loader's entry of slot %s: %w", slot, err)
	}
	return syncBoot(boot)
}

func orDifferent(err error) error {
	if err == nil {
		return errors.New("the disk may be failing")
	}
	return err
}

// Trial implements Method. Firmware that cannot rename files, or that lost power while it did, leaves an entry that is not counted:
// then this counts.
func (SystemdBoot) Trial(boot Boot, running Slot) (bool, error) {
	all, err := entries(boot)
	if err != nil {
		return false, err
	}
	spent := false
	var uncounted []string
	for _, e := range all {
		switch {
		case e.slot != running:
		case !e.counted:
			return false, nil
		case e.left == 0:
			spent = true
		default:
			uncounted = append(uncounted, e.path)
		}
	}
	for _, name := range uncounted {
		err := spend(boot, name, running, spent)
		if err != nil {
			return true, fmt.Errorf("counting the trial of slot %s: %w", running, err)
		}
		spent = true
	}
	if len(uncounted) == 0 {
		return true, nil
	}
	return true, syncBoot(boot)
}

// spend makes an entry one without tries left, unless there is such a one.
func spend(boot Boot, name string, slot Slot, spent bool) error {
	if spent {
		return boot.Remove(name)
	}
	return boot.Rename(name, entryName(slot, "+0-1"))
}

// Commit implements Method.
func (SystemdBoot) Commit(boot Boot, running Slot, e Entry) error {
	all, err := entries(boot)
	if err != nil {
		return err
	}
	done := false
	for _, entry := range all {
		done = done || entry.slot == running && !entry.counted
	}
	if !done {
		if err := writeEntry(boot, running, e, ""); err != nil {
			return err
		}
	}
	for _, entry := range all {
		if entry.slot == running && !entry.counted {
			continue
		}
		if err := boot.Remove(entry.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the boot loader's entries of before: %w", err)
		}
	}
	return syncBoot(boot)
}

func syncBoot(boot Boot) error {
	if err := boot.Sync(); err != nil {
		return fmt.Errorf("syncing the boot partition: %w", err)
	}
	return nil
}
