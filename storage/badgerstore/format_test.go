package badgerstore

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"hearth/storage/blob"
)

// The examples of the package comment.
const (
	exampleRecord = "686c6731 191f5df1 0000000000000009 0000000000000001 0000000000000007 00000008 00000200" +
		"01 6b 00  01 6c 03 7879"
	exampleKey   = "72 6e00 7400 61"
	exampleValue = "66c650c2 00 76"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestExamplesOfPackageComment(t *testing.T) {
	ops := appendOp(appendOp(nil, []byte("k"), nil), []byte("l"), []byte("xy"))
	buf := make([]byte, 512)
	copy(buf[recordHeader:], ops)
	sealRecord(buf, 9, 1, 7, len(ops))
	want := unhex(t, exampleRecord)
	if !bytes.HasPrefix(buf, want) || !bytes.Equal(buf[len(want):], make([]byte, 512-len(want))) {
		t.Errorf("record is %x", buf[:len(want)])
	}
	key := appendRowKey(nil, "n", "t", []byte("a"))
	if !bytes.Equal(key, unhex(t, exampleKey)) {
		t.Errorf("key is %x", key)
	}
	err := eachOp(appendSealed(nil, key, []byte("v")), func(k, v []byte) error {
		if !bytes.Equal(k, key) || !bytes.Equal(v, unhex(t, exampleValue)) {
			t.Errorf("value is %x", v)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(string(doc), "\n//", ""), "\t", ""), " ", "")
	for _, example := range []string{exampleRecord, "key" + exampleKey + ",value" + exampleValue} {
		if !strings.Contains(text, strings.ReplaceAll(example, " ", "")) {
			t.Errorf("the package comment does not have %s", example)
		}
	}
}

func TestRecordDetectsEveryFlip(t *testing.T) {
	buf := make([]byte, 512)
	copy(buf[recordHeader:], "operations")
	sealRecord(buf, 1, 2, 3, 10)
	for i := range len(buf) * 8 {
		buf[i/8] ^= 1 << (i % 8)
		if r, err := openRecord(buf, 1, 2); err == nil {
			t.Fatalf("bit %d is not noticed: %+v", i, r)
		}
		buf[i/8] ^= 1 << (i % 8)
	}
	if _, err := openRecord(buf, 1, 2); err != nil {
		t.Fatal(err)
	}
}

func TestValueDetectsEveryFlip(t *testing.T) {
	for _, key := range [][]byte{appendRowKey(nil, "n", "t", []byte("k")), appendBlobKey(nil, "n", blob.Sum([]byte("data")))} {
		var stored []byte
		err := eachOp(appendSealed(nil, key, []byte("data")), func(_, v []byte) error {
			stored = v
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		noTail := func() ([]byte, error) { return nil, errShape }
		for i := range len(stored) * 8 {
			stored[i/8] ^= 1 << (i % 8)
			if data, err := unseal(key, stored, noTail); err == nil {
				t.Fatalf("bit %d is not noticed: %q", i, data)
			}
			stored[i/8] ^= 1 << (i % 8)
		}
		if data, err := unseal(key, stored, noTail); err != nil || string(data) != "data" {
			t.Fatalf("read %q, %v", data, err)
		}
		key[1] ^= 1 // the same value under another key
		if key[0] == kindRow {
			if _, err := unseal(key, stored, noTail); err == nil {
				t.Fatal("a value under another key is not noticed")
			}
		}
	}
}

func TestMarkSlots(t *testing.T) {
	dir := t.TempDir()
	m, damage, err := openMark(dir, 77)
	if err != nil || len(damage) > 0 {
		t.Fatal(err, damage)
	}
	for high := range uint64(9) {
		m.mark.high = high
		if err := m.write(); err != nil {
			t.Fatal(err)
		}
		again, damage, err := openMark(dir, 1)
		if err != nil || len(damage) > 0 || again.mark != m.mark {
			t.Fatalf("read %+v, %q, %v, want %+v", again.mark, damage, err, m.mark)
		}
		again.f.Close()
	}
	// Any flip is noticed; the other slot then holds.
	for i := range 2 * markSlot * 8 {
		flip(t, m.f, i)
		again, damage, err := openMark(dir, 1)
		if err != nil || len(damage) != 1 || again.mark.salt != 77 || again.mark.high < 7 {
			t.Fatalf("bit %d: %+v, %q, %v", i, again, damage, err)
		}
		again.f.Close()
		flip(t, m.f, i)
	}
	m.f.Close()
}

// flip changes one bit of a file.
func flip(t testing.TB, f *os.File, bit int) {
	t.Helper()
	var b [1]byte
	if _, err := f.ReadAt(b[:], int64(bit/8)); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (bit % 8)
	if _, err := f.WriteAt(b[:], int64(bit/8)); err != nil {
		t.Fatal(err)
	}
}

func TestSessionRemembers(t *testing.T) {
	now := time.Unix(86400*20000, 0)
	s := &session{}
	want := map[uint64]string{} // root, "" if applied
	for seq := uint64(1); seq < 3000; seq += 1 + seq%3%2 {
		root := ""
		if seq%5 == 0 {
			root = "root"
		}
		s.note(seq, root, now)
		want[seq] = root
		if seq%100 != 0 {
			continue
		}
		read, err := readSession(s.append(nil))
		if err != nil {
			t.Fatal(err)
		}
		for n := windowStart(s.last); n <= s.last+3; n++ {
			for _, s := range []*session{s, read} {
				answer, known := s.answer(n)
				root, sent := want[n]
				if known != sent || (answer != nil) != (root != "") {
					t.Fatalf("after %d, number %d is answered %v, %v", seq, n, answer, known)
				}
			}
		}
		if read.day != 20000 {
			t.Fatalf("day %d", read.day)
		}
	}
}

func TestCommitRoundTrip(t *testing.T) {
	for _, c := range []blob.Commit{
		{}, {Hash: blob.Sum(nil), Parent: blob.Sum([]byte("x")), Seq: 1 << 40, Time: time.UnixMilli(-5).UTC(), Message: "m"},
	} {
		c.Time = time.UnixMilli(c.Time.UnixMilli()).UTC()
		got, err := readCommit(appendCommit(nil, &c))
		if err != nil || got != c {
			t.Errorf("read %+v, %v, want %+v", got, err, c)
		}
	}
}
