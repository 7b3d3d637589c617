// Package vmtest_test tries whole boxes in virtual machines: what an update does to them, good or bad, and what a loss of power.
//
// It runs if HEARTH_VMTEST is set, as make vmtest does; without, only the disk that loses power is tested, which needs no machine.
// The boxes have an arm64 processor and UEFI, or the kernel is started directly where nothing is updated. All of them listen on the
// loopback interface only. How often power fails is HEARTH_VMTEST_CUTS, 20 by default, and half of that during updates.
package vmtest_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"hearth/appliance/image"
)

// long skips a test that boots machines, unless it is asked for.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("HEARTH_VMTEST") == "" {
		t.Skip("make vmtest runs this, by HEARTH_VMTEST=1")
	}
}

const uefi = "arm64-uefi"

// result is what appliance update says as JSON.
type result struct {
	Updated  bool   `json:"updated"`
	Version  string `json:"version"`
	Sentence string `json:"sentence"`
}

// update pushes a version, while somebody talks, and returns how the command says that it went.
func (m *machine) update(t *testing.T, k *talker, system *image.System) (r result, err error) {
	t.Helper()
	name := m.bundle(t, system)
	k.meanwhile(t.Context(), func() {
		var out string
		out, err = m.appliance(t.Context(), "update", "--json", "--bundle", name, m.management)
		if text := strings.TrimSpace(out); text != "" {
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				t.Errorf("reading what update prints, %q: %v", text, err)
			}
		}
	})
	t.Logf("%s; %d messages are acknowledged", r.Sentence, k.count())
	return r, err
}

// served turns the machine on, and returns who talks there.
func (m *machine) served(t *testing.T) *talker {
	t.Helper()
	m.boot(t)
	k, err := register(t.Context(), m.client, "alice")
	if err != nil {
		t.Fatal(err)
	}
	client := k.connect()
	defer client.Close()
	if err := k.say(t.Context(), client); err != nil {
		t.Fatalf("sending a message: %v", err)
	}
	return k
}

// serves fails the test unless the box serves and has all that was acknowledged.
func (m *machine) serves(t *testing.T, k *talker) {
	t.Helper()
	if err := m.await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.check(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestUpdate updates a box twice, so that each slot is written once, and starts it anew after each.
func TestUpdate(t *testing.T) {
	long(t)
	m := newMachine(t, version(t, uefi, "1.0", 10))
	k := m.served(t)
	for i, name := range []string{"2.0", "3.0"} {
		m.updates(t, k, version(t, uefi, name, uint64(20+i)))
		m.kill() // without a word: what was acknowledged must be there, and the new version is to stay
		m.boot(t)
		m.serves(t, k)
		if got := m.status(t); got != name {
			t.Errorf("after another start, version %s runs", got)
		}
	}
}

// status returns the version that runs.
func (m *machine) status(t *testing.T) string {
	t.Helper()
	out, err := m.appliance(t.Context(), "status", "--json", m.management)
	var s struct{ Version string }
	if jsonErr := json.Unmarshal([]byte(out), &s); jsonErr != nil {
		t.Fatalf("reading what status prints: %v, %v", err, jsonErr)
	}
	return s.Version
}

func TestBrokenUpdates(t *testing.T) {
	long(t)
	for _, c := range []struct {
		name, want string
		system     func(*testing.T) *image.System
	}{
		{"first process ends", "did not start", func(t *testing.T) *image.System { return version(t, uefi, "dying", 20, dying()...) }},
		{"frozen first process", "did not start", func(t *testing.T) *image.System { return version(t, uefi, "frozen", 20, frozen()...) }},
		{"hanging homeserver", "homeserver", func(t *testing.T) *image.System { return version(t, uefi, "hanging", 20, hanging()...) }},
		{"mute homeserver", "sending a message", func(t *testing.T) *image.System { return version(t, uefi, "mute", 20, mute()...) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // much of the time is waiting for a patience to end
			m := newMachine(t, version(t, uefi, "1.0", 10))
			k := m.served(t)
			m.undoes(t, k, c.system(t), "1.0", c.want)
		})
	}
}

// undoes fails the test unless the box goes back from a version to the one that ran, and says why.
func (m *machine) undoes(t *testing.T, k *talker, bad *image.System, runs, why string) {
	t.Helper()
	r, err := m.update(t, k, bad)
	if err == nil || r.Updated || r.Version != runs || !strings.Contains(r.Sentence, why) {
		t.Fatalf("the update: %+v, %v; want that %s runs and a sentence with %q", r, err, runs, why)
	}
	m.serves(t, k)
}

// TestBrokenUpdatesIntoEitherSlot has good and bad versions follow each other, so that each slot is given up once.
func TestBrokenUpdatesIntoEitherSlot(t *testing.T) {
	long(t)
	m := newMachine(t, version(t, uefi, "1.0", 10))
	k := m.served(t)
	m.undoes(t, k, garbage(t, uefi, 20), "1.0", "did not start") // slot b
	m.updates(t, k, version(t, uefi, "2.0", 30))                 // slot b
	m.undoes(t, k, garbage(t, uefi, 40), "2.0", "did not start") // slot a
	m.kill()
	m.boot(t)
	m.serves(t, k)
	m.updates(t, k, version(t, uefi, "3.0", 50)) // slot a
}

// updates fails the test unless the box runs a version in the end.
func (m *machine) updates(t *testing.T, k *talker, good *image.System) {
	t.Helper()
	r, err := m.update(t, k, good)
	if err != nil || !r.Updated || r.Version != good.Manifest.Version {
		t.Fatalf("the update: %+v, %v", r, err)
	}
	m.serves(t, k)
}
