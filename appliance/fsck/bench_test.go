package fsck_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"hearth/appliance/fsck"
)

// BenchmarkCheck checks 64 GiB with 100,000 files in 1,000 directories, which are made by mke2fs.
func BenchmarkCheck(b *testing.B) {
	folder := b.TempDir()
	for i := range 1000 {
		name := filepath.Join(folder, fmt.Sprintf("directory %d", i))
		if err := os.Mkdir(name, 0o755); err != nil {
			b.Fatal(err)
		}
		for j := range 100 {
			if err := os.WriteFile(filepath.Join(name, fmt.Sprintf("%06d.sst", j)), []byte("content"), 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	file := filepath.Join(b.TempDir(), "large")
	must(b, "", "mke2fs", "-q", "-t", "ext4", "-b", "4096", "-I", "256", "-i", "65536", "-O", "metadata_csum,64bit,^orphan_file", "-d", folder, file, "64G")
	f, err := os.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	counted := &counting{f: f}
	b.ReportAllocs()
	for b.Loop() {
		r, err := fsck.Check(counted, 64<<30)
		if err != nil || !r.Sound() || r.Inodes < 101000 {
			b.Fatalf("%v, %v", r, err)
		}
	}
	b.ReportMetric(float64(counted.bytes)/float64(b.N)/mib, "MiB-read/op")
	b.ReportMetric(float64(counted.reads)/float64(b.N), "reads/op")
}

// counting counts what is read.
type counting struct {
	f            *os.File
	bytes, reads int64
}

func (c *counting) ReadAt(b []byte, at int64) (int, error) {
	c.bytes += int64(len(b))
	c.reads++
	return c.f.ReadAt(b, at)
}
