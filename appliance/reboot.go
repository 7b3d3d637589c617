package main

import (
	"context"
	"encoding/json"
	"fmt"

	"hearth/process"
)

const rebootUsage = `Usage: appliance reboot [--json] [--fingerprint KEY] HOST

Restarts a box. Its programs end first, and nothing that was acknowledged is lost.

  --json             print what was done as JSON

` + targetUsage

func rebootBox(ctx context.Context, args []string, std process.Streams) error {
	t := newTarget("reboot")
	asJSON := t.flags.Bool("json", false, "")
	if err := t.parse(args); err != nil {
		return err
	}
	client, err := t.connect(ctx, std.Err)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Reboot(ctx); err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(std.Out).Encode(map[string]string{"restarting": t.host})
	}
	_, err = fmt.Fprintf(std.Out, "%s restarts.\n", t.host)
	return err
}
