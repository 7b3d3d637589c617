package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/appliance/box"
	"hearth/appliance/health"
	"hearth/appliance/network"
)

func TestOwner(t *testing.T) {
	for _, c := range []struct {
		text, want, err string // want: what is set, and the hostname
	}{
		{"", "homeserver.server_name=hearth.local homeserver.listen=:8008 hearth", ""},
		{"box.hostname = attic", "homeserver.server_name=attic.local homeserver.listen=:8008 attic", ""},
		{"server_name = example.org\nregistration=token", "homeserver.listen=:8008 homeserver.server_name=example.org homeserver.registration=token hearth", ""},
		{"\nserver_name", "", "line 2: want KEY = VALUE"},
		{"data = /tmp", "", "line 1: a box keeps its data on its own partition"},
		{"box.hostname = -a", "", `line 1: box.hostname: "-a" is not 1 to 63 of a-z, 0-9 and -`},
		{"# x\nbox.colour = red", "", "line 2: there is no setting box.colour; there are box.hostname, box.clocks and box.owner"},
		{"box.owner = me", "", "line 1: box.owner: "},
		{"nosuch.listen = x", "", "line 1: there is no program nosuch; there are storage, dnsprimary and homeserver"},
		{"client_address = nonsense", "", "reading the settings: "},
	} {
		o := newOwner()
		err := o.read([]byte(c.text))
		if err == nil {
			err = o.complete()
		}
		if got := strings.Join(o.plan.sets, " ") + " " + o.hostname; err == nil && got != c.want {
			t.Errorf("%q: got %s, want %s", c.text, got, c.want)
		}
		if (err == nil) != (c.err == "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%q: got %v, want %s", c.text, err, c.err)
		}
	}
	o := newOwner()
	if err := o.read([]byte("box.clocks = a.example, 192.0.2.1")); err != nil || strings.Join(o.clocks, "|") != "a.example|192.0.2.1" {
		t.Errorf("the clocks are %q, %v", o.clocks, err)
	}
}

// Threat 16: a program has its own user, its own folder, and storage has no network and nobody else's namespace.
func TestPolicies(t *testing.T) {
	s := site{programs: box.Programs, storage: box.StorageFolder, sockets: box.Sockets, users: true, groups: "/sys/fs/cgroup"}
	users := make(map[uint32]bool)
	for _, u := range box.Users() {
		p := s.policy(u.Name)
		users[p.User] = true
		if p.User != u.ID || p.Group != "/sys/fs/cgroup/"+u.Name || p.Write[0] != box.Sockets+"/"+u.Name {
			t.Errorf("%s: %+v", u.Name, p)
		}
		isStorage := u.Name == "storage"
		if p.Network == isStorage || p.LowPorts == isStorage || p.Disk != isStorage || (len(p.Write) == 2) != isStorage {
			t.Errorf("%s: %+v", u.Name, p)
		}
	}
	if len(users) != 3 || users[0] {
		t.Errorf("the users are %v", users)
	}
	if got := s.admitted()[0]; got != "namespaces=box:0,dnsprimary:1002,homeserver:1003" {
		t.Errorf("storage admits %s", got)
	}
}

// The watchdog is fed while the box is well, and for a while if it is not; never because of an end that does not come.
func TestFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{well: time.Now()}
		check := func(what string, want bool) {
			t.Helper()
			if got := m.fit(); got != want {
				t.Errorf("%s: fit is %v", what, got)
			}
		}
		check("at the start", true)
		time.Sleep(patience - time.Second)
		check("unwell for a while", true)
		time.Sleep(time.Second)
		check("unwell for long", false)
		m.without = errors.New("no data")
		check("without data, which a start does not change", true)
		m.ends = time.Now()
		check("at the end", true)
		time.Sleep(endWithin)
		check("at an end that hangs", false)
	})
}

func TestPage(t *testing.T) {
	m := &machine{owner: newOwner(), network: network.New("hearth", "", t.TempDir(), nil)}
	page := m.page(health.State{Name: "box", Children: []health.State{{Name: "data", Note: "/dev/sda4 cannot be mounted"}}})
	for _, want := range []string{"=== Hearth IS NOT WELL ===", "! data: /dev/sda4 cannot be mounted"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page is %s", page)
		}
	}
}

// What cannot keep data says so to everybody, and does not pretend to be a homeserver without memory.
func TestApology(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := freeAddress(t)
	done := make(chan error)
	go func() { done <- apologise(ctx, address, errors.New("no data")) }()
	var response *http.Response
	for {
		var err error
		if response, err = http.Get("http://" + address + "/_matrix/client/versions"); err == nil {
			break
		}
		var refused *net.OpError
		if !errors.As(err, &refused) {
			t.Fatal(err)
		}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]string
	if err := json.Unmarshal(text, &answer); err != nil || response.StatusCode != 503 || answer["error"] != "This Hearth does not serve: no data" {
		t.Errorf("got %s %s, %v", response.Status, text, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestInside(t *testing.T) {
	p := &plan{sets: []string{"homeserver.server_name=example.org", keyListen + "=:8008", "homeserver.tls.listen=[::]:443, 192.0.2.1:8448", "dnsprimary.listen="}}
	want := "homeserver.server_name=example.org homeserver.listen=127.0.0.1:8008 homeserver.tls.listen=127.0.0.1:443,127.0.0.1:8448 dnsprimary.listen="
	if got := strings.Join(p.inside().sets, " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if p.value(keyListen) != ":8008" {
		t.Error("the plan itself has changed")
	}
}

func TestHousehold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	starts := make(chan bool, 1)
	ends := make(chan struct{}, 1)
	h := &household{ctx: ctx, inside: true, run: func(ctx context.Context, inside bool) error {
		starts <- inside
		<-ctx.Done()
		ends <- struct{}{}
		return nil
	}}
	if err := h.Quiesce(ctx); err != nil {
		t.Fatal(err)
	}
	h.Resume()
	h.Resume() // they run already
	if inside := <-starts; !inside {
		t.Error("a trial lets the outside in")
	}
	if err := h.reopen(ctx); err != nil {
		t.Fatal(err)
	}
	<-ends
	if inside := <-starts; !inside {
		t.Error("a trial whose programs are reopened lets the outside in")
	}
	if err := h.Admit(ctx); err != nil {
		t.Fatal(err)
	}
	<-ends
	if inside := <-starts; inside {
		t.Error("the outside is not let in")
	}
	if err := h.Quiesce(ctx); err != nil || len(ends) != 1 || h.fault() != nil {
		t.Errorf("after the end: %v, %v", err, h.fault())
	}
}

func TestSlots(t *testing.T) {
	for label, want := range map[string]string{box.RootAPartition: "a", box.RootBPartition: "b", "": "", box.DataPartition: ""} {
		if slot, ok := slotOf(label); ok != (want != "") || ok && slot.String() != want {
			t.Errorf("%s is of slot %v, %v", label, slot, ok)
		}
	}
}

func TestOwnClock(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for text, want := range map[string]bool{"1800000001\n": true, "1799999999\n": true, "1800000900\n": false, "0\n": false, "soon": false} {
		sys := t.TempDir()
		folder := filepath.Join(sys, "class/rtc/rtc0")
		if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, "since_epoch"), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
		if got := ownClock(sys, now); got != want {
			t.Errorf("a clock that says %q is the machine's own: %v", text, got)
		}
	}
	if ownClock(t.TempDir(), now) {
		t.Error("a machine without clock has its own")
	}
}
