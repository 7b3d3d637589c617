package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"hearth/appliance/supervise"
	"hearth/settings"
)

// The settings that up itself has a default for or must know.
const (
	keyServerName   = "homeserver.server_name"
	keyListen       = "homeserver.listen"
	keyFederation   = "homeserver.federation_listen"
	keyRegistration = "homeserver.registration"
	keyDNS          = "dnsprimary.listen"
	keyZones        = "dnsprimary.zones"
)

// plan is what up is to run.
type plan struct {
	data    string   // absolute
	confine bool     // as on a box
	sets    []string // PROGRAM.SETTING=VALUE, of which a later one wins
}

// newPlan returns the defaults: a server for this machine alone.
func newPlan() *plan {
	return &plan{sets: []string{keyServerName + "=localhost", keyListen + "=127.0.0.1:8008"}}
}

// set applies one --set. Whether a program knows the setting is for the program to say.
func (p *plan) set(arg string) error {
	key, value, ok := strings.Cut(arg, "=")
	if !ok {
		return fmt.Errorf("want key=value")
	}
	program, _, dotted := strings.Cut(key, ".")
	switch {
	case dotted && program != "storage" && program != "dnsprimary" && program != "homeserver":
		return fmt.Errorf("there is no program %s; there are storage, dnsprimary and homeserver", program)
	case key == "data":
		p.data = value
		return nil
	case key == "client_address":
		key = keyListen
	case key == "federation_address":
		key = keyFederation
	case key == "dns_address":
		key = keyDNS
	case !dotted:
		key = "homeserver." + key
	}
	p.sets = append(p.sets, key+"="+value)
	return nil
}

// value returns what a setting is set to, "" if it is left to the program.
func (p *plan) value(key string) string {
	for i := len(p.sets) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(p.sets[i], key+"="); ok {
			return value
		}
	}
	return ""
}

// check completes the plan, or says what cannot be.
func (p *plan) check() error {
	host, port, err := net.SplitHostPort(p.value(keyListen))
	if err != nil {
		return settings.Invalid(keyListen, "%q is not host:port", p.value(keyListen))
	}
	if port == "0" {
		return settings.Invalid(keyListen, "choose a port: up must know where to find the homeserver")
	}
	if p.value(keyZones) == "" && p.value(keyDNS) != "" {
		p.sets = append(p.sets, exampleZone()...)
	}
	if isLoopback(host) && p.value(keyRegistration) == "" {
		p.sets = append(p.sets, keyRegistration+"=open")
	}
	return nil
}

// exampleZone is what DNS serves if nobody says what.
func exampleZone() []string {
	return []string{
		keyZones + "=hearth.test", "dnsprimary.nameservers=ns1.hearth.test", "dnsprimary.addresses=127.0.0.1", "dnsprimary.dnssec.sign=true",
		"dnsprimary.hosts=@hearth.test,ns1.hearth.test,matrix.hearth.test", "dnsprimary.matrix=matrix.hearth.test:8448",
	}
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// programs returns the programs in the order of their start.
func (p *plan) programs(at *site) ([]supervise.Program, error) {
	storage, dns := at.path("storage", "storage.sock"), at.path("dnsprimary", "dns.sock")
	var programs []supervise.Program
	for _, program := range []struct {
		name string
		sets []string
	}{
		{"storage", append(at.admitted(), "data="+at.storage, "socket="+storage)},
		{"dnsprimary", []string{
			"storage_socket=" + storage, "admin_socket=" + at.path("dnsprimary", "dnsprimary.sock"), "socket=" + dns,
			"local_key_file=" + at.path("dnsprimary", keyFile), "listen=",
		}},
		{"homeserver", []string{
			"storage_socket=" + storage, "admin_socket=" + at.path("homeserver", "homeserver.sock"), "tls.dns_socket=" + dns,
			"tls.dns_key_file=" + at.path("homeserver", keyFile),
		}},
	} {
		path := filepath.Join(at.programs, program.name)
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("finding the program %s beside this executable: %w", program.name, err)
		}
		var args []string
		for _, set := range append(program.sets, p.of(program.name)...) {
			args = append(args, "-set", set)
		}
		programs = append(programs, supervise.Program{Name: program.name, Path: path, Args: args, Prepare: at.confine(program.name)})
	}
	return programs, nil
}

// inside returns the same plan with programs that listen to this machine only.
func (p *plan) inside() *plan {
	in := *p
	in.sets = nil
	for _, set := range p.sets {
		key, value, _ := strings.Cut(set, "=")
		if strings.Contains(key[strings.LastIndexByte(key, '.')+1:], "listen") {
			addresses := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
			for i, a := range addresses {
				addresses[i] = "127.0.0.1" + a[max(0, strings.LastIndexByte(a, ':')):]
			}
			value = strings.Join(addresses, ",")
		}
		in.sets = append(in.sets, key+"="+value)
	}
	return &in
}

// zone is a zone that the primary DNS server serves, "" if it serves none.
func (p *plan) zone() string {
	zone, _, _ := strings.Cut(p.value(keyZones), ",")
	return zone
}

// of returns what is set for a program, without its name.
func (p *plan) of(program string) []string {
	var sets []string
	for _, set := range p.sets {
		if set, ok := strings.CutPrefix(set, program+"."); ok {
			sets = append(sets, set)
		}
	}
	return sets
}

// url is where clients on this machine find the homeserver.
func (p *plan) url() string {
	host, port, _ := net.SplitHostPort(p.value(keyListen)) // checked
	if address, err := netip.ParseAddr(host); host == "" || err == nil && address.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// dig is a command that asks the primary DNS server something.
func (p *plan) dig() string {
	address, _, _ := strings.Cut(p.value(keyDNS), ",")
	host, port, err := net.SplitHostPort(address)
	if a, addrErr := netip.ParseAddr(host); err != nil || host == "" || addrErr == nil && a.IsUnspecified() {
		host = "127.0.0.1"
	}
	return fmt.Sprintf("dig @%s -p %s +dnssec %s", host, port, p.zone())
}

// welcome says how to reach what runs.
func (p *plan) welcome() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nHearth is running: server name %s, data in %s. Ctrl-C ends it.\n\n", p.value(keyServerName), p.data)
	fmt.Fprintf(&b, "  homeserver  %s\n", p.url())
	if address := p.value(keyDNS); address != "" {
		fmt.Fprintf(&b, "  DNS         %s, for example: %s\n", address, p.dig())
	}
	if p.value(keyRegistration) == "open" {
		fmt.Fprintf(&b, "  register    in a client, or: curl %s/_matrix/client/v3/register -d \\\n", p.url())
		b.WriteString(`              '{"username":"alice","password":"change me","auth":{"type":"m.login.dummy"}}'` + "\n")
	} else {
		b.WriteString("  register    not open (--set registration=open opens it)\n")
	}
	fmt.Fprintf(&b, "  connect     in any Matrix client: choose another homeserver, %s\n\n", p.url())
	return b.String()
}
