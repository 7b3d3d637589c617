package agent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/appliance/agent"
	"hearth/homeserver/rig"
)

// TestRoundTrip makes the trip through the real programs.
func TestRoundTrip(t *testing.T) {
	programs, data := t.TempDir(), t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := rig.Build(ctx, programs); err != nil {
		t.Fatal(err)
	}
	server, err := rig.Start(rig.Options{Programs: programs, Data: data, Set: []string{
		"storage.namespaces=homeserver,dnsprimary,box", "registration=closed",
		"dnsprimary.zones=hearth.test", "dnsprimary.nameservers=ns1.hearth.test", "dnsprimary.addresses=127.0.0.1", "dnsprimary.hosts=ns1.hearth.test",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Kill(context.Background()) })
	if err := server.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(data, "run")
	trip := &agent.RoundTrip{
		Folder: t.TempDir(), Client: server.URL(), Admin: filepath.Join(run, "homeserver.sock"), Pause: 20 * time.Millisecond,
		Storage: filepath.Join(run, "storage.sock"), DNS: filepath.Join(run, "dns.sock"), Zone: "hearth.test",
	}
	reopened := 0
	trip.Reopen = func(ctx context.Context) error {
		reopened++
		if err := server.Stop(ctx); err != nil {
			return err
		}
		return server.Restart()
	}
	for n := range 2 { // the second time the user and the room are there
		if err := trip.Probe(ctx); err != nil {
			t.Fatalf("trip %d: %v", n, err)
		}
	}
	if reopened != 2 {
		t.Errorf("the programs were started again %d times", reopened)
	}
	memory, err := os.ReadFile(filepath.Join(trip.Folder, "probe"))
	if err != nil || strings.Count(string(memory), "self-test-") != 1 {
		t.Errorf("it remembers %q: %v", memory, err)
	}

	trip.Zone = "other.test"
	if err := trip.Probe(ctx); err == nil || !strings.HasPrefix(err.Error(), "asking the DNS server: it does not serve other.test") {
		t.Errorf("a zone that is not served: %v", err)
	}
	trip.Zone = "hearth.test"
	lost := errors.New("the store is gone")
	trip.Reopen = func(context.Context) error { return lost }
	if err := trip.Probe(ctx); !errors.Is(err, lost) {
		t.Errorf("programs that do not come back: %v", err)
	}
	// A homeserver that answers health and cannot send.
	trip.Client = "http://127.0.0.1:1"
	if err := trip.Probe(ctx); err == nil || !strings.HasPrefix(err.Error(), "sending a message: ") {
		t.Errorf("no Client-Server API: %v", err)
	}
}
