package search

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The examples of the package's comment.
func TestFormats(t *testing.T) {
	m := &manifest{pos: 300, next: 5, segments: []segment{{4, 1, 200, 9}}, dead: []dead{{spot{7, 40}, 250}}}
	want := unhex(t, "01 ac02 05 01 04 01 c801 09 07 28 fa01")
	if got := appendManifest(nil, m); !bytes.Equal(got, want) {
		t.Errorf("manifest %x, want %x", got, want)
	}
	if got, err := readManifest(want); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("manifest %+v, %v", got, err)
	}
	entries := []entry{{"tea", spot{7, 40}, 7}, {"tea", spot{7, 42}, 2}, {"tee", spot{8, 41}, 3}}
	var c chunk
	for _, e := range entries {
		c.add(e)
	}
	if want := unhex(t, "9e0a 07 00 03 746561 48 ae0a 08 02 01 65"); !bytes.Equal(c.data, want) {
		t.Errorf("chunk %x, want %x", c.data, want)
	}
	for _, want := range entries {
		r := chunkReader{data: c.data}
		for e := (entry{}); e != want; {
			var ok bool
			var err error
			if e, ok, err = r.next(); err != nil || !ok {
				t.Fatalf("%+v is not in the chunk: %v", want, err)
			}
		}
	}
	for _, bad := range []string{
		"00", "48", "9e0a 07", "9e0a 07 00 03 7465", "9e0a 07 01 03 746561", "9e0a 07 00 00", "9e0a 07 00 03 746561 08", "9f0a 07 00 03 746561",
		"9e0a 07 00 03 746561 9e0a 07 03 00", "9e0a 07 00 41" + strings.Repeat("61", 0x41),
	} {
		r := chunkReader{data: unhex(t, bad)}
		var err error
		for ok := true; ok && err == nil; {
			_, ok, err = r.next()
		}
		if err == nil {
			t.Errorf("%s was read", bad)
		}
	}
	for n := range len(want) - 3 {
		if n != 10 { // without the dead it is whole
			if _, err := readManifest(want[:n]); err == nil && n != 9 {
				t.Errorf("%d bytes of a manifest were read", n)
			}
		}
	}
}

func FuzzChunk(f *testing.F) {
	f.Add(unhex(f, "9e0a 07 00 03 746561 48 ae0a 08 02 01 65"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, c := chunkReader{data: data}, chunk{}
		for {
			e, ok, err := r.next()
			if err != nil {
				return
			}
			if !ok {
				break
			}
			c.add(e)
		}
		again := chunkReader{data: c.data}
		for n := c.count; n > 0; n-- {
			if _, ok, err := again.next(); !ok || err != nil {
				t.Fatalf("what was written cannot be read: %v", err)
			}
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add(unhex(f, "01 ac02 05 01 04 01 c801 09 07 28 fa01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := readManifest(data)
		if err != nil {
			return
		}
		if again, err := readManifest(appendManifest(nil, m)); err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}

func TestToken(t *testing.T) {
	hash := hashOf(alice, "request")
	for _, want := range []token{{7, place{3, 5}, Group{}}, {1 << 40, place{0, 1 << 39}, Group{GroupRoom, "!r:x"}}, {1, place{1, 1}, Group{GroupSender, "@a:x"}}} {
		text := want.encode(hash)
		if got, err := readToken(text, hash); err != nil || *got != want {
			t.Errorf("%+v became %+v, %v", want, got, err)
		}
		if _, err := readToken(text, hashOf(bob, "request")); err == nil {
			t.Error("a token of somebody else was taken")
		}
		for n := range len(text) {
			if got, err := readToken(text[:n], hash); err == nil && want.group.Kind == groupNone {
				t.Errorf("%q was read as %+v", text[:n], got)
			}
		}
	}
}

func FuzzToken(f *testing.F) {
	hash := hashOf(alice, "request")
	f.Add((&token{7, place{3, 5}, Group{GroupRoom, "!r:x"}}).encode(hash))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := readToken(text, hash)
		if err != nil {
			return
		}
		if again, err := readToken(got.encode(hash), hash); err != nil || *again != *got {
			t.Errorf("%+v became %+v, %v", got, again, err)
		}
	})
}
