package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// The processors of the servers, and of who asks them.
const (
	serving = 0
	asking  = 1
)

// small is how many names the small zone has.
const small = 10

// bench measures all servers on one zone after the other.
type bench struct {
	options
	out    io.Writer
	folder string
	others []contender
	server netip.AddrPort
	size   int // names of the zone
	asked  []question
}

// result is what was measured of a server.
type result struct {
	udp, tcp rate
	start    time.Duration // until it answered
	resident int64
	beside   int64 // of storage
}

// rate is how fast a server answers.
type rate struct {
	perSecond float64
	cpu       time.Duration // for one question
	faults    faults
}

func (b *bench) run(ctx context.Context) error {
	if runtime.NumCPU() < 2 {
		return fmt.Errorf("one processor is not enough: the server needs one, and who asks another")
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return fmt.Errorf("a server is put on one processor by taskset: %w", err)
	}
	b.find(ctx)
	if load := busy(); load >= 0.5 {
		fmt.Fprintf(b.out, "this machine is busy (load %.1f): the rates say little, and CPU flatters who answers many at a time\n", load)
	}
	if err := settle(asking); err != nil {
		return err
	}
	for _, size := range []int{small, b.names} {
		for _, signed := range []bool{false, true} {
			if err := b.zone(ctx, size, signed); err != nil {
				return err
			}
		}
	}
	return nil
}

// busy returns how many processes wanted to run in the last minute, 0 if that is not known.
func busy() (load float64) {
	text, _ := os.ReadFile("/proc/loadavg")
	if _, err := fmt.Sscan(string(text), &load); err != nil {
		return 0
	}
	return load
}

// find finds out which servers there are, and says of the others what they lack.
func (b *bench) find(ctx context.Context) {
	for _, c := range contenders() {
		if b.only != "" && !strings.EqualFold(b.only, c.name) {
			continue
		}
		if c.name == "CoreDNS" {
			program, err := buildCore(ctx, b.folder)
			if err != nil {
				fmt.Fprintf(b.out, "without CoreDNS: %s: %v\n", c.lacking, err)
				continue
			}
			c.program = program
		}
		path, err := exec.LookPath(c.program)
		if err != nil {
			path, err = exec.LookPath(filepath.Join("/usr/sbin", c.program)) // where Debian has it, and no user's PATH leads
		}
		if err != nil {
			fmt.Fprintf(b.out, "without %s: %s\n", c.name, c.lacking)
			continue
		}
		c.program = path
		b.others = append(b.others, c)
	}
}

func (b *bench) program(name string) string { return filepath.Join(b.programs, name) }

// zone measures all servers on one zone.
func (b *bench) zone(ctx context.Context, size int, signed bool) (err error) {
	b.size = size
	if b.asked, err = questions(size); err != nil {
		return err
	}
	if b.server, err = free(); err != nil {
		return err
	}
	source, file := filepath.Join(b.folder, "source"), filepath.Join(b.folder, "zone")
	if err := create(source, func(w io.Writer) error { return writeZone(w, size) }); err != nil {
		return err
	}
	t := &table{out: b.out}
	what := "unsigned"
	if signed {
		what = "signed"
	}
	t.heading(fmt.Sprintf("%d names, %s", size, what))
	if err := b.ours(ctx, t, source, file, signed); err != nil {
		return err
	}
	for i := range b.others {
		c := &b.others[i]
		r, err := b.measure(ctx, func() (*family, error) { return c.start(b, file) })
		if err != nil {
			return fmt.Errorf("measuring %s: %w", c.name, err)
		}
		t.row(c.name, r)
	}
	t.verdict(size)
	return nil
}

// ours has our server load the zone, writes down what it serves for the others, and measures it after another start.
func (b *bench) ours(ctx context.Context, t *table, source, file string, signed bool) error {
	o, loading, err := newOurs(ctx, b, source, signed)
	if err != nil {
		return err
	}
	defer func() { o.stop() }()
	loaded := o.named.resident()
	shown, err := o.tell(ctx, "show", origin)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, shown, 0o600); err != nil {
		return err
	}
	o.stop()
	begin := time.Now()
	if err := o.start(ctx); err != nil {
		return err
	}
	r, err := b.ask(ctx, o.named)
	if err != nil {
		return err
	}
	r.start, r.beside = time.Since(begin)-r.start, o.storage.resident()
	t.row("ours", r)
	t.note("ours: dnsprimary load took %.1f s, and then %.0f MiB; storage beside it %.0f MiB", loading.Seconds(), mebi(loaded), mebi(r.beside))
	return nil
}

// measure starts a server, asks it and ends it.
func (b *bench) measure(ctx context.Context, start func() (*family, error)) (r result, err error) {
	begin := time.Now()
	f, err := start()
	if err != nil {
		return r, err
	}
	defer f.stop()
	if err := f.await(ctx, b); err != nil {
		return r, err
	}
	started := time.Since(begin)
	r, err = b.ask(ctx, f)
	r.start = started
	return r, err
}

// runs is how often each rate is measured.
const runs = 3

// ask asks a server that runs, over UDP and over TCP. The result's start is how long that took.
func (b *bench) ask(ctx context.Context, f *family) (r result, err error) {
	begin := time.Now()
	for _, way := range []struct {
		into *rate
		ask  func(context.Context, netip.AddrPort, []question, time.Duration) (int, faults, error)
	}{{&r.udp, askUDP}, {&r.tcp, askTCP}} {
		var all []rate
		for range runs {
			used, began := f.cpu(), time.Now()
			n, wrong, err := way.ask(ctx, b.server, b.asked, b.length)
			if err != nil {
				return r, err
			}
			all = append(all, rate{float64(n) / time.Since(began).Seconds(), (f.cpu() - used) / time.Duration(max(n, 1)), wrong})
		}
		slices.SortFunc(all, func(a, b rate) int { return int(a.perSecond - b.perSecond) })
		*way.into = all[runs/2]
		for _, other := range all {
			if way.into.faults.sum() < other.faults.sum() {
				way.into.faults = other.faults
			}
		}
	}
	r.resident = f.resident()
	r.start = time.Since(begin)
	return r, ctx.Err()
}

// answers reports whether there is an answer to a first question: any, but failure.
func (b *bench) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	m := new(dns.Msg).SetQuestion(origin, dns.TypeSOA)
	answer, _, err := new(dns.Client).ExchangeContext(ctx, m, b.server.String())
	return err == nil && answer.Rcode != dns.RcodeServerFailure
}

// free returns an address on loopback whose port nobody has.
func free() (netip.AddrPort, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort(), nil
}

func create(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return f.Close()
}
