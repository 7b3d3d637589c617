package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"hearth/appliance/box"
	"hearth/appliance/gpt"
)

// prepare does what a line of a script says that begins with %:
//
//	file NAME SIZE [TEXT]   makes a file of so many bytes, which TEXT begins
//	image NAME              makes an image that can be flashed, and not booted: 8 MiB with an empty boot partition
//	same A B                sees that two files hold the same
//	box                     turns on a box of version 1.0 at $BOX, and makes the bundles 1.1, 1.2, which cannot send a message, and old
//	source                  goes to the folder of this module's source
func prepare(t *testing.T, words []string, source string) {
	t.Helper()
	switch words[0] {
	case "file":
		size, err := strconv.Atoi(words[2])
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, size)
		copy(data, strings.Join(words[3:], " "))
		writeTestFile(t, words[1], data)
	case "box":
		prepareBox(t)
	case "image":
		emptyImage(t, words[1])
	case "same":
		a, b := readTestFile(t, words[1]), readTestFile(t, words[2])
		if a != b {
			t.Errorf("%s and %s differ: they have %d and %d bytes", words[1], words[2], len(a), len(b))
		}
	case "source":
		t.Chdir(source)
	default:
		t.Fatalf("there is no preparation %q", words[0])
	}
}

func writeTestFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readTestFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func emptyImage(t *testing.T, name string) {
	t.Helper()
	table := gpt.Table{ID: gpt.MustParseGUID("00000000-1111-2222-3333-444444444444"), Partitions: []gpt.Partition{{
		Type: gpt.MustParseGUID(gpt.TypeEFISystem), ID: gpt.MustParseGUID("00000000-1111-2222-3333-000000000001"), Name: box.BootPartition, Size: 6 << 20,
	}}}
	table.Size = gpt.Arrange(table.Partitions)
	writeTestFile(t, name, make([]byte, table.Size))
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := table.Write(f); err != nil {
		t.Fatal(err)
	}
}
