package socket

import (
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// exampleLines returns the frames of the package comment's example, each after its direction.
func exampleLines(t testing.TB) (directions []byte, frames [][]byte) {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, "//\t")
		if !ok || rest[0] != '>' && rest[0] != '<' {
			continue
		}
		frame, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(rest[1:]), " ", ""))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		directions, frames = append(directions, rest[0]), append(frames, frame)
	}
	return directions, frames
}

// The example of the package comment, played against the server byte by byte.
func TestExample(t *testing.T) {
	path := tempSocket(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	opts := ServerOptions{Namespaces: map[string][]uint32{"demo": {uint32(os.Getuid())}}}
	serveOn(t, l, blobtest.NewMemory(), opts)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	directions, frames := exampleLines(t)
	if len(frames) != 12 {
		t.Fatalf("%d frames in the example", len(frames))
	}
	for i, frame := range frames {
		if directions[i] == '>' {
			if _, err := conn.Write(frame); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got := make([]byte, len(frame))
		if _, err := io.ReadFull(conn, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, frame) {
			t.Fatalf("frame %d is\n%x, the example says\n%x", i, got, frame)
		}
	}
}

// The client writes what the example says.
func TestExampleFromClient(t *testing.T) {
	_, frames := exampleLines(t)
	session := [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	var batch blob.Batch
	h := batch.Put([]byte("hi"))
	batch.Set("t", []byte("k"), []byte("v"))
	for i, got := range [][]byte{
		appendHello(nil, hello{version, session, "demo"}),
		(&call{typ: typeApply, id: 1, batch: &batch, batchID: blob.BatchID{Session: session, Seq: 1}}).append(nil),
		(&call{typ: typeGet, id: 2, hashes: []blob.Hash{h}}).append(nil),
		(&call{typ: typeRows, id: 3, keys: []blob.RowKey{{Table: "t", Key: []byte("k")}, {Table: "t", Key: []byte("x")}}}).append(nil),
		(&call{typ: typeScan, id: 4, body: appendScan(nil, blob.Range{Table: "t"})}).append(nil),
	} {
		if !bytes.Equal(got, frames[2*i]) {
			t.Errorf("request %d is\n%x, the example says\n%x", i, got, frames[2*i])
		}
	}
}
