package operator

import (
	"bytes"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hearth/process"
)

// Every verb teaches by examples, which it understands.
func TestHelp(t *testing.T) {
	for _, v := range verbs() {
		var out bytes.Buffer
		args := append(strings.Fields(v.name), "--help")
		if err := Run(t.Context(), "", args, process.Streams{Out: &out}); err != nil {
			t.Errorf("%s --help: %v", v.name, err)
		}
		examples := 0
		for line := range strings.Lines(out.String()) {
			text, ok := strings.CutPrefix(strings.TrimSpace(line), "homeserver admin "+v.name)
			if !ok || strings.HasPrefix(line, "Usage") {
				continue
			}
			examples++
			command, _, _ := strings.Cut(text, "    ")
			command, _, _ = strings.Cut(command, " <")
			for i, quoted := range strings.Split(command, `"`) {
				if i%2 == 1 {
					command = strings.Replace(command, `"`+quoted+`"`, strings.ReplaceAll(quoted, " ", "_"), 1)
				}
			}
			f := new(options).flags()
			if v.flags != nil {
				v.flags(f)
			}
			if rest, err := parse(f, strings.Fields(command), 0); err != nil || len(rest) != len(v.args) {
				t.Errorf("%s: the example%s is not understood: %q, %v", v.name, command, rest, err)
			}
		}
		if examples == 0 || !strings.Contains(out.String(), "--socket PATH") {
			t.Errorf("%s --help says\n%s", v.name, &out)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ args, rest string }{
		{"a b", "a b"},
		{"--json a b", "a b"},
		{"a --json b", "a b"},
		{"a b --json", "a b"},
		{"a -- --json", "a --json"},
		{"-- a", "a"},
	} {
		o := new(options)
		rest, err := parse(o.flags(), strings.Fields(c.args), 0)
		if err != nil || strings.Join(rest, " ") != c.rest || o.json != (strings.Contains(c.args, "--json") && !strings.Contains(c.args, "-- --json")) {
			t.Errorf("%s: %q, %v", c.args, rest, err)
		}
	}
	rest, err := parse(new(options).flags(), strings.Fields("a --json b --own c"), 2)
	if err != nil || !slices.Equal(rest, []string{"a", "b", "--own", "c"}) {
		t.Errorf("%q, %v", rest, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("user list --limit 3 -- x")
	f.Fuzz(func(t *testing.T, line string) {
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		parse(flags, strings.Split(line, " "), 2)
		if strings.ContainsAny(clean(line), "\x1b\n\t\r\x00\u009b\u202e") {
			t.Errorf("%q is printed as %q", line, clean(line))
		}
	})
}

// Who may not use the socket, or finds nobody there, is told what to do.
func TestServerIsNotThere(t *testing.T) {
	dir := t.TempDir()
	hangsUp := filepath.Join(dir, "hangsup")
	l, err := net.Listen("unix", hangsUp)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	dead := filepath.Join(dir, "dead")
	if d, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead}); err == nil {
		d.SetUnlinkOnClose(false)
		d.Close()
	}
	for socket, want := range map[string]string{
		hangsUp:                    "only root",
		dead:                       "does the server run",
		filepath.Join(dir, "none"): "does the server run",
	} {
		err := Run(t.Context(), socket, []string{"user", "list"}, process.Streams{Out: io.Discard, Err: io.Discard})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", socket, err)
		}
	}
	t.Chdir(dir)
	err = Run(t.Context(), "", []string{"user", "list"}, process.Streams{Out: io.Discard, Err: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "--socket PATH") {
		t.Errorf("without a socket: %v", err)
	}
}

func TestPasswordIsALine(t *testing.T) {
	for in, want := range map[string]string{"secret\n": "secret", "secret": "secret", "two words\r\nmore": "two words", "": "", "\n": ""} {
		c := &call{std: process.Streams{In: strings.NewReader(in)}}
		got, err := c.password(t.Context())
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if terminal(os.Stdin) != nil && terminal(strings.NewReader("")) != nil {
		t.Error("a string is a terminal")
	}
}
