package ota_test

import (
	"strings"
	"testing"

	"hearth/appliance/ota"
	"hearth/appliance/powercut"
)

func TestConfigsThatCannotBeChangedAreRefused(t *testing.T) {
	for config, want := range map[string]string{
		"kernel=vmlinuz\n":                            "it has 0 lines of os_prefix, want 1",
		"os_prefix=a/\nos_prefix=b/\n":                "it has 2 lines of os_prefix, want 1",
		"os_prefix=c/\n":                              "its line of os_prefix names no slot",
		"os_prefix=a\n":                               "its line of os_prefix names no slot",
		"os_prefix=b/\n":                              "slot a runs, but config.txt leads to the other one",
		"os_prefix=a/\n" + strings.Repeat("#", 1<<17): "more than",
	} {
		boot := powercut.NewFAT(map[string]string{ota.ConfigFile: config}, "")
		if err := (ota.TryBoot{}).Disarm(boot, ota.A); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v, want %s", config, err, want)
		}
	}
	if err := (ota.TryBoot{}).Disarm(powercut.NewFAT(nil, ""), ota.A); err == nil {
		t.Error("without config.txt")
	}
}

func TestCommittingChangesOneByteOfConfig(t *testing.T) {
	const before = "# mine\r\nos_prefix=a/\r\n# os_prefix=a/\r\n"
	boot := powercut.NewFAT(map[string]string{ota.ConfigFile: before, ota.TryFile: "x"}, "")
	if err := (ota.TryBoot{}).Commit(boot, ota.B, ota.Entry{}); err != nil {
		t.Fatal(err)
	}
	files := boot.Files()
	if want := strings.Replace(before, "a/", "b/", 1); files[ota.ConfigFile] != want || len(files) != 1 {
		t.Errorf("the files are %q", files)
	}
}

func TestASlotWithoutAnEntryIsNotOverwrittenFrom(t *testing.T) {
	boot := powercut.NewFAT(map[string]string{ota.EntriesFolder + "/hearth-a+1.conf": "x", ota.EntriesFolder + "/hearth-b.conf": "x"}, "")
	err := (ota.SystemdBoot{}).Disarm(boot, ota.A)
	if err == nil || err.Error() != "slot a runs, but no entry of the boot loader leads to it for good" {
		t.Errorf("the fault is %v", err)
	}
	if files := boot.Files(); len(files) != 2 {
		t.Errorf("the files are %q", files)
	}
}

func TestEntriesOfOthersStay(t *testing.T) {
	others := []string{"memtest.conf", "hearth-c.conf", "hearth-b+x.conf", "hearth-ab.conf", "hearth-b.conf.old", "hearth-a.conf"}
	files := map[string]string{}
	for _, name := range append(others, "hearth-b.conf", "hearth-b+3.conf", "hearth-b+0-3.conf") {
		files[ota.EntriesFolder+"/"+name] = "x"
	}
	boot := powercut.NewFAT(files, "")
	if err := (ota.SystemdBoot{}).Disarm(boot, ota.A); err != nil {
		t.Fatal(err)
	}
	left := boot.Files()
	for _, name := range others {
		if left[ota.EntriesFolder+"/"+name] == "" {
			t.Errorf("%s is gone", name)
		}
	}
	if len(left) != len(others) {
		t.Errorf("what is left is %q", left)
	}
}

// Firmware that cannot rename files starts a trial without counting it.
func TestATrialThatWasNotCountedIsCounted(t *testing.T) {
	for _, c := range []struct{ before, after string }{
		{"hearth-trial-b+1.conf", "hearth-trial-b+0-1.conf"},
		{"hearth-trial-b+0-1.conf", "hearth-trial-b+0-1.conf"},
		{"hearth-trial-b+0-1.conf hearth-trial-b+1.conf", "hearth-trial-b+0-1.conf"},
	} {
		files := map[string]string{}
		for name := range strings.FieldsSeq(c.before) {
			files[ota.EntriesFolder+"/"+name] = "x"
		}
		boot := powercut.NewFAT(files, "")
		if trial, err := (ota.SystemdBoot{}).Trial(boot, ota.B); !trial || err != nil {
			t.Errorf("%s: trial is %v: %v", c.before, trial, err)
		}
		if left := boot.Files(); len(left) != 1 || left[ota.EntriesFolder+"/"+c.after] == "" {
			t.Errorf("%s: what is left is %q", c.before, left)
		}
	}
}

// A new version that cannot mount the data, say, is undone all the same.
func TestATrialIsAbandonedWithoutItsData(t *testing.T) {
	methods(t, func(t *testing.T, uefi bool) {
		s := newStory(t, uefi, true, nil)
		m := flashed(t, uefi, s.v1, nil)
		if trial, err := box(m, ota.A).Abandon("no data"); trial || err != nil {
			t.Errorf("a start that is no trial: %v, %v", trial, err)
		}
		m = s.armed().Reset(powercut.On(-1))
		slot, _, err := s.start(m)
		if err != nil {
			t.Fatal(err)
		}
		if trial, err := box(m, slot).Abandon("no data"); !trial || err != nil {
			t.Errorf("the trial: %v, %v", trial, err)
		}
		m = m.Reset(powercut.On(-1))
		if served, err := s.settle(m); err != nil || served != "1.0" {
			t.Errorf("%s serves: %v", served, err)
		}
		if got, want := m.Data.Trial.Sentence(), "Version 1.1 was undone and 1.0 runs again: no data."; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	})
}
