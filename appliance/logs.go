package main

import (
	"context"

	"hearth/process"
)

const logsUsage = `Usage: appliance logs [-f] [-n LINES] [--fingerprint KEY] HOST

Shows the latest lines of a box's log. What people write to each other is never in it.

  -f                 go on with what comes, until Ctrl-C
  -n LINES           how many lines to begin with (default 100)

` + targetUsage

func showLogs(ctx context.Context, args []string, std process.Streams) error {
	t := newTarget("logs")
	follow := t.flags.Bool("f", false, "")
	lines := t.flags.Int("n", 100, "")
	if err := t.parse(args); err != nil {
		return err
	}
	client, err := t.connect(ctx, std.Err)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Logs(ctx, *lines, *follow, std.Out)
}
