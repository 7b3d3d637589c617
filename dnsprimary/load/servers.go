package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// contender is another DNS server.
type contender struct {
	name    string
	program string
	lacking string // what to do if the program is not there
	config  string // text of its configuration; FOLDER, PORT and FILE are put in
	args    []string
	env     []string
}

// contenders are asked to run in one thread, not to limit rates, and to say no more than was asked.
func contenders() []contender {
	zone := strings.TrimSuffix(origin, ".")
	return []contender{
		{
			name: "Knot", program: "knotd", lacking: "install the package knot",
			config: `
server:
    listen: 127.0.0.1@PORT
    rundir: "FOLDER"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "FOLDER"
log:
  - target: stderr
    any: error
template:
  - id: default
    storage: "FOLDER"
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: ` + zone + `
    file: "FILE"
`,
			args: []string{"-c", "FOLDER/config"},
		},
		{
			name: "NSD", program: "nsd", lacking: "install the package nsd",
			config: `
server:
    ip-address: 127.0.0.1@PORT
    server-count: 1
    username: ""
    database: ""
    pidfile: "FOLDER/pid"
    zonelistfile: "FOLDER/list"
    xfrdfile: "FOLDER/xfrd"
    xfrdir: "FOLDER"
    zonesdir: "FOLDER"
    minimal-responses: yes
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: ` + zone + `
    zonefile: "FILE"
`,
			args: []string{"-d", "-c", "FOLDER/config"},
		},
		{
			name: "BIND", program: "named", lacking: "install the package bind9",
			config: `
options {
    directory "FOLDER";
    listen-on port PORT { 127.0.0.1; };
    listen-on-v6 { none; };
    pid-file none;
    lock-file none;
    session-keyfile "FOLDER/session";
    recursion no;
    dnssec-validation no;
    minimal-responses yes;
    notify no;
};
controls { };
zone "` + zone + `" { type primary; file "FILE"; };
`,
			args: []string{"-g", "-n", "1", "-c", "FOLDER/config"},
		},
		{
			name: "CoreDNS", program: "coredns", lacking: "it is built from its module, which could not be had",
			config: zone + `:PORT {
    bind 127.0.0.1
    file FILE {
        reload 0
    }
}
`,
			args: []string{"-conf", "FOLDER/config", "-quiet"}, env: []string{"GOMAXPROCS=1"},
		},
	}
}

// start runs the server on a zone file.
func (c *contender) start(b *bench, file string) (*family, error) {
	folder, err := os.MkdirTemp(b.folder, c.name)
	if err != nil {
		return nil, err
	}
	fill := strings.NewReplacer("FOLDER", folder, "PORT", fmt.Sprint(b.server.Port()), "FILE", file)
	if err := os.WriteFile(filepath.Join(folder, "config"), []byte(fill.Replace(c.config)), 0o600); err != nil {
		return nil, err
	}
	command := []string{c.program}
	for _, arg := range c.args {
		command = append(command, fill.Replace(arg))
	}
	return start(serving, c.env, command...)
}

// coreVersion is the version of CoreDNS.
const coreVersion = "v1.15.0"

// coreMain is a CoreDNS that serves zone files and can do nothing else.
const coreMain = `package main

import (
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/file"
)

func main() { coremain.Run() }
`

// buildCore builds CoreDNS from its module, in a module of its own, and keeps the program for the next time.
func buildCore(ctx context.Context, folder string) (program string, err error) {
	kept, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	program = filepath.Join(kept, "hearth", "coredns-"+coreVersion)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	module := filepath.Join(folder, "coredns")
	if err := os.Mkdir(module, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(module, "main.go"), []byte(coreMain), 0o600); err != nil {
		return "", err
	}
	for _, command := range []string{
		"go mod init coredns-for-files", "go get github.com/coredns/coredns@" + coreVersion, "go build -o " + program + " .",
	} {
		f := strings.Fields(command)
		cmd := exec.CommandContext(ctx, f[0], f[1:]...)
		cmd.Dir = module
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", command, err, lastLine(string(out)))
		}
	}
	return program, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
