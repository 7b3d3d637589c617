package ota_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth/appliance/ota"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, name, want string) {
	t.Helper()
	if got, err := os.ReadFile(name); err != nil || string(got) != want {
		t.Errorf("%s holds %q (%v), want %q", filepath.Base(name), got, err, want)
	}
}

func only(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("the folder holds %v, want %v", names, want)
	}
}

func TestACheckpointIsPutBack(t *testing.T) {
	top := t.TempDir()
	data := filepath.Join(top, "storage")
	c := ota.FolderCheckpoint{Folder: data}
	write(t, data+"/a", "one")
	write(t, data+"/deep/b", "two")
	if err := c.Take(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(data + ".checkpoint/a"); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the copy has the mode %v: %v", info.Mode(), err)
	}
	write(t, data+"/a", "changed")
	write(t, data+"/new", "three")
	for range 2 { // the second time there is none, and nothing changes
		if err := c.Restore(); err != nil {
			t.Fatal(err)
		}
		holds(t, data+"/a", "one")
		holds(t, data+"/deep/b", "two")
	}
	if _, err := os.Stat(data + "/new"); !os.IsNotExist(err) {
		t.Errorf("what was written after the checkpoint is there: %v", err)
	}
	if err := c.Drop(); err != nil {
		t.Fatal(err)
	}
	only(t, top, "storage")
}

func TestACheckpointIsDropped(t *testing.T) {
	top := t.TempDir()
	c := ota.FolderCheckpoint{Folder: filepath.Join(top, "storage")}
	write(t, top+"/storage/a", "one")
	if err := c.Take(); err != nil {
		t.Fatal(err)
	}
	write(t, top+"/storage/a", "two")
	if err := c.Drop(); err != nil {
		t.Fatal(err)
	}
	only(t, top, "storage")
	if err := c.Restore(); err != nil {
		t.Fatal(err)
	}
	holds(t, top+"/storage/a", "two")
}

// Each state that a loss of power can leave in Restore is one that Restore goes on from.
func TestRestoringGoesOnAfterALossOfPower(t *testing.T) {
	for _, state := range []string{"before", "discarded", "both"} {
		top := t.TempDir()
		data := filepath.Join(top, "storage")
		write(t, data+".checkpoint/a", "one")
		switch state {
		case "before":
			write(t, data+"/a", "two")
		case "discarded":
			write(t, data+".discarded/a", "two")
		case "both":
			write(t, data+"/a", "two")
			write(t, data+".discarded/a", "three")
		}
		if err := (ota.FolderCheckpoint{Folder: data}).Restore(); err != nil {
			t.Fatal(err)
		}
		holds(t, data+"/a", "one")
	}
}

func TestACheckpointNeedsRoom(t *testing.T) {
	c := ota.FolderCheckpoint{Folder: filepath.Join(t.TempDir(), "storage"), Spare: 1 << 60}
	write(t, c.Folder+"/a", "one")
	for _, err := range []error{c.Check(), c.Take()} {
		if err == nil || !strings.HasPrefix(err.Error(), "the data partition is too full: an update needs ") {
			t.Errorf("without room: %v", err)
		}
	}
	only(t, filepath.Dir(c.Folder), "storage")
}

func TestTheJournalKeepsATrial(t *testing.T) {
	j := ota.JournalFile(filepath.Join(t.TempDir(), "box", "update.json"))
	if trial, err := j.Load(); trial != nil || err != nil {
		t.Errorf("at first: %v, %v", trial, err)
	}
	want := ota.Trial{From: ota.A, To: ota.B, FromVersion: "1.0", ToVersion: "1.1", Number: 11, Reason: "x", Outcome: ota.Undone}
	if err := j.Store(want); err != nil {
		t.Fatal(err)
	}
	if got, err := j.Load(); err != nil || *got != want {
		t.Errorf("it keeps %v, want %v: %v", got, want, err)
	}
	for _, bad := range []string{"", "{}", `{"From":"a","To":"a"}`, `{"From":"a","To":"b","Outcome":"?"}`, `{"From":"c"}`, `{"More":1}`} {
		write(t, string(j), bad)
		if trial, err := j.Load(); err == nil {
			t.Errorf("%q is read as %v", bad, trial)
		}
	}
}

// A box whose partitions are files and a folder is updated as the model of one is.
func TestAnUpdateInAFolder(t *testing.T) {
	methods(t, func(t *testing.T, uefi bool) {
		top := t.TempDir()
		m := flashed(t, uefi, newVersion(10, "1.0"), nil)
		boot := ota.BootFolder{Folder: top + "/boot"}
		for name, text := range m.Boot.Files() {
			write(t, top+"/boot/"+name, text)
		}
		write(t, top+"/boot/b/overlays/stale", "of a version that is gone")
		write(t, top+"/root-a", newVersion(10, "1.0").files["root"])
		write(t, top+"/root-b", strings.Repeat("x", partition))
		write(t, top+"/storage/a", "message")
		b := box(m, ota.A)
		b.Boot, b.Journal, b.Data = boot, ota.JournalFile(top+"/update.json"), ota.FolderCheckpoint{Folder: top + "/storage"}
		b.Root = func(s ota.Slot) (ota.Partition, error) {
			return ota.OpenPartition(top+"/root-"+s.String(), s != b.Running)
		}
		v2 := newVersion(11, "1.1")
		if err := install(b, v2.bundle(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Try(); err != nil {
			t.Fatal(err)
		}
		holds(t, top+"/boot/b/vmlinuz", v2.files["vmlinuz"])
		holds(t, top+"/boot/b/cmdline.txt", strings.ReplaceAll(commandLine, "{slot}", "b")+"\n")
		if _, err := os.Stat(top + "/boot/b/overlays/stale"); !os.IsNotExist(err) {
			t.Errorf("a stale file is left: %v", err)
		}
		b.Running = ota.B
		trial, err := b.Wake()
		if err != nil || trial == nil || !trial.Started {
			t.Fatalf("the trial is %v, %v", trial, err)
		}
		if err := b.Commit(*trial); err != nil {
			t.Fatal(err)
		}
		only(t, top, "boot", "root-a", "root-b", "storage", "update.json")
		if trial, err := b.Wake(); trial != nil || err != nil {
			t.Errorf("after the commit the trial is %v, %v", trial, err)
		}
	})
}
