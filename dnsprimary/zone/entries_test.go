package zone

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// TestTheFormatOfEntries is the example of the package comment.
func TestTheFormatOfEntries(t *testing.T) {
	z := mustZone(t, "example.org.", "www.example.org. 3600 IN A 192.0.2.7\nwww.example.org. 3600 IN A 192.0.2.1\n")
	got := entries(z)
	key, value := bytesOf(t, "77777700 00 0001"), bytesOf(t, "00000e10 0004 c0000201 0004 c0000207")
	if len(got) != 1 || got[key] != value {
		t.Errorf("the entries are %x", got)
	}
}

func bytesOf(t *testing.T, text string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEntriesMakeTheZone(t *testing.T) {
	z := mustZone(t, "example.org.", everything)
	last := []byte(nil)
	for key := range z.Entries() {
		if last != nil && bytes.Compare(last, key) >= 0 {
			t.Errorf("%x is before %x", last, key)
		}
		last = key
	}
	again, err := Load(z.Origin(), z.Entries())
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, again, z)
}

func TestDamagedEntriesAreRefused(t *testing.T) {
	for what, entry := range map[string][2]string{
		"no end of the name":       {"777777", "00000e10 0004 c0000201"},
		"a label without end":      {"7777 00 0001", "00000e10 0004 c0000201"},
		"an empty escape":          {"01 00 00 0001", "00000e10 0004 c0000201"},
		"an unknown escape":        {"0103 00 00 0001", "00000e10 0004 c0000201"},
		"upper case":               {"57 00 00 0001", "00000e10 0004 c0000201"},
		"no records":               {"77 00 00 0001", "00000e10"},
		"a record cut short":       {"77 00 00 0001", "00000e10 0004 c00002"},
		"a record too short":       {"77 00 00 0001", "00000e10 0003 c00002"},
		"records out of order":     {"77 00 00 0001", "00000e10 0004 c0000202 0004 c0000201"},
		"a record twice":           {"77 00 00 0001", "00000e10 0004 c0000201 0004 c0000201"},
		"a type of questions":      {"77 00 00 00ff", "00000e10 0004 c0000201"},
		"a type covered without":   {"77 00 00 0001 0001", "00000e10 0004 c0000201"},
		"a name in upper case":     {"77 00 00 0002", "00000e10 0003 015700"},
		"a compressed name":        {"77 00 00 0002", "00000e10 0002 c000"},
		"a binding without target": {"77 00 00 0041", "00000e10 0001 00"},
	} {
		key, value := []byte(bytesOf(t, entry[0])), []byte(bytesOf(t, entry[1]))
		if err := New("\x04test\x00").Edit().SetEntry(key, value); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}

func FuzzEntry(f *testing.F) {
	f.Add([]byte("www\x00\x00\x00\x01"), []byte("\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x01"))
	f.Add([]byte("\x00\x00\x2e\x00\x01"), []byte("\x00\x00\x0e\x10\x00\x04\x00\x01\x02\x01"))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		e := New("\x04test\x00").Edit()
		if e.SetEntry(key, value) != nil || len(value) == 0 {
			return
		}
		for k, v := range e.Zone().Entries() {
			if !bytes.Equal(k, key) || !bytes.Equal(v, value) {
				t.Errorf("%x = %x comes back as %x = %x", key, value, k, v)
			}
		}
	})
}
