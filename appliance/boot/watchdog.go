package boot

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The times of the watchdog. A Raspberry Pi's counts 15 seconds at most.
const (
	bite = 15 // seconds after the last feeding at which the hardware starts the machine anew
	feed = 5 * time.Second
)

// Watchdog is the hardware that starts the machine anew if it is not fed.
type Watchdog struct{ file *os.File }

// OpenWatchdog starts the watchdog; from now on it must be fed. The error is os.ErrNotExist if the machine has none.
func OpenWatchdog(device string) (*Watchdog, error) {
	file, err := os.OpenFile(device, os.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the watchdog: %w", err)
	}
	w := &Watchdog{file}
	if err := unix.IoctlSetPointerInt(int(file.Fd()), unix.WDIOC_SETTIMEOUT, bite); err != nil {
		w.Feed() // it has its own time, which is what there is
	}
	return w, nil
}

// Feed feeds it once.
func (w *Watchdog) Feed() error {
	_, err := w.file.Write([]byte{0})
	return err
}

// Keep feeds it while fit says so, until ctx ends.
func (w *Watchdog) Keep(ctx context.Context, fit func() bool) {
	tick := time.NewTicker(feed)
	defer tick.Stop()
	for {
		if fit() {
			w.Feed() // if that fails the machine starts anew, as it should
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
