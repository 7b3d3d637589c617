package socket

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// seeds adds the frames of the package comment's example, of one direction or both.
func seeds(f *testing.F, direction byte, add func(frame []byte)) {
	f.Helper()
	directions, frames := exampleLines(f)
	for i := range frames {
		if directions[i] == direction {
			add(frames[i])
		}
	}
}

// FuzzServer sends anything to a server after Hello: it must not fail, and end the connection when the client does.
func FuzzServer(f *testing.F) {
	var all []byte
	seeds(f, '>', func(frame []byte) {
		f.Add(frame)
		if frame[lengthSize] != typeHello {
			all = append(all, frame...)
		}
	})
	f.Add(all)
	f.Add(frame(typeCancel, 1))
	f.Add(appendCredit(nil, 1, 10))
	path := tempSocket(f)
	serveAt(f, path, blobtest.NewMemory())
	f.Fuzz(func(t *testing.T, data []byte) {
		conn, in := rawDial(t, path, [16]byte{})
		defer conn.Close()
		go func() {
			conn.Write(data)
			conn.(*net.UnixConn).CloseWrite()
		}()
		for {
			h, err := in.next()
			if err == nil {
				_, _, err = in.payload(h.size)
			}
			if err != nil {
				return
			}
		}
	})
}

// FuzzClient answers a client with anything: its calls must end.
func FuzzClient(f *testing.F) {
	var all []byte
	seeds(f, '<', func(frame []byte) {
		f.Add(frame)
		all = append(all, frame...)
	})
	f.Add(all)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		path := tempSocket(t)
		l, err := net.Listen("unix", path)
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
				conn.Write(append(frame(typeDone, 0, 0, version), data...))
				conn.(*net.UnixConn).CloseWrite()
				go func() {
					io.Copy(io.Discard, conn)
					conn.Close()
				}()
			}
		}()
		ctx := context.Background()
		c, err := Dial(ctx, path, "test", ClientOptions{Outage: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Apply(ctx, &blob.Batch{Blobs: [][]byte{{1}}})
		c.Get(ctx, blob.Hash{1}, blob.Hash{2})
		c.Root(ctx, "r")
		c.Verify(ctx, func(blob.Damage) {})
		for range c.Scan(ctx, blob.Range{Table: "t"}) {
		}
	})
}

// FuzzPayloads parses anything as each payload: what is accepted is written again as it was.
func FuzzPayloads(f *testing.F) {
	for _, d := range []byte("<>") {
		seeds(f, d, func(frame []byte) { f.Add(frame[lengthSize], frame[headerSize:]) })
	}
	f.Fuzz(func(t *testing.T, typ byte, p []byte) {
		var again []byte
		var ok bool
		switch typ {
		case typeHello:
			var h hello
			h, ok = parseHello(p)
			ok = ok && h.version == version
			if ok {
				again = appendHello(nil, h)[headerSize:]
			}
		case typeGet:
			var hashes []blob.Hash
			hashes, ok = parseGet(p, nil)
			again = appendGet(nil, hashes)
		case typeRows:
			var keys []blob.RowKey
			keys, ok = parseRows(p, nil, names{})
			again = appendRows(nil, keys)
		case typeHistory:
			var name string
			var limit int
			name, limit, ok = parseHistory(p)
			again = appendHistory(nil, name, limit)
			ok = ok && p[len(p)-4] < 0x80 // larger than any limit that matters
		case typeScan:
			var r blob.Range
			r, ok = parseScan(p)
			again = appendScan(nil, r)
			ok = ok && len(again) == len(p) // a bound that is not given may have been sent
		case typeApply:
			var b blob.Batch
			ok = parseBatch(p, &b, names{})
			again = appendBatch(nil, &b, b.ID)
		case typeError:
			var e *blob.Error
			e, ok = parseError(p)
			ok = ok && len(p) < maxText && (e.Err == nil || e.Err.Error() != "")
			again = appendError(nil, e, "")
		default:
			var list []blob.Commit
			list, ok = parseCommits(p)
			for i := range list {
				again = appendCommit(again, &list[i])
			}
		}
		if ok && !bytes.Equal(again, p) {
			t.Fatalf("type %#02x: %x was read, and is written as %x", typ, p, again)
		}
	})
}
