// Package operator is the command homeserver admin, by which a server's owner administers it over its local socket.
//
// Each verb is one file. What the server knows is printed as a table or, with --json, as the server says it, of which
// package administration is the specification. Passwords are read from the terminal or from standard input, never from
// the arguments, which every user of the machine can see; a generated one is printed once.
package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"hearth/process"
	"hearth/settings"
)

// verb is one thing that the command does.
type verb struct {
	name  string   // "user list"
	args  []string // the names of what must follow
	short string   // what it does, in one line
	help  string   // the same with all that is to know, and examples
	flags func(*flag.FlagSet)
	run   func(context.Context, *call) error
}

// call is one use of a verb.
type call struct {
	client *client
	std    process.Streams
	args   []string // as many as the verb's
	json   bool     // print what the server says
}

func verbs() []verb {
	return []verb{
		userList(), userShow(), userCreate(), userPassword(), userLock(), userUnlock(), userSuspend(), userUnsuspend(),
		userPromote(), userDemote(), userDeactivate(), userDevices(), userLogout(),
		tokenList(), tokenCreate(), tokenChange(), tokenDelete(),
		roomList(), roomShow(), roomDelete(), roomDeletions(), roomUnblock(),
		reportList(), reportShow(), reportDelete(),
		noticeSend(),
	}
}

// Verbs returns the names of all verbs.
func Verbs() []string {
	var names []string
	for _, v := range verbs() {
		names = append(names, v.name)
	}
	return names
}

// Run does what the arguments say, on the server behind a socket unless they name another one.
func Run(ctx context.Context, socket string, args []string, std process.Streams) error {
	o := options{socket: socket}
	flags := o.flags()
	rest, err := parse(flags, args, 2) // the flags of the verb are not known yet
	if errors.Is(err, flag.ErrHelp) || err == nil && (len(rest) == 0 || rest[0] == "help") {
		_, err := io.WriteString(std.Out, usage(""))
		return err
	}
	if err != nil {
		return fault("%w (homeserver admin --help shows all)", err)
	}
	name := strings.Join(rest[:min(2, len(rest))], " ")
	all := verbs()
	i := slices.IndexFunc(all, func(v verb) bool { return v.name == name })
	if i < 0 {
		return unknown(rest, std)
	}
	return all[i].call(ctx, &o, rest[2:], std)
}

// options are what all verbs take.
type options struct {
	socket string
	json   bool
}

func (o *options) flags() *flag.FlagSet {
	f := flag.NewFlagSet("admin", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.socket, "socket", o.socket, "the server's admin socket, at `PATH`")
	f.BoolVar(&o.json, "json", o.json, "print JSON")
	return f
}

// parse reads flags that stand before, between and behind other arguments, which it returns. It stops behind as many
// as most, 0 for no bound, and returns what remains with them.
func parse(f *flag.FlagSet, args []string, most int) ([]string, error) {
	var rest []string
	for {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		if consumed := len(args) - f.NArg(); consumed > 0 && args[consumed-1] == "--" {
			return append(rest, f.Args()...), nil
		}
		args = f.Args()
		if len(args) == 0 {
			return rest, nil
		}
		rest, args = append(rest, args[0]), args[1:]
		if len(rest) == most {
			return append(rest, args...), nil
		}
	}
}

// fault is an error in how the command was called.
func fault(format string, args ...any) error {
	return &settings.Error{Err: fmt.Errorf(format, args...)}
}

// unknown says which verbs there are for a noun, or that there is no such noun.
func unknown(rest []string, std process.Streams) error {
	if text := usage(rest[0] + " "); text != "" {
		if len(rest) == 1 {
			_, err := io.WriteString(std.Out, text)
			return err
		}
		return fault("%s cannot be %q (homeserver admin %s shows what can be done)", rest[0], rest[1], rest[0])
	}
	return fault("there is no %q (homeserver admin --help shows all)", rest[0])
}

// usage lists the verbs whose names begin with a prefix, "" if there are none.
func usage(prefix string) string {
	var list strings.Builder
	for _, v := range verbs() {
		if strings.HasPrefix(v.name, prefix) {
			fmt.Fprintf(&list, "  %-32s %s\n", v.synopsis(), v.short)
		}
	}
	if list.Len() == 0 {
		return ""
	}
	return "Usage: homeserver admin NOUN VERB [flags]\n\n" + list.String() + `
A USER is named as alice or @alice:example.org. Flags of all verbs:

  --socket PATH    the server's admin socket (default: the setting admin_socket, or ` + defaultSocket + `)
  --json           print what the server says, for programs

Only root and the server's own user may use the socket. NOUN VERB --help explains one, with examples.
`
}

func (v *verb) synopsis() string { return strings.Join(append([]string{v.name}, v.args...), " ") }

// call runs a verb with its arguments.
func (v *verb) call(ctx context.Context, o *options, args []string, std process.Streams) error {
	flags := o.flags()
	if v.flags != nil {
		v.flags(flags)
	}
	args, err := parse(flags, args, 0)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(std.Out, v.explain(flags))
		return err
	}
	if err == nil && len(args) != len(v.args) {
		err = fmt.Errorf("%s takes %s, not %d arguments", v.name, v.wants(), len(args))
	}
	if err != nil {
		return fault("%w (homeserver admin %s --help explains it)", err, v.name)
	}
	client, err := dial(o.socket)
	if err != nil {
		return err
	}
	defer client.close()
	return v.run(ctx, &call{client: client, std: std, args: args, json: o.json})
}

func (v *verb) wants() string {
	if len(v.args) == 0 {
		return "nothing but flags"
	}
	return strings.Join(v.args, " and ")
}

func (v *verb) explain(flags *flag.FlagSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: homeserver admin %s [flags]\n\n%s\n\nFlags:\n\n", v.synopsis(), strings.TrimSpace(v.help))
	flags.VisitAll(func(f *flag.Flag) {
		kind, text := flag.UnquoteUsage(f)
		fmt.Fprintf(&b, "  %-22s %s\n", strings.TrimSpace("--"+f.Name+" "+kind), text)
	})
	return b.String()
}
