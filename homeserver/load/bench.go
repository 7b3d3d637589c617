package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"hearth/homeserver/rig"
	"hearth/matrix/wire"
)

// A bench runs the measurements, one after the other.
type bench struct {
	options options
	table   *table
	server  *rig.Server
	people  []*wire.Client
	runs    int64
}

// crowd is how many accounts the conversations need.
const crowd = 100

func (b *bench) run(ctx context.Context, o rig.Options) error {
	b.table.heading(fmt.Sprintf("%d CPUs, conversations of %s", runtime.NumCPU(), b.options.length))
	if err := b.firstStart(ctx, o); err != nil {
		return err
	}
	defer b.stop()
	for _, measure := range []func(context.Context) error{b.accounts, b.conversations, b.manyRooms, b.laterStart} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = b.server.Stop(ctx) // it may have ended, which a measurement has reported
}

func (b *bench) firstStart(ctx context.Context, o rig.Options) error {
	begin := time.Now()
	server, err := rig.Start(o)
	if err != nil {
		return err
	}
	b.server = server
	if err := b.ready(ctx); err != nil {
		b.stop()
		return err
	}
	b.table.row("start to first answer, empty", "300 ms", "%s", millis(time.Since(begin)))
	return b.memory("idle", "40 MiB")
}

// ready waits for the server's first answer.
func (b *bench) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return b.server.WaitReady(ctx)
}

// memory prints what the programs have resident, and how much of that is their
// own: the rest are pages of files, above all of the programs themselves, which
// the kernel may take back. The supervisor is shown and does not count: on the
// box it is PID 1.
func (b *bench) memory(when, aim string) error {
	var parts []string
	var sum, own int64
	for _, p := range b.server.Programs() {
		u, err := p.Usage()
		if err != nil {
			return err
		}
		if p.Name != "appliance" {
			sum, own = sum+u.Resident, own+u.Own
		}
		parts = append(parts, fmt.Sprintf("%s %.0f/%.0f", p.Name, mebi(u.Resident), mebi(u.Own)))
	}
	b.table.row("resident, "+when, aim, "%.0f MiB, own %.0f (%s)", mebi(sum), mebi(own), strings.Join(parts, ", "))
	return nil
}

func mebi(n int64) float64 { return float64(n) / (1 << 20) }

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

func (b *bench) conversations(ctx context.Context) error {
	for _, m := range []struct {
		name, aim string
		conversation
	}{
		{"2 members, 1 sender", "1500/s, send 0.6 / 2 ms, 6 KB", conversation{2, 1, 1}},
		{"2 members, 8 senders", "4000/s, send p99 5, delivery p99 6 ms, 3 KB", conversation{2, 8, 1}},
		{"100 members, 1 sender", "as 2 members", conversation{100, 1, 1}},
		{"100 members, 8 senders", "3000/s, 4 KB", conversation{100, 8, 1}},
		{"99 members polling, 1 sender", "100/s, delivery p99 40 ms", conversation{100, 1, 99}},
	} {
		r, err := b.talk(ctx, m.conversation)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		b.table.row(m.name, m.aim, "%.0f/s, send %s / %s, delivery %s / %s, %.1f KB",
			r.rate(), millis(r.sends.at(0.5)), millis(r.sends.at(0.99)),
			millis(r.delivers.at(0.5)), millis(r.delivers.at(0.99)), r.kilobyte())
		b.table.note("%d messages, %d delivered in %d syncs with %d gaps; CPU a message: %s",
			r.messages, len(r.delivers), r.syncs, r.gaps, perMessage(r))
	}
	if err := b.memory("after the load", "64 MiB"); err != nil {
		return err
	}
	rest := time.NewTimer(5 * time.Second) // after which the programs have given back what they had needed for the load
	defer rest.Stop()
	select {
	case <-rest.C:
		return b.memory("5 s later", "64 MiB")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// perMessage says how much CPU each program used for a message.
func perMessage(r result) string {
	var parts []string
	for _, name := range []string{"homeserver", "storage", "appliance"} {
		if cpu, ok := r.cpu[name]; ok {
			parts = append(parts, fmt.Sprintf("%s %.0f us", name, float64(cpu.Microseconds())/float64(max(r.messages, 1))))
		}
	}
	return strings.Join(parts, ", ")
}
