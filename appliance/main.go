// Command appliance runs Hearth's programs on this machine, as its box runs them.
//
// Each verb is one file. There is one so far:
//
//	appliance up    starts the programs in the foreground, and ends them on SIGTERM or Ctrl-C
package main

import (
	"context"
	"fmt"
	"io"

	"hearth/process"
	"hearth/settings"
)

const usage = `Usage: appliance VERB [flags]

  up    run the programs on this machine, in the foreground

appliance VERB -h explains a verb.
`

func main() { process.Main("appliance", run) }

func run(ctx context.Context, args []string, std process.Streams) error {
	verb := "help"
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	switch verb {
	case "up":
		return up(ctx, args, std)
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(std.Out, usage)
		return err
	}
	return &settings.Error{Err: fmt.Errorf("there is no verb %s (appliance help shows all)", verb)}
}
