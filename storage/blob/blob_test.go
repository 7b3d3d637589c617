package blob_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hearth/storage/blob"
)

func TestSumIsBlake2b256(t *testing.T) {
	// BLAKE2b-256 of "abc", as RFC 7693's reference implementation gives it.
	const want = "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"
	if got := blob.Sum([]byte("abc")).String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseHash(t *testing.T) {
	h := blob.Sum([]byte("x"))
	if got, err := blob.ParseHash(h.String()); err != nil || got != h {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := blob.ParseHash(strings.ToUpper(h.String())); err != nil || got != h {
		t.Errorf("upper case: got %v, %v", got, err)
	}
	for _, bad := range []string{"", "00", h.String() + "00", strings.Repeat("g", 64), h.String()[:63] + " "} {
		if got, err := blob.ParseHash(bad); err == nil || !got.IsZero() {
			t.Errorf("%q: got %v, %v", bad, got, err)
		}
	}
	if !(blob.Hash{}).IsZero() || h.IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestPrefixEnd(t *testing.T) {
	for _, c := range []struct{ prefix, end string }{
		{"a", "b"}, {"ab", "ac"}, {"a\xff", "b"}, {"a\xff\xff", "b"}, {"\x00", "\x01"}, {"\xfe", "\xff"}, {"a\xfe", "a\xff"},
	} {
		if got := blob.PrefixEnd([]byte(c.prefix)); string(got) != c.end {
			t.Errorf("%q ends at %q, want %q", c.prefix, got, c.end)
		}
	}
	for _, open := range []string{"", "\xff", "\xff\xff"} {
		if got := blob.PrefixEnd([]byte(open)); got != nil {
			t.Errorf("%q ends at %q, want nowhere", open, got)
		}
	}
	prefix := []byte("ab")
	blob.PrefixEnd(prefix)
	if string(prefix) != "ab" {
		t.Error("the prefix was changed")
	}
}

func FuzzPrefixEnd(f *testing.F) {
	f.Add([]byte("a\xff"), []byte("b"))
	f.Fuzz(func(t *testing.T, prefix, key []byte) {
		r := blob.Prefix("t", prefix)
		inside := bytes.Compare(key, r.From) >= 0 && (r.To == nil || bytes.Compare(key, r.To) < 0)
		if inside != bytes.HasPrefix(key, prefix) {
			t.Errorf("key %q is inside: %v", key, inside)
		}
	})
}

func FuzzParseHash(f *testing.F) {
	f.Add(blob.Sum(nil).String())
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := blob.ParseHash(s); err == nil && h.String() != strings.ToLower(s) {
			t.Errorf("%q became %v", s, h)
		}
	})
}

func TestBatchSetKeepsEmptyValues(t *testing.T) {
	var b blob.Batch
	if !b.Empty() || b.Size() != 0 {
		t.Error("a new batch is not empty")
	}
	b.Set("t", []byte("k"), nil)
	b.Delete("t", []byte("k"))
	if b.Rows[0].Value == nil || b.Rows[1].Value != nil || b.Empty() {
		t.Errorf("rows are %+v", b.Rows)
	}
	h := b.Put([]byte("data"))
	b.Roots = append(b.Roots, blob.RootEdit{Name: "root", New: h, Message: "why"})
	if want := 4*64 + len("tk") + len("tk") + len("data") + len("root") + len("why"); b.Size() != want {
		t.Errorf("size is %d, want %d", b.Size(), want)
	}
	if err := b.Check(); err != nil {
		t.Error(err)
	}
}

func TestCheckAtTheLimits(t *testing.T) {
	var b blob.Batch
	b.Put(make([]byte, blob.MaxBlob))
	b.Set(strings.Repeat("t", blob.MaxTable), make([]byte, blob.MaxKey), make([]byte, blob.MaxValue))
	b.Set("a-z_0", []byte{0}, nil)
	b.Roots = []blob.RootEdit{{Name: strings.Repeat("\x00", blob.MaxName), Message: strings.Repeat("m", blob.MaxMessage)}}
	if err := b.Check(); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"homeserver", "a", strings.Repeat("n", blob.MaxNamespace)} {
		if err := blob.CheckNamespace(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "A", "a.b", "ä", strings.Repeat("n", blob.MaxNamespace+1)} {
		if err := blob.CheckNamespace(name); blob.KindOf(err) != blob.Invalid {
			t.Errorf("namespace %q: %v", name, err)
		}
	}
	if err := blob.CheckRange(blob.Range{Table: "t", To: make([]byte, blob.MaxKey+1)}); blob.KindOf(err) != blob.TooLarge {
		t.Errorf("long bound: %v", err)
	}
	if err := blob.CheckRange(blob.Range{Table: "t", To: make([]byte, blob.MaxKey), Limit: 1, Reverse: true}); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("cause")
	err := fmt.Errorf("outside: %w", &blob.Error{Kind: blob.Corrupt, Op: "reading row t/00", Err: cause})
	if blob.KindOf(err) != blob.Corrupt || !errors.Is(err, cause) {
		t.Errorf("kind of %v is %v", err, blob.KindOf(err))
	}
	if got, want := err.Error(), "outside: reading row t/00: corrupt: cause"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (&blob.Error{Kind: blob.Full, Op: "writing"}).Error(), "writing: disk full"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if blob.KindOf(nil) != blob.Internal || blob.KindOf(cause) != blob.Internal {
		t.Error("an error of other origin has a kind")
	}
	seen := map[string]bool{}
	for k := blob.Internal; k <= blob.Canceled; k++ {
		if name := k.String(); seen[name] || strings.HasPrefix(name, "kind ") {
			t.Errorf("kind %d is called %q", k, name)
		}
		seen[k.String()] = true
	}
	if got := blob.Kind(200).String(); got != "kind 200" {
		t.Errorf("unknown kind is called %q", got)
	}
}
