package peers_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/miekg/dns"

	"hearth/homeserver/rig"
)

// A box runs storage and dnsprimary on a folder of its own.
type box struct {
	t        *testing.T
	programs string
	folder   string
	address  string // of DNS, host:port
	sets     []string
	storage  *program
	primary  *program
}

// A program runs until the test ends, or until it is killed.
type program struct {
	name   string
	cmd    *exec.Cmd
	exited <-chan struct{}
	log    string // path of what it says
}

// start starts a program in folder, which dies with the test. What it says is shown if the test fails.
func start(t *testing.T, folder, name, path string, args ...string) *program {
	t.Helper()
	p := &program{name: name, log: filepath.Join(folder, name+".log")}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = folder, out, out
	if p.exited, err = rig.Launch(p.cmd); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, tail(p.log))
		}
	})
	return p
}

// kill kills the program and what it has started, and returns when it is gone.
func (p *program) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	<-p.exited
}

// end reports whether the program has ended.
func (p *program) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// port returns an address of 127.0.0.1 that nobody uses, neither over UDP nor over TCP. It is below those that the
// kernel gives to connections.
func port(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(22000))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		l.Close()
		if c, err := net.ListenPacket("udp", address); err == nil {
			c.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// number returns the port of an address.
func number(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// A key is a TSIG key as both sides write it.
type key struct{ name, algorithm, secret string }

func newKey(name, algorithm string) key {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(rand.Uint32())
	}
	return key{name, algorithm, base64.StdEncoding.EncodeToString(secret)}
}

// file writes the key with its rights as dnsprimary reads it.
func (k key) file(t *testing.T, folder string, rights ...string) string {
	t.Helper()
	text := k.name + " " + k.algorithm + " " + k.secret + "\n" + strings.Join(rights, "\n") + "\n"
	return write(t, folder, k.name+".key", text)
}

// option is the key as nsupdate, dig and kdig take it.
func (k key) option() string { return k.algorithm + ":" + k.name + ":" + k.secret }

func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	name = filepath.Join(folder, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// newBox makes a box that is not started yet. Zones have no records but what is loaded.
func newBox(t *testing.T, programs string, zones []string, sets ...string) *box {
	t.Helper()
	folder, err := os.MkdirTemp("", "peers") // sockets' paths must be short, and lists in settings have commas
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	b := &box{t: t, programs: programs, folder: folder, address: port(t)}
	b.sets = append([]string{
		"storage_socket=" + b.path("storage.sock"), "admin_socket=" + b.path("admin.sock"), "listen=" + b.address, "zones=" + strings.Join(zones, ","),
		"addresses=127.0.0.1", "address_poll=100ms",
	}, sets...)
	return b
}

func (b *box) path(name string) string { return filepath.Join(b.folder, name) }

// start starts what does not run, and waits until it answers.
func (b *box) start() {
	b.t.Helper()
	if b.storage == nil || b.storage.ended() {
		b.startStorage()
	}
	if b.primary == nil || b.primary.ended() {
		b.startPrimary()
	}
	await(b.t, "dnsprimary answers", func() error {
		if b.primary.ended() {
			b.t.Fatalf("dnsprimary has ended:\n%s", tail(b.primary.log))
		}
		_, err := ask(b.address, "version.bind.", dns.TypeTXT, nil)
		return err
	})
}

func (b *box) startStorage() {
	b.storage = start(b.t, b.folder, "storage", filepath.Join(b.programs, "storage"), "-set", "data="+b.path("data"), "-set", "socket="+b.path("storage.sock"))
}

func (b *box) startPrimary() {
	var args []string
	for _, set := range b.sets {
		args = append(args, "-set", set)
	}
	b.primary = start(b.t, b.folder, "dnsprimary", filepath.Join(b.programs, "dnsprimary"), args...)
}

// command runs dnsprimary as the owner does, and returns what it says.
func (b *box) command(args ...string) string {
	b.t.Helper()
	args = append([]string{"-set", "admin_socket=" + b.path("admin.sock")}, args...)
	return tool(b.t, filepath.Join(b.programs, "dnsprimary"), "", args...)
}

// load loads a zone file.
func (b *box) load(zone, text string) {
	b.t.Helper()
	b.command("load", zone, write(b.t, b.folder, zone+".zone", text))
}

// metric returns a number that dnsprimary counts.
func (b *box) metric(name string) (n int) {
	b.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", b.path("admin.sock"))
	}}}
	answer, err := client.Get("http://dnsprimary/metrics")
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// quiet fails the test if the program had anything to say: what goes well is not logged.
func (b *box) quiet() {
	b.t.Helper()
	for line := range strings.Lines(tail(b.primary.log)) {
		if !strings.Contains(line, "run dnsprimary load") { // before the first load
			b.t.Errorf("nothing went wrong, and dnsprimary said: %s", line)
		}
	}
}

// try runs a tool of others and returns what it says.
func try(t *testing.T, input, path string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, find(path), args...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Cancel = func() error { return cmd.Process.Kill() }
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// tool runs a tool that must succeed.
func tool(t *testing.T, path, input string, args ...string) string {
	t.Helper()
	out, err := try(t, input, path, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", filepath.Base(path), args, err, out)
	}
	return out
}

// ask asks over TCP, with EDNS if change wants it.
func ask(address, name string, typ uint16, change func(*dns.Msg)) (*dns.Msg, error) {
	m := new(dns.Msg).SetQuestion(name, typ)
	m.RecursionDesired = false
	if change != nil {
		change(m)
	}
	c := dns.Client{Net: "tcp", Timeout: patience / 4}
	answer, _, err := c.Exchange(m, address)
	return answer, err
}

// serial returns the serial number of a zone at a server.
func serial(address, zone string) (uint32, error) {
	answer, err := ask(address, zone, dns.TypeSOA, nil)
	if err != nil {
		return 0, err
	}
	for _, rr := range answer.Answer {
		if soa, ok := rr.(*dns.SOA); ok {
			return soa.Serial, nil
		}
	}
	return 0, fmt.Errorf("%s answers %s, and no SOA", address, dns.RcodeToString[answer.Rcode])
}

// transfer fetches a zone, and returns its records as text, sorted and without the second SOA.
func transfer(address, zone string, k *key) ([]string, error) {
	m := new(dns.Msg).SetAxfr(zone)
	in := new(dns.Transfer)
	if k != nil {
		in.TsigSecret = map[string]string{k.name + ".": k.secret}
		m.SetTsig(k.name+".", k.algorithm+".", 300, now())
	}
	envelopes, err := in.In(m, address)
	if err != nil {
		return nil, err
	}
	var records []string
	for e := range envelopes {
		if e.Error != nil {
			return nil, e.Error
		}
		for _, rr := range e.RR {
			records = append(records, rr.String())
		}
	}
	slices.Sort(records)
	return slices.Compact(records), nil
}
