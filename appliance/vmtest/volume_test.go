package vmtest_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
)

// sector is what a disk writes as a whole or not at all.
const sector = 512

// volume is a disk with a volatile cache: what was written lasts once it was flushed. When power fails, each sector that was
// written since holds what it held before, or what any of those writes has put there. What lasts is in a file.
type volume struct {
	file *os.File
	size int64

	mu      sync.Mutex         // guards what follows
	deaf    bool               // flushes are answered and not heeded, as by a disk that lies
	cache   map[int64][][]byte // by sector: what was written since the last flush, the latest last
	events  int                // writes and flushes so far
	failsAt int                // the event at which power fails; 0 for never
	failed  chan struct{}      // closed when power fails
}

func openVolume(name string) (*volume, error) {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &volume{file: file, size: info.Size(), cache: make(map[int64][][]byte), failed: make(chan struct{})}, nil
}

// failAfter has power fail at the n-th write or flush from now on.
func (v *volume) failAfter(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failsAt = v.events + n
}

// failure returns what is closed when power fails.
func (v *volume) failure() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.failed
}

// deafen has flushes be answered and not heeded from now on.
func (v *volume) deafen() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.deaf = true
}

// count returns how many writes and flushes there were.
func (v *volume) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.events
}

// happen counts a write or flush, and reports whether there is power. The caller has the lock.
func (v *volume) happen() bool {
	v.events++
	if v.events == v.failsAt {
		close(v.failed)
	}
	return v.powered()
}

func (v *volume) powered() bool {
	select {
	case <-v.failed:
		return false
	default:
		return true
	}
}

// read fills data with what stands at a place.
func (v *volume) read(data []byte, at int64) error {
	if at%sector != 0 || len(data)%sector != 0 {
		return fmt.Errorf("reading %d bytes at %d: these are no whole sectors", len(data), at)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, err := v.file.ReadAt(data, at); err != nil && err != io.EOF {
		return err
	}
	for i := 0; i < len(data); i += sector {
		if written := v.cache[(at+int64(i))/sector]; len(written) > 0 {
			copy(data[i:i+sector], written[len(written)-1])
		}
	}
	return nil
}

// write keeps data, which is the volume's from then on, for good if it is forced. It reports whether there is power to say so.
func (v *volume) write(data []byte, at int64, forced bool) (bool, error) {
	if at%sector != 0 || len(data)%sector != 0 || at < 0 || at+int64(len(data)) > v.size {
		return true, fmt.Errorf("writing %d bytes at %d: these are no sectors of the disk", len(data), at)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.powered() {
		return false, nil
	}
	for i := 0; i < len(data); i += sector {
		n := (at + int64(i)) / sector
		v.cache[n] = append(v.cache[n], data[i:i+sector])
	}
	if !v.happen() {
		return false, nil
	}
	if forced && !v.deaf {
		for i := 0; i < len(data); i += sector {
			delete(v.cache, (at+int64(i))/sector)
		}
		_, err := v.file.WriteAt(data, at)
		return true, err
	}
	return true, nil
}

// flush makes all last that was written. It reports whether there is power to say so.
func (v *volume) flush() (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.powered() || !v.happen() {
		return false, nil
	}
	if v.deaf {
		return true, nil
	}
	return true, v.settle(func([][]byte) int { return 0 })
}

// settle empties the cache. Of what was written to a sector, the one lasts that choose counts from the end; none if there are fewer.
// The caller has the lock.
func (v *volume) settle(choose func(written [][]byte) int) error {
	for n, written := range v.cache {
		i := len(written) - 1 - choose(written)
		if i < 0 {
			continue
		}
		if _, err := v.file.WriteAt(written[i], n*sector); err != nil {
			return err
		}
	}
	clear(v.cache)
	return nil
}

// lose takes the power away, if it is still there, and gives it back: a sector's writes are lost with a probability each.
func (v *volume) lose(luck *rand.Rand, probability float64) (lost int, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	err = v.settle(func(written [][]byte) int {
		n := 0
		for n < len(written) && luck.Float64() < probability {
			n++
		}
		if n > 0 {
			lost++
		}
		return n
	})
	v.failed, v.failsAt = make(chan struct{}), 0
	return lost, err
}
