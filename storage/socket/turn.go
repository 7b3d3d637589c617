package socket

import (
	"sync/atomic"
	"time"
)

const (
	turnTime   = time.Millisecond // a read that takes longer than one to two of these lets others pass
	maxReaders = 16               // goroutines of a connection that read it, or did so and wait for the store
)

// turn lets a connection be read by one goroutine that answers short reads itself, which is cheapest while they
// come from memory, and has another goroutine take over when one has to wait for the disk.
type turn struct {
	state   atomic.Uint64 // grows; odd while the reader waits for the store
	armed   atomic.Bool   // the timer will call watch
	timer   *time.Timer
	seen    uint64 // state at the last watch; only watch uses it
	readers interface {
		reserve() bool // makes place for another reader, if there may be one
		release()      // gives the place back
		start()        // starts the reader
	}
}

// begin is called by the reader before it asks the store; the result is for end.
func (t *turn) begin() uint64 {
	v := t.state.Load() + 1
	t.state.Store(v)
	if !t.armed.Load() && t.armed.CompareAndSwap(false, true) {
		t.timer.Reset(turnTime)
	}
	return v
}

// end reports whether the caller of begin is still the connection's reader.
func (t *turn) end(v uint64) bool { return t.state.CompareAndSwap(v, v+1) }

// watch is called by the timer while the connection is busy.
func (t *turn) watch() {
	v := t.state.Load()
	if v != t.seen {
		t.seen = v
		t.timer.Reset(turnTime)
		return
	}
	if v%2 == 1 { // one request all the time
		t.replace(v)
		t.timer.Reset(turnTime)
		return
	}
	t.armed.Store(false)
	if t.state.Load() != v && t.armed.CompareAndSwap(false, true) {
		t.timer.Reset(turnTime)
	}
}

func (t *turn) replace(v uint64) {
	if !t.readers.reserve() {
		return
	}
	if t.state.CompareAndSwap(v, v+1) {
		t.readers.start()
	} else {
		t.readers.release()
	}
}
