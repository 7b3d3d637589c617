package flash

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth/appliance/box"
	"hearth/appliance/gpt"
)

const mib = 1 << 20

// anImage is one of 8 MiB, of which 2 are not zero.
func anImage(t *testing.T) *os.File {
	t.Helper()
	table := gpt.Table{ID: gpt.MustParseGUID("00000000-1111-2222-3333-444444444444"), Partitions: []gpt.Partition{{
		Type: gpt.MustParseGUID(gpt.TypeEFISystem), ID: gpt.MustParseGUID("00000000-1111-2222-3333-000000000001"), Name: box.BootPartition, Size: 6 * mib,
	}}}
	table.Size = gpt.Arrange(table.Partitions)
	f := newFile(t, "image")
	if err := f.Truncate(table.Size); err != nil {
		t.Fatal(err)
	}
	if err := table.Write(f); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("kernel"), 3*mib+7); err != nil {
		t.Fatal(err)
	}
	return f
}

func newFile(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func nothing(int64) {}

func TestWrite(t *testing.T) {
	image := anImage(t)
	for name, before := range map[string]int{"empty": 0, "shorter": 4 * mib, "longer, full of something": 20 * mib} {
		t.Run(name, func(t *testing.T) {
			target := newFile(t, "disk")
			if _, err := target.Write(bytes.Repeat([]byte{0xa5}, before)); err != nil {
				t.Fatal(err)
			}
			var written, verified int64
			result, err := Write(t.Context(), image, Disk{Path: target.Name()}, func(n int64) { written = n }, func(n int64) { verified = n })
			if err != nil {
				t.Fatal(err)
			}
			if written != 8*mib || verified != 8*mib || result.Size != 8*mib {
				t.Errorf("reported %d and %d, %+v", written, verified, result)
			}
			if before == 0 && result.Written != 3*mib {
				t.Errorf("%d bytes were written, want the 3 MiB that are not zero", result.Written)
			}
			same(t, image, target)
		})
	}
}

func same(t *testing.T, a, b *os.File) {
	t.Helper()
	want, err := os.ReadFile(a.Name())
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(b.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes are not the image's %d", len(got), len(want))
	}
}

// TestOldTableIsCleared checks a disk that is larger than the image and had a partition table: its copy at the end goes.
func TestOldTableIsCleared(t *testing.T) {
	f := newFile(t, "disk")
	const size = 20 * mib
	if _, err := f.Write(bytes.Repeat([]byte{0xa5}, size)); err != nil {
		t.Fatal(err)
	}
	if err := finish(f, Disk{Path: f.Name(), Device: true, Size: size}, 8*mib); err != nil {
		t.Fatal(err)
	}
	end := make([]byte, tableSize+1)
	if _, err := f.ReadAt(end, size-tableSize-1); err != nil {
		t.Fatal(err)
	}
	if end[0] != 0xa5 || len(bytes.Trim(end[1:], "\x00")) != 0 {
		t.Errorf("the end of the disk is %x...", end[:8])
	}
}

func TestWhatIsReadBackMustBeTheImage(t *testing.T) {
	image, target := anImage(t), newFile(t, "disk")
	text, err := io.ReadAll(image)
	if err != nil {
		t.Fatal(err)
	}
	text[5*mib+3]++
	if _, err := target.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := verify(t.Context(), image, target, 8*mib, nothing); err == nil || !strings.HasPrefix(err.Error(), "the byte at 5242883 is not what was written") {
		t.Errorf("got %v", err)
	}
}

func TestImagesThatAreRefused(t *testing.T) {
	short := anImage(t)
	if err := short.Truncate(7 * mib); err != nil {
		t.Fatal(err)
	}
	long := anImage(t)
	if err := long.Truncate(9 * mib); err != nil {
		t.Fatal(err)
	}
	for name, image := range map[string]*os.File{"cut short": short, "with something behind it": long, "empty": newFile(t, "empty")} {
		if _, err := Write(t.Context(), image, Disk{Path: filepath.Join(t.TempDir(), "disk")}, nothing, nothing); err == nil {
			t.Errorf("an image that is %s is written", name)
		}
	}
	target := newFile(t, "small")
	if _, err := Write(t.Context(), anImage(t), Disk{Path: target.Name(), Device: true, Size: 4 * mib}, nothing, nothing); err == nil ||
		err.Error() != "the image has 8 MB, and "+target.Name()+" only 4 MB" {
		t.Errorf("a disk that is too small: %v", err)
	}
}

func TestWriteCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Write(ctx, anImage(t), Disk{Path: filepath.Join(t.TempDir(), "disk")}, func(n int64) {
		if n == 2*mib {
			cancel()
		}
	}, nothing)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
