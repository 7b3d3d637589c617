// Command interop holds the same conversations with Synapse and with this server, and compares the answers step by step.
//
// Synapse is the reference server of Matrix. What the two answer must be alike in status, errcode and shape, or the
// difference must be one that the specification explains (testdata/exceptions). The conversations are in the other
// files of testdata, one for each area, named like the specification's API definitions:
//
//	# A comment.
//	== A message is read by its id ; short
//	alice POST /createRoom {"preset": "public_chat"} -> room=room_id
//	bob/phone POST /join/$room {}
//	alice PUT /rooms/$room/send/m.room.message/1 {"msgtype": "m.text", "body": "${x*9}"} -> event=event_id
//	bob/phone GET /rooms/$room/event/$event
//	- GET /rooms/$room/event/$event
//	bob/phone GET /sync?timeout=1000 -> until rooms.join.$room.timeline.events[0]
//
// A conversation begins with its title and, behind semicolons, what it needs: "short" puts it into the short form,
// "server=NAME" has it on a server with other settings (flavours.go). A step is one line, more if the others are
// indented: who acts, a method, a path, a body, and behind the arrow what becomes of the answer. Who acts is a user, or
// a user/device; both are made when the conversation begins, and "admin" is an administrator. "-" has no token, "?" a
// wrong one, "=$token" that one. "with carol" makes users who do not act. Paths continue /_matrix/client/v3, or
// /_matrix/client if they begin with /v1 or /versions; those that begin with /_ or /.well-known are whole.
//
// $name, also as ${name}, stands for what was kept of an earlier answer, and for $server, $alice (the user's id),
// $alice_name, $alice_token, $alice_device, $alice_phone_token, $password, $quiet (a filter for syncs that leaves out
// presence and global account data), $public (a body for createRoom), $walk (a word that no other conversation has); $$
// for a dollar; ${x*9} for nine times "x".
//
// Behind the arrow, name=PATH keeps what stands at PATH in the answer, name?=PATH does if there is something, "until PATH"
// repeats the step until there is something, "until PATH==VALUE" until that is there (without spaces), "until !PATH"
// until there is nothing, and "unordered PATH" takes the array there for a set. A PATH is a list of members, with dots
// between, and of elements in brackets; a member in quotes and brackets may hold dots.
//
// Two answers are compared after what must differ has been replaced (normal.go): ids by the variable that holds them,
// times and tokens by their type. A difference is written as
//
//	rooms.join.$room.unread_notifications.highlight_count 1 | nothing
//
// with Synapse's value first; "status", "errcode" and "content-type" are as if members at the top.
//
// # Walks
//
// What nobody thought of writing is made up by chance (walk.go): from a seed, a few people make rooms, come and go, send,
// edit, redact, set state, read and synchronise, each step by what was answered before. These conversations are the area
// "random". Where the servers differ, and testdata/exceptions/random.txt does not say why, steps are dropped as long as
// the difference stays, and what is left is printed as a conversation, for the other files of testdata. The same
// seeds are walked every time; "-run random -seeds 1000-1099" walks others.
//
// What two servers may do differently is told apart by names: dave only reads, so that what is unread has one answer, only
// carol ignores people, and only alice forgets rooms. Rooms are called "secret" if their history visibility may hide
// something, "new" if they replace another, and "room" otherwise; filters "narrow" if they leave out events of timelines,
// and "left" if they include rooms that were left. Who reads a room without being in it adds "as=guest", of which no
// server knows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"hearth/process"
)

func main() { process.Main("interop", run) }

func run(ctx context.Context, args []string, std process.Streams) error {
	var o options
	only := ""
	flags := flag.NewFlagSet("interop", flag.ContinueOnError)
	flags.SetOutput(std.Err)
	flags.StringVar(&o.programs, "programs", "bin", "the `folder` of the built programs")
	flags.BoolVar(&o.short, "short", false, "only the conversations that are marked short")
	flags.BoolVar(&o.verbose, "v", false, "print every step with both answers")
	flags.StringVar(&only, "run", "", "only the `areas` listed, as create_room,sync")
	seeds := flags.String("seeds", "1-24", "the `seeds` of conversations made up by chance, as 1-24,99; none if empty")
	flags.IntVar(&o.steps, "steps", 120, "how many `steps` each of them has")
	flags.DurationVar(&o.shrink, "shrink", 30*time.Second, "how `long` to look for a short conversation that differs in the same way")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if only != "" {
		o.areas = strings.Split(only, ",")
	}
	if only == "" || slices.Contains(o.areas, walksArea) {
		var err error
		if o.seeds, err = parseSeeds(*seeds); err != nil {
			return err
		}
	}
	folder, err := os.MkdirTemp("", "interop")
	if err != nil {
		return fmt.Errorf("making a data folder: %w", err)
	}
	defer os.RemoveAll(folder)
	o.data, o.log = folder, os.Stderr
	report, err := judge(ctx, o)
	if err != nil {
		return err
	}
	report.print(std.Out)
	return report.verdict()
}
