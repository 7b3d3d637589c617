package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"hearth/matrix"
)

// defaultSocket is where appliance up keeps the socket, from the folder that it was started in.
const defaultSocket = "data/run/homeserver.sock"

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// client talks to a server over its admin socket.
type client struct {
	socket    string
	http      *http.Client
	connected atomic.Bool // at least once
}

// dial returns a client of the server behind a socket, "" for the usual one. It connects when it is first used.
func dial(socket string) (*client, error) {
	if socket == "" {
		if _, err := os.Stat(defaultSocket); err != nil {
			return nil, fault("where is the server? Name its admin socket by --socket PATH, or its settings by homeserver -config FILE admin")
		}
		socket = defaultSocket
	}
	c := &client{socket: socket}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
			if err == nil {
				c.connected.Store(true)
			}
			return conn, err
		},
	}}
	return c, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// path joins the segments of an endpoint's path, which may hold anything.
func path(segments ...string) string {
	var b strings.Builder
	b.WriteString("/admin/v1")
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// call sends in as JSON, nothing if it is nil, and decodes the answer into out. It returns the answer itself too.
func (c *client) call(ctx context.Context, method, path string, in, out any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("encoding the request: %w", err)
	}
	if in == nil {
		body = nil
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://homeserver"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("building the request: %w", err)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.explain(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, c.explain(err)
	}
	if answer.StatusCode != http.StatusOK {
		message, ok := matrix.StringField(said, "error")
		if !ok {
			return nil, fmt.Errorf("the server answered %s", answer.Status)
		}
		return nil, errors.New(clean(lowerFirst(message)))
	}
	if out != nil {
		if err := json.Unmarshal(said, out); err != nil {
			return nil, fmt.Errorf("reading the server's answer: %w", err)
		}
	}
	return said, nil
}

// explain says what to do about a server that cannot be reached.
func (c *client) explain(err error) error {
	var hint string
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		hint = "does the server run, and is this its setting admin_socket?"
	case errors.Is(err, fs.ErrPermission):
		hint = "only root and the server's own user may use it: try sudo"
	case c.connected.Load() && !errors.Is(err, context.Canceled):
		hint = "it hung up: only root and the server's own user may use it"
	default:
		return fmt.Errorf("asking the server at %s: %w", c.socket, err)
	}
	var inner *net.OpError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Errorf("asking the server at %s: %w (%s)", c.socket, err, hint)
}

func lowerFirst(s string) string {
	if len(s) > 1 && 'A' <= s[0] && s[0] <= 'Z' && (s[1] < 'A' || s[1] > 'Z') {
		return string(s[0]+'a'-'A') + s[1:]
	}
	return s
}
