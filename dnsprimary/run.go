package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"hearth/dnsprimary/zone"
	"hearth/process"
	"hearth/settings"
)

// manual is what -h says before it shows the settings.
const manual = `The authoritative primary DNS server. Its commands, of which all but serve and check ask the program that serves, by
its admin socket (-set admin_socket=PATH):

  serve                        serve until SIGTERM; so it does without a command
  check FILE [ZONE]            read a zone file and say what is wrong with it
  show ZONE                    print a zone as it is served
  log ZONE                     print who changed what, and when
  undo ZONE [SERIAL]           make the zone what it was before the last change, or at a serial
  load ZONE FILE               take the changes of a zone file since it was last loaded
  keys ZONE                    print the keys that sign a zone
  keys ZONE roll zsk|ksk|csk   make a new key and let it take the old one's place when everybody knows it
  keys ZONE confirm TAG        say that the parent zone has the DS of a key
  ds ZONE                      print the DS records for the registrar

`

func run(ctx context.Context, args []string, std process.Streams) error {
	cfg := defaultSettings()
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "-help" || a == "--help" }) {
		fmt.Fprint(std.Out, manual)
	}
	rest, err := settings.Load("dnsprimary", &cfg, args, std.Out)
	if err != nil {
		return err
	}
	verb := "serve"
	if len(rest) > 0 {
		verb, rest = rest[0], rest[1:]
	}
	usage := func(words string) error {
		return &settings.Error{Err: fmt.Errorf("want dnsprimary %s (dnsprimary -h shows all)", words)}
	}
	ask := func(method, path string, body io.Reader, query ...string) error {
		return cfg.ask(ctx, std.Out, method, path, body, query...)
	}
	switch {
	case verb == "serve" && len(rest) == 0:
		return serve(ctx, &cfg, process.Logger(std.Err, cfg.LogLevel))
	case verb == "check" && (len(rest) == 1 || len(rest) == 2):
		return check(std.Out, rest[0], rest[1:])
	case verb == "check":
		return usage("check FILE [ZONE]")
	case (verb == "show" || verb == "log" || verb == "ds" || verb == "keys") && len(rest) == 1:
		return ask(http.MethodGet, verb, nil, "zone", rest[0])
	case verb == "keys" && len(rest) == 3 && (rest[1] == "roll" || rest[1] == "confirm"):
		return ask(http.MethodPost, verb, nil, "zone", rest[0], rest[1], rest[2])
	case verb == "keys":
		return usage("keys ZONE [roll zsk|ksk|csk] [confirm TAG]")
	case verb == "show" || verb == "log" || verb == "ds":
		return usage(verb + " ZONE")
	case verb == "undo" && len(rest) == 1:
		return ask(http.MethodPost, verb, nil, "zone", rest[0])
	case verb == "undo" && len(rest) == 2:
		return ask(http.MethodPost, verb, nil, "zone", rest[0], "serial", rest[1])
	case verb == "undo":
		return usage("undo ZONE [SERIAL]")
	case verb == "load" && len(rest) == 2:
		file, err := os.Open(rest[1])
		if err != nil {
			return err
		}
		defer file.Close()
		return ask(http.MethodPost, verb, file, "zone", rest[0])
	case verb == "load":
		return usage("load ZONE FILE")
	}
	return usage("serve, check, show, log, undo, load, keys or ds, not " + verb)
}

// check reads a zone file and says what is wrong with it. Without a zone's name the file must say it by $ORIGIN, or be
// named after it.
func check(w io.Writer, file string, name []string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if len(name) == 0 {
		base := file[strings.LastIndexByte(file, '/')+1:]
		name = []string{strings.TrimSuffix(base, ".zone")}
	}
	origin, err := zone.ParseName(name[0])
	if err != nil {
		return err
	}
	z, problems := zone.Read(origin, string(text))
	if problems.Err() == nil {
		problems = append(problems, z.Check()...)
	}
	for _, p := range problems {
		fmt.Fprintf(w, "%s: %s\n", file, p)
	}
	if err := problems.Err(); err != nil {
		return fmt.Errorf("%s is no zone file of %s that could be served", file, origin)
	}
	_, err = fmt.Fprintf(w, "%s: %s with %d records of %d names, serial %d, can be served\n", file, origin, z.Records(), z.Owners(), z.Serial())
	return err
}

// ask sends a command to the program that serves, and prints its answer.
func (s *Settings) ask(ctx context.Context, w io.Writer, method, path string, body io.Reader, query ...string) error {
	if s.AdminSocket == "" {
		return settings.Invalid("admin_socket", "name the socket of the program that serves: -set admin_socket=PATH")
	}
	q := make(url.Values)
	for i := 0; i+1 < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://dnsprimary/"+path+"?"+q.Encode(), body)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.AdminSocket)
	}}}
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		if cause := errors.Unwrap(err); cause != nil {
			err = cause // the URL says nothing to the owner
		}
		return fmt.Errorf("asking the program that serves, which does not run or has another admin_socket: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		if _, err := io.Copy(w, answer.Body); err != nil {
			return fmt.Errorf("reading the answer of the program that serves: %w", err)
		}
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxFile))
	if err != nil {
		return fmt.Errorf("reading the answer of the program that serves: %w", err)
	}
	return fmt.Errorf("%s", strings.TrimSpace(string(text)))
}
