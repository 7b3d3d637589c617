package network

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var avahi = [2]string{"avahi-daemon", "avahi-daemon"}

// avahi starts Avahi beside the router, with a name, and returns when it has that, or one in its place.
func (l *lan) avahi(name, becomes string) *daemon {
	l.t.Helper()
	program, err := findTool("avahi-daemon")
	if err != nil {
		l.t.Fatal(err)
	}
	file := filepath.Join(l.t.TempDir(), "avahi.conf")
	text := "[server]\nhost-name=" + name + "\nallow-interfaces=router0\nenable-dbus=no\n[publish]\npublish-workstation=no\npublish-hinfo=no\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.connected()
	d := start(l.t, l.there([]string{program, "--no-drop-root", "--no-chroot", "--no-rlimits", "--file", file})...)
	d.says("Host name is " + becomes + ".local")
	return d
}

// connected waits until the router's end of the cable has its address: Avahi does not wait for it.
func (l *lan) connected() {
	l.t.Helper()
	show := func(args ...string) string {
		command := l.there(append([]string{"ip", "-o"}, args...))
		out, err := exec.Command(command[0], command[1:]...).Output()
		if err != nil {
			l.t.Fatal(err)
		}
		return string(out)
	}
	l.poll("the cable carries something", func() bool {
		return strings.Contains(show("link", "show", "dev", "router0"), "state UP") && show("-6", "address", "show", "dev", "router0", "scope", "link", "-tentative") != ""
	})
}

// avahiFinds asks Avahi for a name, as its module for the C library does, and returns the address.
func avahiFinds(t *testing.T, protocol, name string) string {
	t.Helper()
	conn, err := net.Dial("unix", "/run/avahi-daemon/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "RESOLVE-HOSTNAME-%s %s\n", protocol, name)
	line, err := bufio.NewReader(conn).ReadString('\n')
	f := strings.Fields(line) // + INTERFACE PROTOCOL NAME ADDRESS
	if err != nil || len(f) != 5 || f[0] != "+" {
		t.Fatalf("asked for %s, Avahi says %q, %v", name, line, err)
	}
	return f[4]
}

// Avahi finds the box, and the box finds what Avahi announces.
func TestAvahi(t *testing.T) {
	if !alone(t, avahi) {
		return
	}
	l := newLAN(t, 1)
	l.plug(0)
	l.do("ip", "address", "add", "192.0.2.7/24", "dev", "box0")
	l.do("ip", "link", "set", "box0", "up")
	l.router("ip", "address", "add", "192.0.2.1/24", "dev", "router0")
	l.router("ip", "address", "add", "2001:db8:5::1/64", "dev", "router0", "nodad")
	l.do("ip", "address", "add", "2001:db8:5::7/64", "dev", "box0", "nodad")
	n := l.named("hearth")
	l.avahi("visitor", "visitor")
	if got := avahiFinds(t, "IPV4", "hearth.local"); got != "192.0.2.7" {
		t.Errorf("the box's IPv4 address is %s", got)
	}
	if got := avahiFinds(t, "IPV6", "hearth.local"); got != "2001:db8:5::7" && !strings.HasPrefix(got, "fe80::") {
		t.Errorf("the box's IPv6 address is %s", got)
	}
	found, err := Find(t.Context(), "visitor.local")
	if err != nil || found.String() != "192.0.2.1" && found.String() != "2001:db8:5::1" {
		t.Errorf("Avahi's host is found at %v, %v", found, err)
	}
	if n.Name() != "hearth.local" {
		t.Errorf("the box's name is %s", n.Name())
	}
}

// On a network without any router there are only addresses of the link. They do for a cable between two machines.
func TestAvahiOfALinkAlone(t *testing.T) {
	if !alone(t, avahi) {
		return
	}
	l := newLAN(t, 1)
	l.plug(0)
	l.do("ip", "link", "set", "box0", "up")
	l.named("hearth")
	l.avahi("visitor", "visitor")
	if got := avahiFinds(t, "IPV6", "hearth.local"); !strings.HasPrefix(got, "fe80::") {
		t.Errorf("the box's address is %s", got)
	}
	found, err := Find(t.Context(), "visitor.local")
	if err != nil || !strings.HasPrefix(found.String(), "fe80::") || found.Zone() != "box0" {
		t.Errorf("Avahi's host is found at %v, %v", found, err)
	}
}

// Who comes later gets another name: the box here, Avahi there.
func TestAvahiHasTheName(t *testing.T) {
	if !alone(t, avahi) {
		return
	}
	l := newLAN(t, 1)
	l.plug(0)
	l.do("ip", "link", "set", "box0", "up")
	d := l.avahi("hearth", "hearth")
	l.named("hearth-2")
	if got := avahiFinds(t, "IPV6", "hearth-2.local"); !strings.HasPrefix(got, "fe80::") {
		t.Errorf("the box's address is %s", got)
	}
	d.kill()
	l.avahi("hearth-2", "hearth-3")
}

// named starts a Network and returns when it has a name.
func (l *lan) named(name string) *Network {
	l.t.Helper()
	n, _ := l.box()
	until(l.t, n, "it has its name", func() bool { return n.Name() == name+".local" })
	return n
}
