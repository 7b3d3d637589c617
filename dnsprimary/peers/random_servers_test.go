package peers_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hearth/dnsprimary/dnssec"
	"hearth/dnsprimary/primary"
	"hearth/dnsprimary/zone"
)

// A rival is a server of others that serves the same zone files.
type rival struct {
	name    string
	address string
	missing map[string]bool // zones that it does not load
	fatal   map[string]bool // zones that it is not given
	program *program
}

// rivals starts servers with these zones, whose files are in folder, and returns when they answer. The options of dynamic
// zones are for tests of UPDATE. NSD is not given the fatal ones: it ends when it hashes *.NAME for a NAME of 254 or 255 bytes.
func rivals(t *testing.T, folder string, zones []string, dynamic bool, fatal map[string]bool, names ...string) (all []*rival) {
	t.Helper()
	need(t, "named", "knotd", "nsd")
	for _, name := range names {
		r := &rival{name: name, address: port(t), missing: make(map[string]bool), fatal: make(map[string]bool)}
		if name == "nsd" {
			r.fatal = fatal
		}
		own, err := os.MkdirTemp(folder, name)
		if err != nil {
			t.Fatal(err)
		}
		config := map[string]func(r *rival, own, folder string, zones []string, dynamic bool) string{"bind": rivalBIND, "knot": rivalKnot, "nsd": rivalNSD}[name]
		write(t, own, "config", config(r, own, folder, zones, dynamic))
		command := map[string][]string{"bind": {"named", "-g", "-n", "1", "-c", "config"}, "knot": {"knotd", "-c", "config"}, "nsd": {"nsd", "-d", "-c", "config"}}[name]
		p := start(t, own, name, find(command[0]), command[1:]...)
		r.program = p
		all = append(all, r)
		ready := map[string]string{"bind": "all zones loaded", "knot": "server started", "nsd": "nsd started"}[name]
		await(t, name+" is ready", func() error {
			text, err := os.ReadFile(p.log)
			if err != nil {
				return err
			}
			if p.ended() {
				t.Fatalf("%s has ended:\n%s", name, tail(p.log))
			}
			if !strings.Contains(string(text), ready) {
				return errors.New("it has not said so yet")
			}
			return nil
		})
	}
	for _, r := range all {
		line := &line{address: r.address}
		for _, z := range zones {
			var answer *dns.Msg
			await(t, r.name+" answers", func() (err error) {
				answer, _, err = line.exchange(wire(t, new(dns.Msg).SetQuestion(z, dns.TypeSOA)), true)
				return err
			})
			if len(answer.Answer) == 0 || answer.Answer[0].Header().Rrtype != dns.TypeSOA {
				r.missing[z] = true
			}
		}
		line.close()
	}
	return all
}

func rivalBIND(r *rival, own, folder string, zones []string, dynamic bool) string {
	var c strings.Builder
	fmt.Fprintf(&c, `options {
	directory "%s"; pid-file "named.pid"; session-keyfile "session.key"; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no; notify no; allow-transfer { 127.0.0.1; }; minimal-responses yes; minimal-any no; masterfile-format text;
	edns-udp-size 1232; max-udp-size 1232; nocookie-udp-size 1232; zero-no-soa-ttl no; check-integrity no; check-names primary ignore; check-sibling no; check-mx ignore;
	check-mx-cname ignore; check-srv-cname ignore; check-wildcard no; tcp-clients 1000; max-records-per-type 0; max-types-per-name 0;
	serial-update-method increment;
};
controls { };
`, own, number(r.address))
	for i, z := range zones {
		file := filepath.Join(folder, fmt.Sprint(i))
		more := ""
		if dynamic {
			more = "allow-update { 127.0.0.1; }; journal \"" + filepath.Join(own, fmt.Sprint(i)) + ".jnl\";"
			file = clone(folder, own, i)
		}
		fmt.Fprintf(&c, "zone \"%s\" { type primary; file \"%s\"; %s };\n", z, file, more)
	}
	return c.String()
}

// clone copies a zone file, for a server that writes to it.
func clone(folder, own string, i int) string {
	text, err := os.ReadFile(filepath.Join(folder, fmt.Sprint(i)))
	to := filepath.Join(own, fmt.Sprint(i))
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		return err.Error()
	}
	return to
}

func rivalKnot(r *rival, own, folder string, zones []string, dynamic bool) string {
	var c strings.Builder
	fmt.Fprintf(&c, `server:
  listen: %s
  rundir: %[2]s
  udp-max-payload: 1232
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  tcp-max-clients: 1000
database:
  storage: %[2]s
  journal-db: %[2]s/journal
acl:
  - id: all
    address: 127.0.0.1
    action: [transfer, update]
template:
  - id: default
    storage: %[3]s
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
    acl: all
log:
  - target: stderr
    any: info
zone:
`, strings.Replace(r.address, ":", "@", 1), own, folder)
	for i, z := range zones {
		fmt.Fprintf(&c, "  - domain: %s\n    file: %d\n", z, i)
	}
	return c.String()
}

func rivalNSD(r *rival, own, folder string, zones []string, _ bool) string {
	var c strings.Builder
	fmt.Fprintf(&c, `server:
  ip-address: %s
  username: ""
  chroot: ""
  zonesdir: "%[2]s"
  database: ""
  pidfile: "%[2]s/nsd.pid"
  xfrdfile: "%[2]s/xfrd.state"
  xfrdir: "%[2]s"
  zonelistfile: "%[2]s/zone.list"
  server-count: 1
  minimal-responses: yes
  refuse-any: no
  ipv4-edns-size: 1232
  tcp-count: 1000
  rrl-ratelimit: 0
  verbosity: 1
remote-control:
  control-enable: no
`, strings.Replace(r.address, ":", "@", 1), own)
	for i, z := range zones {
		if r.fatal[z] {
			continue
		}
		fmt.Fprintf(&c, "zone:\n  name: \"%s\"\n  zonefile: \"%s\"\n  provide-xfr: 127.0.0.1 NOKEY\n", z, filepath.Join(folder, fmt.Sprint(i)))
	}
	return c.String()
}

// A line is what one goroutine needs to talk to a server.
type line struct {
	address  string
	udp, tcp net.Conn
}

func (l *line) close() {
	for _, c := range []net.Conn{l.udp, l.tcp} {
		if c != nil {
			c.Close()
		}
	}
	l.udp, l.tcp = nil, nil
}

// exchange sends a message and returns the reply to it, asking again if it is lost.
func (l *line) exchange(message []byte, stream bool) (m *dns.Msg, size int, err error) {
	const tries = 3
	for range tries {
		var reply []byte
		if reply, err = l.once(message, stream); err == nil {
			m = new(dns.Msg)
			return m, len(reply), m.Unpack(reply)
		}
		l.close()
	}
	return nil, 0, err
}

func (l *line) once(message []byte, stream bool) ([]byte, error) {
	conn, network := &l.udp, "udp"
	if stream {
		conn, network = &l.tcp, "tcp"
	}
	if *conn == nil {
		c, err := net.DialTimeout(network, l.address, patience)
		if err != nil {
			return nil, err
		}
		*conn = c
	}
	c := *conn
	if err := c.SetDeadline(time.Now().Add(patience / 9)); err != nil {
		return nil, err
	}
	if stream {
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)); err != nil {
			return nil, err
		}
		var head [2]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return nil, err
		}
		reply := make([]byte, binary.BigEndian.Uint16(head[:]))
		_, err := io.ReadFull(c, reply)
		return reply, err
	}
	if _, err := c.Write(message); err != nil {
		return nil, err
	}
	buf := make([]byte, 1<<16)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		if n >= 2 && buf[0] == message[0] && buf[1] == message[1] { // else it is the answer to an earlier try
			return buf[:n], nil
		}
	}
}

func wire(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	message, err := m.Pack()
	if err != nil {
		t.Fatalf("packing %v: %v", m, err)
	}
	return message
}

// ours serves zones in this process, as dnsprimary does it.
type ours struct {
	state *primary.State
	desks sync.Pool
	zones map[string]*zone.Zone
	keys  map[string][]*dns.DNSKEY // of signed zones
}

// newOurs reads and signs what chance made. It gives each plot the text that others read.
func newOurs(plots []*plot) (o *ours, texts []string, err error) {
	state, err := primary.NewState(primary.Settings{})
	if err != nil {
		return nil, nil, err
	}
	o = &ours{state: state, zones: make(map[string]*zone.Zone), keys: make(map[string][]*dns.DNSKEY)}
	o.desks.New = func() any { return new(primary.Desk) }
	for _, p := range plots {
		origin, err := zone.ParseName(p.origin)
		if err != nil {
			return nil, nil, err
		}
		z, problems := zone.Read(origin, p.text())
		if err := problems.Err(); err != nil {
			return nil, nil, fmt.Errorf("reading %s: %w\n%s", p.origin, err, p.text())
		}
		hosted, text := primary.Hosted{Zone: z}, p.text()
		if p.denial != "" {
			s, err := newSigner(p)
			if err == nil {
				hosted.Zone, err = s.Sign(time.Now(), nil, z)
			}
			if err != nil {
				return nil, nil, fmt.Errorf("signing %s: %w\n%s", p.origin, err, text)
			}
			hosted.Signer = s
			for rdata := range hosted.Zone.Set(origin, dns.TypeDNSKEY).All() {
				rr, err := zone.Record{Owner: origin, Type: dns.TypeDNSKEY, Rdata: rdata}.RR()
				if err != nil {
					return nil, nil, err
				}
				o.keys[p.origin] = append(o.keys[p.origin], rr.(*dns.DNSKEY))
			}
			var b strings.Builder
			if err := hosted.Zone.Print(&b); err != nil {
				return nil, nil, err
			}
			text = b.String()
		}
		o.zones[p.origin] = hosted.Zone
		o.state = o.state.With(hosted)
		texts = append(texts, text)
	}
	return o, texts, nil
}

func newSigner(p *plot) (*dnssec.Signer, error) {
	policy := dnssec.Policy{Algorithm: dnssec.ECDSAP256SHA256, NSEC3: p.denial == "NSEC3", Split: p.keys%3 == 0}
	if p.keys%2 == 0 {
		policy.Algorithm = dnssec.Ed25519
	}
	s, _, err := (&dnssec.Signer{Policy: policy}).Advance(time.Now(), time.Hour, seeded(uint64(p.keys)))
	return s, err
}

// answer returns the bytes of the reply, nil for silence.
func (o *ours) answer(message []byte, stream bool) []byte {
	d := o.desks.Get().(*primary.Desk)
	defer o.desks.Put(d)
	peer := primary.Peer{Address: netip.MustParseAddr("127.0.0.1"), Transport: primary.UDP}
	if stream {
		peer.Transport = primary.TCP
	}
	return append([]byte(nil), o.state.Handle(d, time.Now(), message, peer).Reply...)
}
