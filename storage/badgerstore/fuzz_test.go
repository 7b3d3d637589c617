package badgerstore

import (
	"bytes"
	"testing"
	"time"

	"hearth/storage/blob"
)

func FuzzRecord(f *testing.F) {
	buf := make([]byte, 1024)
	sealRecord(buf, 1, 2, 3, 100)
	f.Add(buf)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := openRecord(data, 1, 2)
		if err != nil {
			return
		}
		again := make([]byte, r.size)
		copy(again[recordHeader:], r.ops)
		sealRecord(again, 1, 2, r.seq, len(r.ops))
		if !bytes.Equal(again[recordHeader:recordHeader+len(r.ops)], r.ops) {
			t.Fatal("a record is not as it was sealed")
		}
	})
}

// FuzzLog looks for bytes that make reading a segment fail otherwise than by an error, or read beyond them.
func FuzzLog(f *testing.F) {
	buf := make([]byte, 2048)
	sealRecord(buf[:512], 1, 2, 3, 100)
	sealRecord(buf[512:1536], 1, 2, 4, 600)
	f.Add(buf)
	f.Fuzz(func(t *testing.T, data []byte) {
		next := uint64(0)
		s, err := scanSegment("log", data, 2, 1, func(r record) error {
			if next != 0 && r.seq != next {
				t.Fatalf("group %d after %d", r.seq, next-1)
			}
			next = r.seq + 1
			return eachOp(r.ops, func(key, value []byte) error { return nil })
		})
		if err == nil && int(s.end) > len(data) {
			t.Fatalf("ends at %d of %d", s.end, len(data))
		}
	})
}

func FuzzOps(f *testing.F) {
	f.Add(appendOp(appendOp(nil, []byte("k"), nil), []byte("l"), []byte("xy")))
	f.Fuzz(func(t *testing.T, data []byte) {
		var again []byte
		err := eachOp(data, func(key, value []byte) error {
			again = appendOp(again, key, value)
			return nil
		})
		if err == nil && len(again) > len(data) {
			t.Fatalf("%d bytes of operations became %d", len(data), len(again))
		}
	})
}

func FuzzValue(f *testing.F) {
	key := appendRowKey(nil, "n", "t", []byte("k"))
	f.Add([]byte("\x00\x00\x00\x00\x00data"))
	f.Add([]byte("\x00\x00\x00\x00\x01data"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		for _, key := range [][]byte{key, appendBlobKey(nil, "n", blob.Hash{})} {
			data, err := unseal(key, stored, func() ([]byte, error) { return []byte("tail"), nil })
			if err == nil && len(data) > len(stored)+4 {
				t.Fatal("more data than was stored")
			}
		}
	})
}

func FuzzCommit(f *testing.F) {
	f.Add(appendCommit(nil, &blob.Commit{Seq: 3, Time: time.UnixMilli(5), Message: "m"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := readCommit(data)
		if err != nil {
			return
		}
		if again, err := readCommit(appendCommit(nil, &c)); err != nil || again != c {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
	})
}

func FuzzSession(f *testing.F) {
	s := &session{}
	for seq := range uint64(9) {
		s.note(seq+1, map[bool]string{true: "root"}[seq%3 == 0], time.Time{})
	}
	s.note(20, "", time.Time{})
	f.Add(s.append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := readSession(data)
		if err != nil {
			return
		}
		if len(s.failed) > blob.ResendWindow {
			t.Fatalf("%d batches remembered", len(s.failed))
		}
		s.note(s.last+1, "", time.Time{})
		if _, err := readSession(s.append(nil)); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzMark(f *testing.F) {
	f.Add((&mark{count: 1, salt: 2, segment: 3, base: 4, high: 5, clean: true, made: true, size: 6, sum: 7}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeMark(data)
		if err != nil {
			return
		}
		if again, err := decodeMark(m.encode()); err != nil || again != m {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte("Bdgr\x00\x00\x00\x08"))
	f.Add([]byte("Bdgr\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) { _, _ = checkManifest(data) })
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = new(tableChecker).readIndex(bytes.NewReader(data), int64(len(data)))
		_ = checkBlock(data)
	})
}

func FuzzDescribe(f *testing.F) {
	f.Add(appendHistoryKey(nil, "n", "root", 7))
	f.Fuzz(func(t *testing.T, key []byte) {
		if what, _ := describe(key); what == "" {
			t.Fatal("nothing is described")
		}
	})
}
