// Command appliance builds Hearth's images, puts them on disks, updates and watches boxes, and runs the programs here.
//
// Each verb is one file; [verbs] lists them. As the first process of a machine it is the box's: see pid1.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"hearth/confinement"
	"hearth/process"
	"hearth/settings"
)

// verb is something that the command does.
type verb struct {
	name    string
	summary string // a few words for the list of verbs
	usage   string // what -h says
	run     func(ctx context.Context, args []string, std process.Streams) error
}

// verbs are in the order in which one comes to need them.
func verbs() []verb {
	return []verb{
		{"up", "run the programs on this machine, in the foreground", upUsage, up},
		{"build", "make an image for a board", buildUsage, build},
		{"flash", "write an image to a card or disk", flashUsage, flashDisk},
		{"run", "boot an image in a virtual machine on this computer", runUsage, try},
		{"update", "bring a box to the version of this source tree", updateUsage, updateBox},
		{"status", "show how a box is", statusUsage, showStatus},
		{"logs", "show the log of a box", logsUsage, showLogs},
		{"reboot", "restart a box", rebootUsage, rebootBox},
		{"backup", "fetch a copy of everything from a box (comes with a later version)", laterUsage("backup"), later("backup")},
		{"restore", "bring a new box to life from a backup (comes with a later version)", laterUsage("restore"), later("restore")},
		{"version", "print the version of this command", versionUsage, printVersion},
	}
}

func main() {
	confinement.Main()
	if os.Getpid() == 1 {
		pid1()
	}
	process.Main("appliance", run)
}

func run(ctx context.Context, args []string, std process.Streams) error {
	name := "help"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	all := verbs()
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, name) {
		return help(args, std.Out)
	}
	i := slices.IndexFunc(all, func(v verb) bool { return v.name == name })
	if i < 0 {
		return noVerb(name)
	}
	err := all[i].run(ctx, args, std)
	if errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(std.Out, all[i].usage)
	}
	return err
}

func noVerb(name string) error {
	return &settings.Error{Err: fmt.Errorf("there is no verb %s (appliance help shows all)", name)}
}

// help lists the verbs, or explains one.
func help(args []string, out io.Writer) error {
	var b strings.Builder
	b.WriteString("Usage: appliance VERB [flags]\n\n")
	for _, v := range verbs() {
		fmt.Fprintf(&b, "  %-9s %s\n", v.name, v.summary)
		if len(args) > 0 && args[0] == v.name {
			_, err := io.WriteString(out, v.usage)
			return err
		}
	}
	if len(args) > 0 {
		return noVerb(args[0])
	}
	b.WriteString("\nappliance VERB -h explains a verb.\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// parseFlags reads a verb's flags, which may stand among its other arguments, and returns those: at most limit.
func parseFlags(flags *flag.FlagSet, args []string, limit int) (rest []string, err error) {
	flags.SetOutput(io.Discard)
	hint := fmt.Sprintf("(appliance %s -h shows the flags)", flags.Name())
	for {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
		} else if err != nil {
			return nil, &settings.Error{Err: fmt.Errorf("%w %s", err, hint)}
		}
		if flags.NArg() == 0 {
			return rest, nil
		}
		if len(rest) == limit {
			return nil, &settings.Error{Err: fmt.Errorf("%s takes no argument such as %s %s", flags.Name(), flags.Arg(0), hint)}
		}
		rest, args = append(rest, flags.Arg(0)), flags.Args()[1:]
	}
}
