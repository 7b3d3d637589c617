package badgerstore

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"hearth/storage/blob"
)

// latencies keeps how long the last commits took.
type latencies struct {
	mu   sync.Mutex // guards the rest
	last [1024]time.Duration
	n    int // of all commits
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last[l.n%len(l.last)] = d
	l.n++
}

// percentiles returns the 50th and the 99th.
func (l *latencies) percentiles() (p50, p99 time.Duration) {
	l.mu.Lock()
	sorted := slices.Clone(l.last[:min(l.n, len(l.last))])
	l.mu.Unlock()
	if len(sorted) == 0 {
		return 0, 0
	}
	slices.Sort(sorted)
	return sorted[len(sorted)/2], sorted[len(sorted)*99/100]
}

// Stats returns counters and sizes.
func (s *space) Stats(ctx context.Context) (blob.Stats, error) {
	const op = "reading statistics"
	if err := canceled(ctx, op); err != nil {
		return blob.Stats{}, err
	}
	written, err := diskWritten()
	if err != nil {
		return blob.Stats{}, err
	}
	size, err := folderSize(s.db.dir)
	if err != nil {
		return blob.Stats{}, fmt.Errorf("%s: %w", op, err)
	}
	p50, p99 := s.db.latency.percentiles()
	return blob.Stats{
		Batches:      s.batches.Load(),
		Groups:       s.db.groups.Load(),
		Reads:        s.reads.Load(),
		LogicalBytes: s.bytes.Load(),
		DiskWritten:  written - min(written, s.db.written),
		StoreSize:    size,
		CommitP50:    p50,
		CommitP99:    p99,
	}, nil
}

// diskWritten returns the bytes that this process sent to disks, as the kernel counts them: what it made dirty, without
// what it threw away before it was written.
func diskWritten() (uint64, error) {
	f, err := os.Open("/proc/self/io")
	if err != nil {
		return 0, fmt.Errorf("reading disk counters: %w", err)
	}
	defer f.Close()
	var dirty, canceled uint64
	for lines := bufio.NewScanner(f); lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "write_bytes: %d", &dirty)
		_, _ = fmt.Sscanf(lines.Text(), "cancelled_write_bytes: %d", &canceled)
	}
	return dirty - min(dirty, canceled), nil
}

// folderSize returns the bytes that the files of a folder occupy.
func folderSize(dir string) (uint64, error) {
	var sum uint64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreGone(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreGone(err)
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			sum += uint64(st.Blocks) * 512
		}
		return nil
	})
	return sum, err
}

// ignoreGone passes over files that Badger removed meanwhile.
func ignoreGone(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
