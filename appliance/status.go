package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"hearth/appliance/agent"
	"hearth/process"
)

const statusUsage = `Usage: appliance status [--json] [--fingerprint KEY] HOST

Shows how a box is: its version, what the last update came to, its health, its disk and memory. It fails if the box is not well.

  --json             print all of it as JSON

` + targetUsage

func showStatus(ctx context.Context, args []string, std process.Streams) error {
	t := newTarget("status")
	asJSON := t.flags.Bool("json", false, "")
	if err := t.parse(args); err != nil {
		return err
	}
	client, err := t.connect(ctx, std.Err)
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if *asJSON {
		err = json.NewEncoder(std.Out).Encode(s)
	} else {
		_, err = std.Out.Write(describeStatus(t.host, s))
	}
	if err == nil && !s.Health.Well {
		err = fmt.Errorf("%s is not well", t.host)
	}
	return err
}

// describeStatus says it for people.
func describeStatus(host string, s *agent.Status) []byte {
	var b bytes.Buffer
	trial := ""
	if s.Trial {
		trial = ", on trial"
	}
	fmt.Fprintf(&b, "%s runs version %s%s, in slot %s of a %s, for %v.\n", host, s.Version, trial, s.Slot, s.Board, time.Duration(s.Uptime)*time.Second)
	if s.Sentence != "" {
		fmt.Fprintf(&b, "The last update: %s\n", s.Sentence)
	}
	fmt.Fprintln(&b)
	_ = s.Health.Print(&b) // a buffer takes everything
	fmt.Fprintf(&b, "\ndisk    %s\nmemory  %s\nkeys    the box's %s, its owner's %s\n", describeRoom(s.Disk), describeRoom(s.Memory), s.Box, s.Owner)
	return b.Bytes()
}

func describeRoom(r agent.Room) string {
	return fmt.Sprintf("%d MiB free of %d", r.Free>>20, r.Size>>20)
}
