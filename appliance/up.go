package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"hearth/appliance/supervise"
	"hearth/process"
)

// attempts is how often a program that has never been ready is started before up gives up. The delays
// between them add up to 3 s, in which a predecessor that was killed has let go of its files and ports.
const attempts = 7

const upUsage = `Usage: appliance up [--data DIR] [--confine] [--set KEY=VALUE]...

Runs storage, dnsprimary and homeserver, which must stand beside this executable, until SIGTERM or Ctrl-C. Their log
goes to stderr. Once they serve, how to reach them is written to stdout.

  --data DIR         the folder that everything is kept in, made if it is not there (default ./data)
  --confine          run each program as its own user (1001 to 1003), confined as on a box; only root can
  --set KEY=VALUE    one setting, may be repeated. KEY is PROGRAM.SETTING (PROGRAM -h lists its
                     settings), or without a program:
                       data                  the same as --data
                       client_address        host:port of plain HTTP for clients
                       federation_address    host:port of HTTPS for other servers
                       dns_address           host:port of DNS; without it DNS is served to this machine's
                                             programs only
                       any other             the homeserver's setting of this name: server_name,
                                             federation_cert, federation_key, registration, rate_limits,
                                             presence, registration_secret, ...

If clients are served on a loopback address only, as they are by default, anyone may register.
`

// up runs the programs on this machine.
func up(ctx context.Context, args []string, std process.Streams) error {
	plan, err := planUp(args)
	if err != nil {
		return err
	}
	unlock, err := lock(plan.data)
	if err != nil {
		return err
	}
	defer unlock()
	at, err := plan.site()
	if err != nil {
		return err
	}
	if err := at.prepare(); err != nil {
		return err
	}
	if err := at.writeKey(); err != nil {
		return err
	}
	defer at.removeKey()
	programs, err := plan.programs(at)
	if err != nil {
		return err
	}
	return supervise.Run(ctx, programs, supervise.Options{
		Log:      std.Err,
		Dir:      at.sockets,
		Attempts: attempts,
		Ready: func() {
			fmt.Fprint(std.Out, plan.welcome())
			if err := process.Ready(); err != nil {
				fmt.Fprintf(std.Err, "appliance: %v\n", err)
			}
		},
	})
}

// planUp reads up's arguments.
func planUp(args []string) (*plan, error) {
	p := newPlan()
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.StringVar(&p.data, "data", "data", "")
	flags.BoolVar(&p.confine, "confine", false, "")
	flags.Func("set", "", p.set)
	if _, err := parseFlags(flags, args, 0); err != nil {
		return nil, err
	}
	var err error
	if p.data, err = filepath.Abs(p.data); err != nil {
		return nil, fmt.Errorf("finding the data folder: %w", err)
	}
	return p, p.check()
}

// site returns where the programs run: in the data folder, from beside this executable.
func (p *plan) site() (*site, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this executable: %w", err)
	}
	at := &site{programs: filepath.Dir(self), storage: filepath.Join(p.data, "storage"), users: p.confine}
	mode := os.FileMode(0o700)
	if p.confine { // the programs' users pass through these folders
		mode = 0o711
		if err := os.Chmod(p.data, mode); err != nil {
			return nil, fmt.Errorf("opening the data folder: %w", err)
		}
	}
	at.sockets, err = socketFolder(p.data, mode)
	return at, err
}
