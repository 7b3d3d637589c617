package clientapi

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"

	"hearth/matrix/wire"
)

// poller polls over a connection of its own, with as little work as may be: it is the server that is measured.
type poller struct {
	b     *testing.B
	conn  net.Conn
	in    *bufio.Reader
	token string
	since string
}

// poll waits for an answer and reports whether it holds what is looked for.
func (p *poller) poll(what []byte) bool {
	fmt.Fprintf(p.conn, "GET %s/sync?timeout=60000&since=%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", v3, p.since, p.token)
	head := textproto.NewReader(p.in)
	if _, err := head.ReadLine(); err != nil {
		return false
	}
	size := 0
	for {
		line, err := head.ReadLine()
		if err != nil || line == "" {
			break
		}
		if n, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			size, _ = strconv.Atoi(n)
		}
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(p.in, body); err != nil {
		return false
	}
	const name = `"next_batch":"`
	rest := body[bytes.Index(body, []byte(name))+len(name):]
	p.since = string(rest[:bytes.IndexByte(rest, '"')])
	return bytes.Contains(body, what)
}

// BenchmarkPolls sends a message to 99 members who poll over HTTP, and waits until each has it.
func BenchmarkPolls(b *testing.B) {
	ts := newServer(b)
	people, room := crowd(b, ts, 100)
	var got sync.WaitGroup
	var all []net.Conn
	for _, c := range people[1:] {
		conn, err := net.Dial("tcp", strings.TrimPrefix(ts.base, "http://"))
		must(b, err)
		all = append(all, conn)
		first, err := c.Sync(b.Context(), wire.SyncOptions{})
		must(b, err)
		p := &poller{b: b, conn: conn, in: bufio.NewReader(conn), token: c.Token, since: first.NextBatch}
		go func() {
			for p.since != "" {
				if p.poll([]byte(`"hello"`)) {
					got.Done()
				}
			}
		}()
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		got.Add(len(all))
		n++
		_, err := people[0].SendText(b.Context(), room, fmt.Sprint(n), "hello")
		must(b, err)
		got.Wait()
	}
	for _, conn := range all {
		conn.Close()
	}
}
