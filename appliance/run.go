package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"hearth/appliance/flash"
	"hearth/appliance/vm"
	"hearth/process"
	"hearth/settings"
)

const runUsage = `Usage: appliance run [--disk FILE] [--listen HOST:PORT] [--management HOST:PORT] [--size SIZE] [--memory SIZE] [--kvm]
                     [--json] [IMAGE]

Boots an image in a virtual machine (QEMU) on this computer, and prints the URL of its homeserver: the way to try the whole
appliance without a board. The machine's console goes to stderr. Ctrl-C takes its power away, which it must bear as a box does.

  IMAGE                     the image; by default the one that is in ./bin
  --disk FILE               the machine's disk, which is made from the image if it is not there, and kept: started again
                            with it, the box still knows everything. By default the disk goes when the machine ends
  --size SIZE               of a disk that is made: the box grows its data to it at the first start (default 4GiB)
  --listen HOST:PORT        the address of this computer that leads to the box's homeserver (default 127.0.0.1:8008; port 0
                            takes a free one)
  --management HOST:PORT    the address that leads to the box's management, for appliance update and status (default
                            127.0.0.1:8422)
  --memory SIZE             of the machine (default: what the smallest of the boards has)
  --kvm                     let this computer's processor run the machine (KVM), which is quick; it must be of the same kind
  --json                    print the URL as JSON
`

// Ports of the box.
const (
	clientPort     = 8008
	managementPort = 8422
)

// trial is what run is asked for.
type trial struct {
	image, disk        string
	listen, management string
	size, memory       settings.Bytes
	kvm, json          bool
}

func planTrial(args []string) (*trial, error) {
	t := &trial{size: 4 << 30}
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.StringVar(&t.disk, "disk", "", "")
	flags.StringVar(&t.listen, "listen", "127.0.0.1:8008", "")
	flags.StringVar(&t.management, "management", "127.0.0.1:8422", "")
	flags.TextVar(&t.size, "size", t.size, "")
	flags.TextVar(&t.memory, "memory", t.memory, "")
	flags.BoolVar(&t.kvm, "kvm", false, "")
	flags.BoolVar(&t.json, "json", false, "")
	rest, err := parseFlags(flags, args, 1)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		t.image = rest[0]
	}
	for _, address := range []*string{&t.listen, &t.management} {
		if err := choosePort(address); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// choosePort puts a free port in the place of port 0, and sees that nobody has the address.
func choosePort(address *string) error {
	l, err := net.Listen("tcp", *address)
	if err != nil {
		return fmt.Errorf("forwarding %s: %w; choose another address", *address, err)
	}
	*address = l.Addr().String()
	return l.Close()
}

// try boots an image in a virtual machine.
func try(ctx context.Context, args []string, std process.Streams) error {
	t, err := planTrial(args)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "hearth-run-")
	if err != nil {
		return fmt.Errorf("making a folder for the machine: %w", err)
	}
	defer os.RemoveAll(folder)
	if err := t.prepare(ctx, folder); err != nil {
		return err
	}
	v, err := vm.Start(ctx, vm.Machine{Disk: t.disk, Folder: folder, Memory: int64(t.memory), KVM: t.kvm, Console: std.Err,
		Ports: map[int]string{clientPort: t.listen, managementPort: t.management}})
	if err != nil {
		return err
	}
	defer v.Kill()
	if err := t.awaitReady(ctx, v); err != nil {
		return err
	}
	if err := t.welcome(std.Out, v.Manifest.Board); err != nil {
		return err
	}
	if err := v.Err(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("running QEMU: %w", err)
	}
	return nil
}

// prepare makes the machine's disk if it is not there.
func (t *trial) prepare(ctx context.Context, folder string) error {
	if t.disk == "" {
		t.disk = filepath.Join(folder, "disk")
	} else if _, err := os.Stat(t.disk); err == nil {
		return nil
	}
	if t.image == "" {
		var err error
		if t.image, err = onlyImage("bin"); err != nil {
			return err
		}
	}
	image, err := os.Open(t.image)
	if err != nil {
		return fmt.Errorf("opening the image: %w", err)
	}
	defer image.Close()
	ignore := func(int64) {}
	result, err := flash.Write(ctx, image, flash.Disk{Path: t.disk}, ignore, ignore)
	if err != nil {
		return err
	}
	if err := os.Truncate(t.disk, max(result.Size, int64(t.size))); err != nil {
		return fmt.Errorf("giving the disk its size: %w", err)
	}
	return nil
}

// awaitReady returns when the homeserver in the machine answers.
func (t *trial) awaitReady(ctx context.Context, v *vm.VM) error {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url()+"/_matrix/client/versions", nil)
		if err != nil {
			return fmt.Errorf("asking the homeserver: %w", err)
		}
		if response, err := client.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-v.Done():
			if err := v.Err(); err != nil {
				return fmt.Errorf("running QEMU: %w", err)
			}
			return errors.New("the machine turned itself off before its homeserver answered")
		case <-again.C:
		}
	}
}

func (t *trial) url() string { return "http://" + t.listen }

// welcome says how to reach what runs.
func (t *trial) welcome(out io.Writer, board string) error {
	if t.json {
		return json.NewEncoder(out).Encode(struct {
			URL        string `json:"url"`
			Management string `json:"management"`
			Board      string `json:"board"`
		}{t.url(), t.management, board})
	}
	_, err := fmt.Fprintf(out, `
Hearth runs in a virtual machine (%s). Ctrl-C ends it.

  homeserver  %s
  management  %s
  register    in a client, or: curl %s/_matrix/client/v3/register -d \
              '{"username":"alice","password":"change me","auth":{"type":"m.login.dummy"}}'

`, board, t.url(), t.management, t.url())
	return err
}
