package peers_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A secondary is a server of others that gets its zones from ours.
type secondary struct {
	name    string
	address string
	via     string // address at which dnsprimary takes encrypted transfers: over TLS; "" for plain TCP
	key     key    // of its transfers, and of the NOTIFY for zones that have it signed
	command []string
	config  func(s *secondary, folder, primary string, zones []hosted) string // in the file config
	program *program
	folder  string
}

// hosted is a zone that the secondaries serve.
type hosted struct {
	name   string // without the last dot
	signed bool   // NOTIFY is signed
}

// secondaries are the servers that are tried.
func secondaries(t *testing.T) []*secondary {
	t.Helper()
	need(t, "named", "knotd", "nsd", "nsupdate")
	return []*secondary{
		{name: "bind", address: port(t), key: newKey("bind", "hmac-sha256"), command: []string{"named", "-g", "-c", "config"}, config: configBIND},
		{name: "knot", address: port(t), key: newKey("knot", "hmac-sha512"), command: []string{"knotd", "-c", "config"}, config: configKnot},
		{name: "nsd", address: port(t), key: newKey("nsd", "hmac-sha256"), command: []string{"nsd", "-d", "-c", "config"}, config: configNSD},
	}
}

// register gives dnsprimary the secondary's key, and says whom to notify.
func (s *secondary) register(t *testing.T, b *box, zones []hosted) (keyFile string, notify []string) {
	t.Helper()
	var rights []string
	for _, z := range zones {
		rights = append(rights, "transfer "+z.name)
		one := z.name + " " + s.address
		if z.signed {
			one += " " + s.key.name
		}
		notify = append(notify, one)
	}
	return s.key.file(t, b.folder, rights...), notify
}

// start starts the server, again if it ran.
func (s *secondary) start(t *testing.T, b *box, zones []hosted) {
	t.Helper()
	if s.folder == "" {
		s.folder = filepath.Join(b.folder, s.name)
		if err := os.Mkdir(s.folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if s.via != "" {
		write(t, s.folder, "root.pem", rootOf(t, s.via))
	}
	write(t, s.folder, "config", s.config(s, s.folder, b.address, zones))
	s.program = start(t, s.folder, s.name, find(s.command[0]), s.command[1:]...)
}

func configBIND(s *secondary, folder, primary string, zones []hosted) string {
	var c strings.Builder
	fmt.Fprintf(&c, `options {
	directory "%s"; pid-file "named.pid"; session-keyfile "session.key"; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no; notify no; allow-transfer { 127.0.0.1; }; minimal-responses yes; minimal-any no; masterfile-format text;
	zero-no-soa-ttl no; min-refresh-time 1; min-retry-time 1; max-retry-time 1;
};
controls { };
key "%s" { algorithm %s; secret "%s"; };
`, folder, number(s.address), s.key.name, s.key.algorithm, s.key.secret)
	from, secure := primary, ""
	if s.via != "" {
		from, secure = s.via, " tls ephemeral"
	}
	for _, z := range zones {
		allow := ""
		if z.signed {
			allow = fmt.Sprintf(`allow-notify { key "%s"; };`, s.key.name)
		}
		fmt.Fprintf(&c, "zone \"%s\" { type secondary; file \"%s.zone\"; primaries { 127.0.0.1 port %s key \"%s\"%s; }; %s };\n", z.name, z.name, number(from), s.key.name, secure, allow)
	}
	return c.String()
}

func configKnot(s *secondary, folder, primary string, zones []hosted) string {
	var c strings.Builder
	at := func(address string) string { return strings.Replace(address, ":", "@", 1) }
	fmt.Fprintf(&c, `server:
  listen: %[2]s
  rundir: %[1]s
  identity: knot
database:
  storage: %[1]s
key:
  - id: %[3]s
    algorithm: %[4]s
    secret: %[5]s
remote:
  - id: primary
    address: %[6]s
    key: %[3]s
acl:
  - id: signed
    address: 127.0.0.1
    key: %[3]s
    action: notify
  - id: unsigned
    address: 127.0.0.1
    action: [notify, transfer]
  - id: transfer
    address: 127.0.0.1
    action: transfer
template:
  - id: default
    storage: %[1]s
    zonefile-sync: -1
    journal-content: changes
    retry-max-interval: 1
log:
  - target: stderr
    any: info
zone:
`, folder, at(s.address), s.key.name, s.key.algorithm, s.key.secret, at(primary))
	for _, z := range zones {
		acl := "[unsigned]"
		if z.signed {
			acl = "[signed, transfer]"
		}
		fmt.Fprintf(&c, "  - domain: %s\n    master: primary\n    acl: %s\n", z.name, acl)
	}
	return c.String()
}

func configNSD(s *secondary, folder, primary string, zones []hosted) string {
	host, port, _ := net.SplitHostPort(s.address)
	from, secure, trust := primary, "", ""
	if s.via != "" { // it wants a certificate that it can trust
		from, secure, trust = s.via, " primary", "  tls-cert-bundle: \"root.pem\"\n"
	}
	var c strings.Builder
	fmt.Fprintf(&c, `server:
  ip-address: %[2]s@%[3]s
  username: ""
  chroot: ""
  zonesdir: "%[1]s"
  database: ""
  pidfile: "%[1]s/nsd.pid"
  xfrdfile: "%[1]s/xfrd.state"
  xfrdir: "%[1]s"
  zonelistfile: "%[1]s/zone.list"
  server-count: 1
  xfrd-reload-timeout: 0
  minimal-responses: yes
  refuse-any: no
  rrl-ratelimit: 0
  verbosity: 2
%[7]sremote-control:
  control-enable: no
key:
  name: "%[4]s"
  algorithm: %[5]s
  secret: "%[6]s"
`, folder, host, port, s.key.name, s.key.algorithm, s.key.secret, trust)
	if s.via != "" {
		c.WriteString("tls-auth:\n  name: \"primary\"\n  auth-domain-name: \"ns1.example.org\"\n")
	}
	for _, z := range zones {
		by := "NOKEY"
		if z.signed {
			by = s.key.name
		}
		fmt.Fprintf(&c, `zone:
  name: "%s"
  zonefile: "%s.zone"
  request-xfr: %s %s%s
  allow-notify: 127.0.0.1 %s
  provide-xfr: 127.0.0.1 NOKEY
  min-retry-time: 1
  max-retry-time: 1
`, z.name, z.name, strings.Replace(from, ":", "@", 1), s.key.name, secure, by)
	}
	return c.String()
}
