// Command load asks our DNS server and the well-known ones the same questions of the same zones, and prints how each does.
//
// One server runs at a time, with one thread, on a processor of its own; the questions come from another one, over
// loopback. The zones have 10 or 100,000 names with an address each, unsigned and signed. Our server reads them first,
// and what it then shows is the file that the others serve, so all give the same answers. Of 10 questions 6 are for
// names that are there and 2 for names that are not; the other two are one of each that wants DNSSEC.
//
// Over UDP there are always as many questions under way as a window holds. So there are on each of a few connections
// over TCP, where as many are sent as were answered by what came. Every answer is checked: it must be to a question
// under way, whole, and have the response code that is known to be right. The rate is the median of three runs. CPU is
// what the server used for a question in user and kernel mode: it depends least on what else the machine does, so the
// aims are judged by it. Memory is what the server's processes have resident, shared pages divided among them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"hearth/process"
)

func main() { process.Main("load", run) }

type options struct {
	programs string
	length   time.Duration
	names    int
	only     string
	log      io.Writer
}

func run(ctx context.Context, args []string, std process.Streams) error {
	o := options{log: std.Err}
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(std.Err)
	flags.StringVar(&o.programs, "programs", "bin", "the `folder` of the built programs")
	flags.DurationVar(&o.length, "length", 2*time.Second, "how long each run lasts")
	flags.IntVar(&o.names, "names", 100_000, "how many names the big zone has")
	flags.StringVar(&o.only, "only", "", "the one `server` to measure beside ours: knot, nsd, bind, coredns, or ours for none")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	folder, err := os.MkdirTemp("", "dnsload")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(folder)
	return (&bench{options: o, out: std.Out, folder: folder}).run(ctx)
}
