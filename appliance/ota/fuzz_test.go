package ota

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"strings"
	"testing"
)

func FuzzReadHead(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	source := func(name string) Source {
		return Source{name, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(name)), nil }}
	}
	head, err := Seal(Manifest{Version: "1", Number: 1, Board: "pc", CommandLine: SlotMark}, []Source{source(RootFile), source(KernelFile)}, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(head.raw)
	f.Add(head.raw[:50])
	f.Fuzz(func(t *testing.T, data []byte) {
		head, err := ReadHead(bytes.NewReader(data))
		if err != nil {
			return
		}
		if !bytes.HasPrefix(data, head.Bytes()) {
			t.Error("the head is not what was read")
		}
		if err := head.Manifest.check(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzParseManifest is FuzzReadHead without the signature, which a fuzzer does not get past.
func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"version":"1.1","number":11,"minimum":9,"board":"pc","command_line":"root=PARTLABEL=hearth-root-{slot}","files":[` +
		`{"name":"root","size":4,"sha256":"fed4199357214dfb94724176c68a76698dbc3c2d36317a895320207ac910dea6","chunks":"AAAABNUqip/iFAU6ihDrnGI7As8WMjzDnUsM9Zt3bQfFFnjq"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			return
		}
		for _, file := range m.Files[1:] {
			if strings.Contains(file.Name, "..") && strings.Contains(file.Name, "/..") || strings.HasPrefix(file.Name, "/") {
				t.Errorf("%q leaves the slot's folder", file.Name)
			}
		}
		if line := m.commandLine(B); strings.ContainsAny(line, "\r\n") || strings.Contains(line, SlotMark) {
			t.Errorf("the command line is %q", line)
		}
		if m.chunks() > 1<<20 {
			t.Errorf("it has %d chunks", m.chunks())
		}
	})
}

func FuzzParseTrial(f *testing.F) {
	f.Add([]byte(`{"From":"a","To":"b","FromVersion":"1","ToVersion":"2","Number":2,"Started":true,"Reason":"x","Outcome":"undone"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if trial, err := parseTrial(data); err == nil && trial.To != trial.From.Other() {
			t.Errorf("it is from %s to %s", trial.From, trial.To)
		}
	})
}

func FuzzReadConfig(f *testing.F) {
	f.Add([]byte("kernel=vmlinuz\r\nos_prefix=a/\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		boot := memory{data}
		if text, at, err := readConfig(boot); err == nil && text[at] != 'a' && text[at] != 'b' {
			t.Errorf("the letter is %q", text[at])
		}
	})
}

// memory is a Boot of one file.
type memory struct{ data []byte }

func (m memory) Open(string, int64) (File, error) { return m, nil }
func (m memory) Rename(string, string) error      { return nil }
func (m memory) Remove(string) error              { return nil }
func (m memory) List(string) ([]string, error)    { return nil, nil }
func (m memory) Sync() error                      { return nil }
func (m memory) Close() error                     { return nil }
func (m memory) Size() (int64, error)             { return int64(len(m.data)), nil }
func (m memory) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(m.data).ReadAt(p, at)
}
func (m memory) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

func FuzzSplit(f *testing.F) {
	f.Add([]byte(strings.Repeat("hearth", 50_000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var sum int
		err := split(bytes.NewReader(data), func(c Chunk) error { sum += c.Size; return nil })
		if err != nil || sum != len(data) {
			t.Errorf("the chunks of %d bytes have %d: %v", len(data), sum, err)
		}
	})
}
