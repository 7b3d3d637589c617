package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hearth/homeserver/operator"
	"hearth/matrix"
	"hearth/matrix/wire"
	"hearth/process"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// A script is a conversation with homeserver admin:
//
//	# a comment
//	% register alice              prepares the server, see prepare
//	$ user show alice             a command; before it, < is a line of its standard input
//	what it prints                each line as it is, with ... for anything
//	! what the error says         if it fails; without, it must not
//
// $NAME stands for what a preparation named.

// world is a server of a test, its admin socket and its clients.
type world struct {
	t       *testing.T
	server  *server
	socket  string
	base    string
	clients map[string]*wire.Client
	names   map[string]string
	sent    int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOver(t, blobtest.NewMemory())
}

// newWorldOver is newWorld with a backend of the test's own, which may hold an earlier server's data.
func newWorldOver(t *testing.T, backend blob.Store) *world {
	t.Helper()
	cfg := defaultSettings()
	cfg.ServerName, cfg.Registration, cfg.RateLimits = "x.example", "open", false
	cfg.AdminSocket = filepath.Join(t.TempDir(), "s")
	if err := cfg.check(); err != nil {
		t.Fatal(err)
	}
	s, err := assemble(t.Context(), &cfg, backend, quiet())
	if err != nil {
		t.Fatal(err)
	}
	admin, err := s.serveAdmin(make(chan error, 1))
	if err != nil {
		t.Fatal(err)
	}
	clients := httptest.NewServer(s.api.Handler())
	t.Cleanup(func() {
		clients.Close()
		admin.Close()
		s.close()
	})
	return &world{t: t, server: s, socket: cfg.AdminSocket, base: clients.URL, clients: map[string]*wire.Client{}, names: map[string]string{}}
}

// prepare does what a line says that begins with %:
//
//	register NAME              makes an account, whose password is "old password"
//	room USER NAME             makes a public room $NAME of that name
//	join USER ROOM
//	send USER ROOM NAME TEXT   sends a message, whose event id becomes $NAME
//	report USER ROOM [EVENT]   reports a room or an event, as rude
//	finish                     finishes what was begun: deletions of rooms
//	newest                     names the newest report $REPORT
//	try USER GET|POST PATH STATUS [BODY]   a request of the user that is answered with this status
//	login NAME STATUS          logs in with "old password"
func (w *world) prepare(line string) error {
	words := strings.Fields(line)
	ctx := w.t.Context()
	var client *wire.Client
	if len(words) > 1 {
		client = w.clients[words[1]]
	}
	switch words[0] {
	case "finish":
		return w.server.administration().FinishDeletions(ctx)
	case "newest":
		for r, err := range w.server.api.Reports.Newest(ctx, 0) {
			w.names["REPORT"] = fmt.Sprint(r.ID)
			return err
		}
	case "register":
		c := &wire.Client{Base: w.base}
		w.clients[words[1]] = c
		return c.Register(ctx, words[1], "old password")
	case "room":
		id, err := client.CreateRoom(ctx, wire.CreateRoom{Preset: "public_chat", Name: words[2]})
		w.names[words[2]] = string(id)
		return err
	case "join":
		_, err := client.Join(ctx, words[2])
		return err
	case "send":
		w.sent++
		id, err := client.SendText(ctx, matrix.RoomID(words[2]), fmt.Sprint(w.sent), strings.Join(words[4:], " "))
		w.names[words[3]] = string(id)
		return err
	case "report":
		return w.try(words[1], "POST", "/_matrix/client/v3/rooms/"+words[2]+"/report"+slash(words[3:]), "200", `{"reason":"rude \u001b[31m"}`)
	case "try":
		return w.try(words[1], words[2], words[3], words[4], strings.Join(words[5:], " "))
	case "login":
		body := `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"` + words[1] + `"},"password":"old password"}`
		return w.try("", "POST", "/_matrix/client/v3/login", words[2], body)
	}
	return fmt.Errorf("there is no preparation %q", words[0])
}

func slash(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "/" + words[0]
}

func (w *world) try(user, method, path, status, body string) error {
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.base+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	if c := w.clients[user]; c != nil {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err == nil && fmt.Sprint(answer.StatusCode) != status {
		err = fmt.Errorf("answered %s %s, want %s", answer.Status, said, status)
	}
	return err
}

// admin runs the command and returns what it prints.
func (w *world) admin(in string, args ...string) (string, error) {
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	args = append([]string{"-set", "admin_socket=" + w.socket, "admin"}, args...)
	err := run(ctx, args, process.Streams{In: strings.NewReader(in), Out: &out, Err: io.Discard})
	return out.String(), err
}

// TestAdminScripts runs the scripts of testdata/admin.
func TestAdminScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/admin/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			newWorld(t).play(string(text))
		})
	}
}

func TestEveryVerbHasAScript(t *testing.T) {
	for _, verb := range operator.Verbs() {
		text, err := os.ReadFile("testdata/admin/" + strings.ReplaceAll(verb, " ", "_") + ".txt")
		if err != nil || !strings.Contains(string(text), "$ "+verb) {
			t.Errorf("no script uses %s: %v", verb, err)
		}
	}
}

func (w *world) play(script string) {
	lines := strings.Split(strings.TrimSuffix(script, "\n"), "\n")
	in := ""
	for i := 0; i < len(lines); i++ {
		line := os.Expand(lines[i], func(name string) string {
			if name == "" || w.names[name] == "" {
				return "$" + name
			}
			return w.names[name]
		})
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "% "):
			if err := w.prepare(line[2:]); err != nil {
				w.t.Fatalf("line %d: %s: %v", i+1, line, err)
			}
		case strings.HasPrefix(line, "< "):
			in += line[2:] + "\n"
		case strings.HasPrefix(line, "$ "):
			var want []string
			for i+1 < len(lines) && !isDirective(lines[i+1]) {
				i++
				want = append(want, os.Expand(lines[i], func(name string) string { return w.names[name] }))
			}
			w.command(i+1, line[2:], in, want)
			in = ""
		default:
			w.t.Fatalf("line %d: %q follows no command", i+1, line)
		}
	}
}

func isDirective(line string) bool {
	return line == "" || len(line) > 1 && strings.Contains("#%<$", line[:1]) && line[1] == ' '
}

func (w *world) command(at int, line, in string, want []string) {
	w.t.Helper()
	out, err := w.admin(in, split(line)...)
	got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if out == "" {
		got = nil
	}
	if err != nil {
		got = append(got, strings.Split("! "+err.Error(), "\n")...)
	}
	if n := len(want); strings.Contains(line, "-help") || line == "token" {
		got = got[:min(n, len(got))] // its beginning is enough
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !matches(got[i], want[i]) {
			w.t.Fatalf("before line %d: %s\nprints\n%s\nwant\n%s", at, line, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// split parts words at spaces, but not between single quotes.
func split(line string) []string {
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// matches compares two lines, in any spacing, with ... for anything.
func matches(got, want string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.Join(strings.Fields(want), " ")), `\.\.\.`, ".*")
	return regexp.MustCompile("^" + pattern + "$").MatchString(strings.Join(strings.Fields(got), " "))
}
