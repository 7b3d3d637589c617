package ota_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"hearth/appliance/ota"
	"hearth/appliance/powercut"
)

// story is a machine on which version 1 is replaced by version 2, with power lost on the way.
type story struct {
	t        *testing.T
	uefi     bool
	v1, v2   version
	bundle   *ota.Bundle
	previous *version // what slot b holds at first
	lucks    []powercut.Luck
	good     bool // version 2 is healthy
}

func newStory(t *testing.T, uefi, good bool, previous *version) *story {
	s := &story{t: t, uefi: uefi, v1: newVersion(10, "1.0"), v2: newVersion(11, "1.1"), previous: previous, good: good}
	s.bundle = s.v2.bundle(t)
	s.lucks = powercut.Lucks(rand.New(rand.NewPCG(1, 2)), 5)
	return s
}

// start starts the machine and checks that what starts is one of the versions, whole. It returns the slot and the version.
func (s *story) start(m *powercut.Machine) (ota.Slot, version, error) {
	kernel, slot, line, err := m.Start()
	if err != nil {
		return 0, version{}, err
	}
	for _, v := range []version{s.v1, s.v2} {
		want := strings.ReplaceAll(v.manifest.CommandLine, "{slot}", slot.String())
		if kernel == v.files[ota.KernelFile] && line == want && m.Roots[slot].Begins(v.files[ota.RootFile]) {
			return slot, v, nil
		}
	}
	return 0, version{}, fmt.Errorf("slot %s starts as neither version: command line %q", slot, line)
}

// live is one start of the machine to its next restart; it reports whether the box then serves for good.
func (s *story) live(m *powercut.Machine) (served string, err error) {
	slot, v, err := s.start(m)
	if err != nil {
		return "", err
	}
	b := box(m, slot)
	trial, err := b.Wake()
	if err != nil {
		return "", fmt.Errorf("waking in %s: %w", v.manifest.Version, err)
	}
	if trial == nil {
		return v.manifest.Version, nil
	}
	if v.manifest.Version != s.v2.manifest.Version {
		return "", fmt.Errorf("version %s is on trial", v.manifest.Version)
	}
	m.Data.Write(m.Data.Live + ", migrated")
	if !s.good {
		err := b.GiveUp(*trial, "no message can be sent")
		m.Restart("")
		return "", err
	}
	if err := b.Commit(*trial); err != nil {
		return "", err
	}
	return v.manifest.Version, nil
}

// settle lets the machine live until it serves, and checks what it serves.
func (s *story) settle(m *powercut.Machine) (string, error) {
	for range 4 {
		served, err := s.live(m)
		if err != nil {
			return "", err
		}
		if served == "" {
			m = m.Reset(powercut.On(-1))
			continue
		}
		switch data := m.Data.Live; {
		case served == "1.0" && data != "message", served == "1.1" && !strings.HasPrefix(data, "message, migrated"):
			return "", fmt.Errorf("version %s has the data %q", served, data)
		case served == "1.1" && !s.good:
			return "", fmt.Errorf("a version that is not healthy was kept")
		}
		return served, s.stays(m, served)
	}
	return "", fmt.Errorf("the machine never serves")
}

// stays checks that the version that serves is the one that starts the next time.
func (s *story) stays(m *powercut.Machine, served string) error {
	again, err := s.live(m.Reset(powercut.On(-1)))
	if err == nil && again != served {
		err = fmt.Errorf("version %s served, and at the next start %q does", served, again)
	}
	return err
}

// cutEverywhere runs a part of the story with power cut at each of its steps, and settles what is left in every way.
func (s *story) cutEverywhere(make func() *powercut.Machine, part func(*powercut.Machine) error) map[string]int {
	s.t.Helper()
	ends := map[string]int{}
	for at := 0; ; at++ {
		power := powercut.On(at)
		m := make().Reset(power)
		cut := power.Run(func() {
			if err := part(m); err != nil {
				s.t.Fatalf("with power: %v", err)
			}
		})
		if !cut {
			s.t.Logf("%d steps, ends: %v", at, ends)
			return ends
		}
		for n, luck := range s.lucks {
			served, err := s.settle(m.Lose(luck, powercut.On(-1)))
			if err != nil {
				s.t.Fatalf("power lost at step %d, luck %d: %v", at, n, err)
			}
			ends[served]++
		}
	}
}

func previous() *version {
	v := newVersion(9, "0.9")
	return &v
}

func TestPowerLostWhileInstalling(t *testing.T) {
	methods(t, func(t *testing.T, uefi bool) {
		for _, before := range []*version{nil, previous()} {
			s := newStory(t, uefi, true, before)
			ends := s.cutEverywhere(func() *powercut.Machine { return flashed(t, uefi, s.v1, before) },
				func(m *powercut.Machine) error { return update(m, ota.A, s.bundle) })
			if ends["1.0"] == 0 || uefi && ends["1.1"] == 0 {
				t.Errorf("the ends are %v: the test does not cut where it should", ends)
			}
		}
	})
}

// armed returns a machine that is about to start its trial.
func (s *story) armed() *powercut.Machine {
	m := flashed(s.t, s.uefi, s.v1, s.previous)
	if err := update(m, ota.A, s.bundle); err != nil {
		s.t.Fatal(err)
	}
	return m
}

func TestPowerLostDuringATrialThatSucceeds(t *testing.T) {
	methods(t, func(t *testing.T, uefi bool) {
		s := newStory(t, uefi, true, previous())
		ends := s.cutEverywhere(s.armed, func(m *powercut.Machine) error { _, err := s.live(m); return err })
		if ends["1.0"] == 0 || ends["1.1"] == 0 {
			t.Errorf("the ends are %v: the test does not cut where it should", ends)
		}
	})
}

func TestPowerLostDuringATrialThatFails(t *testing.T) {
	methods(t, func(t *testing.T, uefi bool) {
		s := newStory(t, uefi, false, nil)
		s.cutEverywhere(s.armed, func(m *powercut.Machine) error { _, err := s.live(m); return err })
	})
}

func TestPowerLostWhileGoingBack(t *testing.T) {
	methods(t, func(t *testing.T, uefi bool) {
		s := newStory(t, uefi, false, nil)
		failed := func() *powercut.Machine {
			m := s.armed().Reset(powercut.On(-1))
			if _, err := s.live(m); err != nil {
				t.Fatal(err)
			}
			return m
		}
		s.cutEverywhere(failed, func(m *powercut.Machine) error { _, err := s.live(m); return err })
	})
}

// A version may come up in no way at all: its kernel, its root or PID 1 are bad although they are what its maker signed.
func TestAVersionThatDoesNotStartIsUndone(t *testing.T) {
	methods(t, func(t *testing.T, uefi bool) {
		s := newStory(t, uefi, true, previous())
		m := s.armed().Reset(powercut.On(-1))
		if _, v, err := s.start(m); err != nil || v.manifest.Version != "1.1" {
			t.Fatalf("the trial starts %s, %v", v.manifest.Version, err)
		}
		m.Data.Write("message, half migrated")
		m = m.Reset(powercut.On(-1)) // it panics
		if served, err := s.settle(m); err != nil || served != "1.0" {
			t.Fatalf("%s serves: %v", served, err)
		}
		if got, want := m.Data.Trial.Sentence(), "Version 1.1 was undone and 1.0 runs again: the new one did not start."; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
		if err := update(m, ota.A, s.bundle); err != nil {
			t.Fatalf("trying it again: %v", err)
		}
		if served, err := s.settle(m.Reset(powercut.On(-1))); err != nil || served != "1.1" {
			t.Errorf("%s serves after another try: %v", served, err)
		}
	})
}

func TestUpdatesGoBackAndForthBetweenTheSlots(t *testing.T) {
	methods(t, func(t *testing.T, uefi bool) {
		s := newStory(t, uefi, true, nil)
		m := flashed(t, uefi, s.v1, nil)
		running := ota.A
		for n := range uint64(5) {
			s.v1, s.v2 = s.v2, newVersion(20+n, fmt.Sprintf("2.%d", n))
			if err := update(m, running, s.v2.bundle(t)); err != nil {
				t.Fatal(err)
			}
			m = m.Reset(powercut.On(-1))
			if served, err := s.live(m); err != nil || served != s.v2.manifest.Version {
				t.Fatalf("%s serves: %v", served, err)
			}
			running = running.Other()
		}
	})
}
