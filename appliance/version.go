package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"

	"hearth/process"
)

const versionUsage = `Usage: appliance version [--json]

Prints the version that this command was built as, which is also the version of an image whose PID 1 it is, and the version of
Go that built it.

  --json    print them as JSON
`

func printVersion(_ context.Context, args []string, std process.Streams) error {
	flags := flag.NewFlagSet("version", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "")
	if _, err := parseFlags(flags, args, 0); err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(std.Out).Encode(struct {
			Version string `json:"version"`
			Go      string `json:"go"`
		}{process.Version(), runtime.Version()})
	}
	_, err := fmt.Fprintf(std.Out, "Hearth %s, built by %s\n", process.Version(), runtime.Version())
	return err
}
