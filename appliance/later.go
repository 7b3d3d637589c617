package main

import (
	"context"
	"flag"
	"fmt"

	"hearth/process"
)

// later is a verb that has its name and place, and nothing behind it yet.
func later(name string) func(context.Context, []string, process.Streams) error {
	return func(_ context.Context, args []string, _ process.Streams) error {
		if _, err := parseFlags(flag.NewFlagSet(name, flag.ContinueOnError), args, len(args)); err != nil {
			return err
		}
		return fmt.Errorf("%s comes with a later version: until then stop the box, and copy its data partition", name)
	}
}

func laterUsage(name string) string {
	return "Usage: appliance " + name + "\n\nThis comes with a later version. Until then stop the box, and copy its data partition.\n"
}
