package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// rawDial connects and says Hello.
func rawDial(tb testing.TB, path string, session [16]byte) (net.Conn, *frameReader) {
	tb.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	write(tb, conn, appendHello(nil, hello{version, session, "test"}))
	in := newFrameReader(conn)
	if h, p := readFrame(tb, in); h.typ != typeDone || h.id != 0 || string(p) != "\x00\x01" {
		tb.Fatalf("the answer to Hello is %+v %x", h, p)
	}
	return conn, in
}

func write(tb testing.TB, conn net.Conn, p []byte) {
	tb.Helper()
	if _, err := conn.Write(p); err != nil {
		tb.Fatal(err)
	}
}

func readFrame(tb testing.TB, in *frameReader) (header, []byte) {
	tb.Helper()
	h, err := in.next()
	if err != nil {
		tb.Fatal(err)
	}
	p, _, err := in.payload(h.size)
	if err != nil {
		tb.Fatal(err)
	}
	return h, p
}

func frame(typ byte, id uint32, payload ...byte) []byte {
	b, at := beginFrame(nil, typ, id)
	return endFrame(append(b, payload...), at)
}

func applyFrame(id uint32, bid blob.BatchID, key, value string) []byte {
	var b blob.Batch
	b.Set("t", []byte(key), []byte(value))
	return (&call{typ: typeApply, id: id, batch: &b, batchID: bid}).append(nil)
}

func TestMalformedRequestsEndTheConnection(t *testing.T) {
	path := tempSocket(t)
	serveAt(t, path, blobtest.NewMemory())
	huge := func(typ byte, n uint32) []byte {
		return append(binary.BigEndian.AppendUint32(nil, n), typ, 0, 0, 0, 1)
	}
	for name, request := range map[string][]byte{
		"unknown type":          frame(0x33, 1),
		"type of an answer":     frame(typeDone, 1),
		"second hello":          appendHello(nil, hello{version: version, namespace: "test"}),
		"length too small":      huge(typeStats, 4),
		"length too large":      huge(typeApply, maxApply+6),
		"length of all ones":    huge(typeApply, 1<<32-1),
		"large small request":   huge(typeRoot, maxSmall+6),
		"get of too many":       frame(typeGet, 1, 0xff, 0xff),
		"get cut short":         frame(typeGet, 1, 0, 1, 1, 2, 3),
		"get without count":     frame(typeGet, 1, 0),
		"get with a rest":       frame(typeGet, 1, 0, 0, 9),
		"rows of too many":      frame(typeRows, 1, 0xff, 0xff, 0, 0, 0),
		"rows cut short":        frame(typeRows, 1, 0, 1, 1, 't', 0, 5, 'k'),
		"root without payload":  frame(typeRoot, 1),
		"history cut short":     frame(typeHistory, 1, 1, 'r', 0, 0),
		"scan with odd flags":   frame(typeScan, 1, append([]byte{0x80}, make([]byte, 13)...)...),
		"scan of minus one":     frame(typeScan, 1, append(bytes.Repeat([]byte{0xff}, 9), make([]byte, 5)...)...),
		"verify with a payload": frame(typeVerify, 1, 1),
		"credit without number": frame(typeCredit, 1),
		"batch cut short":       frame(typeApply, 1, 1, 2, 3),
		"batch of many blobs":   frame(typeApply, 1, append(make([]byte, 24), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0)...),
		"batch of many rows":    frame(typeApply, 1, append(make([]byte, 24), 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0)...),
		"blob of four GiB":      frame(typeApply, 1, append(make([]byte, 24), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)...),
	} {
		conn, in := rawDial(t, path, [16]byte{})
		write(t, conn, request)
		h, p := readFrame(t, in)
		e, ok := parseError(p)
		if h.typ != typeError || h.id != 0 || !ok || e.Kind != blob.Invalid || !strings.Contains(e.Error(), "malformed") {
			t.Errorf("%s: got %+v, %v", name, h, e)
		}
		if _, err := in.next(); err != io.EOF {
			t.Errorf("%s: the connection goes on: %v", name, err)
		}
	}
}

func TestMalformedHellos(t *testing.T) {
	path := tempSocket(t)
	serveAt(t, path, blobtest.NewMemory())
	for name, c := range map[string]struct {
		frame []byte
		kind  blob.Kind
		text  string
	}{
		"other version":   {appendHello(nil, hello{version: 2, namespace: "test"}), blob.Invalid, "protocol version 2, this storage speaks 1"},
		"other magic":     {frame(typeHello, 0, []byte("GET / HTTP/1.1")...), blob.Invalid, "malformed"},
		"no hello":        {frame(typeStats, 1), blob.Invalid, "want a Hello"},
		"id":              {append([]byte{0, 0, 0, 5, typeHello, 0, 0, 0}, 1), blob.Invalid, "want a Hello"},
		"other namespace": {appendHello(nil, hello{version: version, namespace: "other"}), blob.Denied, "may not open"},
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, conn, c.frame)
		in := newFrameReader(conn)
		h, p := readFrame(t, in)
		e, ok := parseError(p)
		if h.typ != typeError || h.id != 0 || !ok || e.Kind != c.kind || !strings.Contains(e.Error(), c.text) {
			t.Errorf("%s: got %+v, %v", name, h, e)
		}
		if _, err := in.next(); err != io.EOF {
			t.Errorf("%s: the connection goes on: %v", name, err)
		}
		conn.Close()
	}
}

func TestLongRequestsAreLimited(t *testing.T) {
	path := tempSocket(t)
	store := &endless{Store: blobtest.NewMemory(), ended: make(chan struct{}, maxLong)}
	serveAt(t, path, store)
	conn, in := rawDial(t, path, [16]byte{})
	scan := appendScan(nil, blob.Range{Table: "t"})
	for id := range uint32(maxLong) {
		write(t, conn, frame(typeScan, id+1, scan...))
	}
	write(t, conn, frame(typeStats, 1000))
	next := func() (header, []byte) {
		for {
			if h, p := readFrame(t, in); h.typ != typeMore {
				return h, p
			}
		}
	}
	h, p := next()
	if e, _ := parseError(p); h.id != 1000 || h.typ != typeError || e.Kind != blob.TooLarge {
		t.Fatalf("got %+v, %v", h, e)
	}
	write(t, conn, frame(typeCancel, 7))
	h, p = next()
	if e, _ := parseError(p); h.id != 7 || h.typ != typeError || e.Kind != blob.Canceled {
		t.Fatalf("got %+v, %v", h, e)
	}
	write(t, conn, frame(typeStats, 1000))
	if h, _ = next(); h.id != 1000 || h.typ != typeDone {
		t.Fatalf("got %+v", h)
	}
	write(t, conn, frame(typeScan, 8, scan...)) // an id that is in use
	if h, _ = next(); h.id != 0 || h.typ != typeError {
		t.Fatalf("got %+v", h)
	}
}

// fakeServer welcomes each connection, and answers its first request with what answer makes of the request's id.
func fakeServer(tb testing.TB, answer func(id uint32) []byte) string {
	path := tempSocket(tb)
	l, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := newFrameReader(conn)
				for range 2 {
					h, err := in.next()
					if err == nil {
						_, _, err = in.payload(h.size)
					}
					if err != nil {
						return
					}
					if h.typ == typeHello {
						conn.Write(frame(typeDone, 0, 0, version))
					} else {
						conn.Write(answer(h.id))
					}
				}
			}()
		}
	}()
	return path
}

func TestMalformedAnswersFailTheCall(t *testing.T) {
	ctx := t.Context()
	get := func(c *Client) error { _, err := c.Get(ctx, blob.Hash{1}, blob.Hash{2}); return err }
	root := func(c *Client) error { _, _, err := c.Root(ctx, "r"); return err }
	scan := func(c *Client) error {
		for _, err := range c.Scan(ctx, blob.Range{Table: "t"}) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	for name, c := range map[string]struct {
		call   func(*Client) error
		answer func(id uint32) []byte
	}{
		"too few values":   {get, func(id uint32) []byte { return frame(typeDone, id, 0, 0, 0, 0) }},
		"too many values":  {get, func(id uint32) []byte { return frame(typeDone, id, make([]byte, 12)...) }},
		"value cut short":  {get, func(id uint32) []byte { return frame(typeMore, id, 0, 0, 0, 9) }},
		"type of request":  {get, func(id uint32) []byte { return frame(typeGet, id, 0, 0) }},
		"error cut short":  {get, func(id uint32) []byte { return frame(typeError, id, 1) }},
		"unknown kind":     {get, func(id uint32) []byte { return frame(typeError, id, 99, 0, 0, 0, 0) }},
		"commit cut short": {root, func(id uint32) []byte { return frame(typeDone, id, 1, 2, 3) }},
		"history":          {func(c *Client) error { _, err := c.History(ctx, "r", 1); return err }, func(id uint32) []byte { return frame(typeDone, id, 1) }},
		"names":            {func(c *Client) error { _, err := c.RootNames(ctx, ""); return err }, func(id uint32) []byte { return frame(typeDone, id, 9) }},
		"stats":            {func(c *Client) error { _, err := c.Stats(ctx); return err }, func(id uint32) []byte { return frame(typeDone, id) }},
		"verify":           {func(c *Client) error { _, err := c.Verify(ctx, func(blob.Damage) {}); return err }, func(id uint32) []byte { return frame(typeDone, id) }},
		"damage":           {func(c *Client) error { _, err := c.Verify(ctx, func(blob.Damage) {}); return err }, func(id uint32) []byte { return frame(typeMore, id, 9) }},
		"row cut short":    {scan, func(id uint32) []byte { return frame(typeMore, id, 0, 1, 'k', 0, 0, 0, 9) }},
		"last row short":   {scan, func(id uint32) []byte { return frame(typeDone, id, 0, 1, 'k', 0, 0, 0, 9) }},
	} {
		client := dial(t, fakeServer(t, c.answer))
		if err := c.call(client); blob.KindOf(err) != blob.Internal {
			t.Errorf("%s: got %v", name, err)
		}
		client.Close()
	}
}

func TestServerThatSendsWithoutCredit(t *testing.T) {
	part := frame(typeMore, 1, appendRow(nil, &blob.Row{Key: []byte("k"), Value: make([]byte, partSize)})...)
	c := dial(t, fakeServer(t, func(id uint32) []byte {
		if id == 1 {
			return bytes.Repeat(part, 1000)
		}
		return frame(typeError, id, byte(blob.Full), 0, 0, 0, 0)
	}))
	var last error
	for _, err := range c.Scan(t.Context(), blob.Range{Table: "t"}) {
		if last = err; err == nil {
			// This one is answered on another connection, once the client has had enough of the first.
			if _, err := c.Get(t.Context(), blob.Hash{1}); blob.KindOf(err) != blob.Full {
				t.Fatalf("got %v", err)
			}
		}
	}
	if blob.KindOf(last) != blob.Internal {
		t.Fatalf("got %v", last)
	}
}

func TestBatchesTakeTheRoomTheyMay(t *testing.T) {
	var b blob.Batch
	for i := range blob.MaxBatch / (64 + 4) { // of all operations these grow most
		b.Roots = append(b.Roots, blob.RootEdit{Name: fmt.Sprintf("%04x", i)})
	}
	if err := b.Check(); err != nil {
		t.Fatal(err)
	}
	p := appendBatch(nil, &b, blob.BatchID{})
	if len(p) > maxApply {
		t.Fatalf("the largest batch takes %d bytes", len(p))
	}
	var back blob.Batch
	if !parseBatch(p, &back, names{}) || len(back.Roots) != len(b.Roots) {
		t.Fatal("it does not come back")
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	for kind := blob.Internal; kind <= blob.Canceled; kind++ {
		sent := &blob.Error{Kind: kind, Op: "doing this", Err: errors.New("for that")}
		got, ok := parseError(appendError(nil, fmt.Errorf("around: %w", sent), ""))
		if !ok || got.Error() != sent.Error() || got.Kind != kind {
			t.Errorf("got %v", got)
		}
	}
	got, ok := parseError(appendError(nil, io.ErrUnexpectedEOF, "serving request"))
	if !ok || got.Kind != blob.Internal || got.Op != "serving request" {
		t.Errorf("got %v", got)
	}
	if got, ok := parseError(appendError(nil, blob.Errorf(blob.Full, strings.Repeat("o", 1<<20), "%s", strings.Repeat("x", 1<<20)), "")); !ok || got.Kind != blob.Full {
		t.Errorf("got %v", got)
	}
}
