package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ours is our server with the storage program beside it, on a folder of its own.
type ours struct {
	bench          *bench
	folder         string
	signed         bool
	storage, named *family
}

// newOurs starts our server for the first time, and has it load a zone.
func newOurs(ctx context.Context, b *bench, file string, signed bool) (*ours, time.Duration, error) {
	folder, err := os.MkdirTemp(b.folder, "ours")
	if err != nil {
		return nil, 0, err
	}
	o := &ours{bench: b, folder: folder, signed: signed}
	if err := o.start(ctx); err != nil {
		o.stop()
		return nil, 0, err
	}
	begin := time.Now()
	if _, err := o.tell(ctx, "load", origin, file); err != nil {
		o.stop()
		return nil, 0, err
	}
	return o, time.Since(begin), nil
}

func (o *ours) path(name string) string { return filepath.Join(o.folder, name) }

// start starts both programs, and returns when ours answers.
func (o *ours) start(ctx context.Context) (err error) {
	b := o.bench
	o.storage, err = start(asking, nil, b.program("storage"), "-set", "data="+o.path("data"), "-set", "socket="+o.path("storage.sock"))
	if err != nil {
		return err
	}
	if err := await(ctx, o.path("storage.sock")); err != nil {
		return err
	}
	o.named, err = start(serving, nil, append([]string{b.program("dnsprimary")}, o.settings()...)...)
	if err != nil {
		return err
	}
	return o.named.await(ctx, b)
}

func (o *ours) settings() []string {
	var all []string
	for _, s := range []string{
		"listen=" + o.bench.server.String(), "storage_socket=" + o.path("storage.sock"), "admin_socket=" + o.path("admin.sock"),
		"zones=" + origin, "rate_limits=false", "addresses=192.0.2.1", "nameservers=ns1." + origin, "hosts=ns1." + origin, fmt.Sprint("dnssec.sign=", o.signed),
	} {
		all = append(all, "-set", s)
	}
	if o.bench.size > small {
		all = append(all, "-set", "memory_limit=512MiB")
	}
	return all
}

// tell gives a command to the server that runs, and returns what it says.
func (o *ours) tell(ctx context.Context, command ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, o.bench.program("dnsprimary"), append([]string{"-set", "admin_socket=" + o.path("admin.sock")}, command...)...)
	out, err := cmd.Output()
	if failed, ok := err.(*exec.ExitError); ok {
		return nil, fmt.Errorf("dnsprimary %s: %s", strings.Join(command, " "), strings.TrimSpace(string(failed.Stderr)))
	}
	return out, err
}

func (o *ours) stop() {
	for _, f := range []*family{o.named, o.storage} {
		if f != nil {
			f.stop()
		}
	}
	o.named, o.storage = nil, nil
}

// await waits for a socket.
func await(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", filepath.Base(path), ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
