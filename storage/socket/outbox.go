package socket

import (
	"net"
	"runtime"
	"sync"
	"syscall"
)

const (
	keepBuffer = 64 << 10 // a larger buffer is given back to the runtime after use
	maxRounds  = 4        // write calls that a caller makes for others before it has a goroutine go on
)

// outbox collects the frames of a connection and writes all that wait with one system call. Whoever finds that
// nobody writes does so itself, without blocking; what the kernel does not take at once is left to a goroutine
// that ends when everything is written or the connection is closed.
type outbox struct {
	conn *net.UnixConn
	raw  syscall.RawConn

	mu      sync.Mutex // guards the following
	room    sync.Cond  // pending became shorter, or nobody writes any more, or err was set
	pending []byte     // whole frames
	spare   []byte     // an empty buffer
	writing bool       // a goroutine writes, and will write what is pending
	err     error      // the connection is closed

	try     func(fd uintptr) bool // writes tryBuf once; these belong to whoever set writing
	tryBuf  []byte
	tryN    int
	tryFail error
}

func newOutbox(conn *net.UnixConn) (*outbox, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	o := &outbox{conn: conn, raw: raw}
	o.room.L = &o.mu
	o.try = func(fd uintptr) bool {
		for {
			o.tryN, o.tryFail = syscall.Write(int(fd), o.tryBuf)
			if o.tryFail != syscall.EINTR {
				return true
			}
		}
	}
	return o, nil
}

// lock returns the buffer to which whole frames may be appended until unlock.
func (o *outbox) lock() []byte {
	o.mu.Lock()
	return o.pending
}

func (o *outbox) unlock(b []byte) {
	if o.err != nil {
		b = nil
	}
	o.pending = b
	o.mu.Unlock()
}

// size returns how many bytes wait.
func (o *outbox) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pending)
}

// flush writes what is pending unless somebody does already. With yield it first lets other goroutines that are
// ready to run add theirs.
func (o *outbox) flush(yield bool) {
	if !o.claim() {
		return
	}
	if yield {
		runtime.Gosched()
	}
	o.write(false)
}

// flushSoon has a goroutine flush.
func (o *outbox) flushSoon() {
	if o.claim() {
		go o.write(true)
	}
}

// claim reports whether the caller has to write.
func (o *outbox) claim() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writing || len(o.pending) == 0 {
		return false
	}
	o.writing = true
	return true
}

// write writes until nothing is pending. Unless it may block it leaves to a goroutine what takes long.
func (o *outbox) write(block bool) {
	for round := 0; ; round++ {
		if !block && round == maxRounds {
			go o.write(true)
			return
		}
		out := o.next()
		if out == nil {
			return
		}
		n, err := o.tryWrite(out)
		switch {
		case err != nil || n == len(out):
			o.wrote(out, err)
		case block:
			o.finish(out, n)
		default:
			go func() {
				o.finish(out, n)
				o.write(true)
			}()
			return
		}
	}
}

// next takes what is pending, or ends the writing and returns nil.
func (o *outbox) next() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.pending) == 0 {
		o.writing = false
		o.room.Broadcast()
		return nil
	}
	out := o.pending
	o.pending, o.spare = o.spare[:0], nil
	return out
}

// tryWrite writes as much as the kernel takes at once.
func (o *outbox) tryWrite(out []byte) (int, error) {
	o.tryBuf = out
	err := o.raw.Write(o.try)
	n := max(o.tryN, 0)
	if err == nil && o.tryFail != syscall.EAGAIN {
		err = o.tryFail
	}
	o.tryBuf, o.tryN, o.tryFail = nil, 0, nil
	return n, err
}

// finish waits until the rest of out is written.
func (o *outbox) finish(out []byte, n int) {
	_, err := o.conn.Write(out[n:])
	o.wrote(out, err)
}

func (o *outbox) wrote(out []byte, err error) {
	if err != nil {
		o.close(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.spare == nil && cap(out) <= keepBuffer {
		o.spare = out[:0]
	}
	o.room.Broadcast()
}

// wait returns when at most n bytes are pending, or the connection is closed. What is pending must be being
// written or flushed by others.
func (o *outbox) wait(n int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.pending) > n && o.err == nil {
		o.room.Wait()
	}
	return o.err
}

// drain returns when everything is written, or the connection is closed.
func (o *outbox) drain() {
	o.flush(false)
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.writing {
		o.room.Wait()
	}
}

// close closes the connection; err says why. What is pending is dropped.
func (o *outbox) close(err error) {
	o.mu.Lock()
	if o.err == nil {
		o.err = err
	}
	o.pending = nil
	o.room.Broadcast()
	o.mu.Unlock()
	o.conn.Close()
}
