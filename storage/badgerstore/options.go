package badgerstore

import (
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Options set a store up. The zero value is right for a small board.
type Options struct {
	// GroupDelay is how long a group waits for more batches after its first; at most 10 ms. 0 does not wait: what
	// arrives during a sync makes the next group.
	GroupDelay time.Duration

	// MemTable is how many bytes of changes are kept in memory before they are written as a table: 8 to 64 MiB,
	// 8 MiB if 0. Under load up to three such tables are in memory.
	MemTable int64

	// ScrubAtOpen is how many bytes of tables Open checks before it returns; the rest is checked in the
	// background, or when it is first read. 64 MiB if 0, nothing if negative.
	ScrubAtOpen int64

	// SessionLife is how long a session that sends nothing is remembered; 30 days if 0.
	SessionLife time.Duration

	// Sync makes what was written to a file durable; fdatasync if nil. Benchmarks set it to imitate slow disks.
	Sync func(*os.File) error

	// Free returns the bytes that may still be written below a folder; statfs if nil.
	Free func(dir string) (int64, error)

	// Now is the clock, for the age of sessions and the measure of commits; time.Now if nil.
	Now func() time.Time

	// Logger gets what the engine reports; nothing of what is stored. Discarded if nil.
	Logger *slog.Logger
}

const (
	minMemTable = 8 << 20
	maxMemTable = 64 << 20
	maxDelay    = 10 * time.Millisecond
)

func (o Options) withDefaults() Options {
	o.GroupDelay = min(max(o.GroupDelay, 0), maxDelay)
	o.MemTable = min(max(o.MemTable, minMemTable), maxMemTable)
	if o.ScrubAtOpen == 0 {
		o.ScrubAtOpen = 64 << 20
	}
	if o.SessionLife <= 0 {
		o.SessionLife = 30 * 24 * time.Hour
	}
	if o.Sync == nil {
		o.Sync = fdatasync
	}
	if o.Free == nil {
		o.Free = freeBytes
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func fdatasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, os.NewSyscallError("statfs", err)
	}
	return int64(s.Bavail) * s.Bsize, nil
}
