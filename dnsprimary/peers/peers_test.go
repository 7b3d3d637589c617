// Package peers_test runs dnsprimary beside the servers and the tools of others, as its owner would.
//
// The programs that run are storage and dnsprimary, BIND, Knot and NSD as secondaries, a validating resolver, nsupdate,
// dig, kdig, delv and the checkers of zones, Pebble as the certificate authority, and at the end the homeserver. All is
// on 127.0.0.1 and dies with the test. Where a package of theirs is not installed, its test is skipped and says so.
//
// The files random_*_test.go have what nobody thought of: zones, questions, updates and flaws that chance makes, the same for
// the same HEARTH_SEED. There we answer in the test's own process, beside servers with the same zone files; where answers differ,
// freedoms and updateFreedoms name the RFC that allows it, or that the other departs from. A case without such a rule is made
// small and shown with its zone files.
//
// HEARTH_INTEROP=1 runs the long form: all algorithms and kinds of denial, more kills, more chance.
package peers_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestPeers is the list of what is tried. All tries share the programs, which are built once, and run at the same time, since
// they mostly wait.
func TestPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what runs other servers")
	}
	programs := build(t)
	var all sync.WaitGroup
	for _, try := range []struct {
		title string
		do    func(*testing.T, string)
	}{
		{"secondaries serve what we serve", trySecondaries},
		{"nsupdate changes the zone", tryUpdates},
		{"keys roll before the eyes of a validator", tryRollovers},
		{"updates survive kills", tryKills},
		{"dig and kdig ask in every way", tryTransports},
		{"attackers get nothing", tryAttacks},
		{"an authority certifies the homeserver", tryCertificate},
	} {
		all.Go(func() { t.Run(try.title, func(t *testing.T) { try.do(t, programs) }) })
	}
	all.Wait()
}

// long reports whether there is time for everything.
func long() bool { return os.Getenv("HEARTH_INTEROP") != "" }

// build compiles the programs, and returns their folder.
func build(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", folder+string(filepath.Separator),
		"hearth/storage", "hearth/dnsprimary", "hearth/homeserver", "hearth/appliance", "github.com/letsencrypt/pebble/v2/cmd/pebble").CombinedOutput()
	if err != nil {
		t.Fatalf("building the programs: %v\n%s", err, out)
	}
	return folder
}

// need skips a test that lacks programs of others. What is in /usr/sbin is found too.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(find(program)); err != nil {
			t.Skipf("%s is not installed: make needs installs it on Debian", program)
		}
	}
}

// find returns the path of a program, or its name if it is nowhere.
func find(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	if path, err := exec.LookPath("/usr/sbin/" + program); err == nil {
		return path
	}
	return program
}

// patience is how long something may take that takes a moment, on a machine that is busy.
const (
	patience = 90 * time.Second
	slow     = 4 * time.Second // is told of
)

// await asks again and again until an answer is right; the error says what is wrong still.
func await(t *testing.T, what string, ask func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	begin := time.Now()
	for {
		err := ask()
		if err == nil {
			if d := time.Since(begin); d > slow {
				t.Logf("it took %s until %s", d.Round(time.Millisecond), what)
			}
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waiting until %s: %v", what, err)
		}
	}
}
