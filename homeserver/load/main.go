// Command load runs the server on an empty folder, puts it under load and prints what it measured beside what is aimed for.
//
// It checks what it measures: every message that was acknowledged must reach
// whoever follows the room exactly once and in its sender's order. It shares
// the machine with what it measures, so its own client is a bare HTTP/1.1
// connection, and answers are searched, not parsed.
//
// What is measured, in this order: the start on an empty folder; registrations
// and joins; conversations of 2 and of 100 members with 1 and 8 senders at once;
// 99 members who all follow one sender; the first sync of an account with 200
// rooms; the start on the folder that all this has filled. Senders send their
// next message when the last one is acknowledged. Send times are from before
// the request to after its answer; delivery times are from before the send
// request to after the whole sync answer that holds the message.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"hearth/homeserver/rig"
	"hearth/process"
)

func main() { process.Main("load", run) }

type options struct {
	programs string
	data     string
	length   time.Duration
	rooms    int
}

func run(ctx context.Context, args []string, std process.Streams) error {
	var o options
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(std.Err)
	flags.StringVar(&o.programs, "programs", "bin", "the `folder` of the built programs")
	flags.StringVar(&o.data, "data", "", "the data `folder`, empty or absent; if not given, a temporary one that is removed")
	flags.DurationVar(&o.length, "length", 5*time.Second, "how long each conversation lasts")
	flags.IntVar(&o.rooms, "rooms", 200, "how many rooms the account of the first sync has")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if o.data == "" {
		folder, err := os.MkdirTemp("", "load")
		if err != nil {
			return fmt.Errorf("making a data folder: %w", err)
		}
		defer os.RemoveAll(folder)
		o.data = folder
	}
	out := &table{out: std.Out}
	defer out.finish()
	b := &bench{options: o, table: out}
	return b.run(ctx, rig.Options{Programs: o.programs, Data: o.data, Log: std.Err})
}
