package squashfs

import (
	"bytes"

	"github.com/klauspost/compress/zlib"
)

// level is the last that is fast: of the programs it leaves 40.4 % at 50 MB a second, where 9 leaves 40.2 % at 15.
const level = 8

// compressor compresses blocks one by one.
type compressor struct {
	out bytes.Buffer
	w   *zlib.Writer
}

func newCompressor() *compressor {
	c := new(compressor)
	w, err := zlib.NewWriterLevel(&c.out, level)
	if err != nil {
		panic(err) // the level exists
	}
	c.w = w
	return c
}

// compress returns a block compressed, or as it is if that makes it no smaller.
func (c *compressor) compress(block []byte) (b []byte, raw bool) {
	if len(block) == 0 {
		return nil, false
	}
	c.out.Reset()
	c.w.Reset(&c.out)
	c.w.Write(block) // a buffer fails at nothing
	c.w.Close()
	if c.out.Len() >= len(block) {
		return block, true
	}
	return bytes.Clone(c.out.Bytes()), false
}

type compressed struct {
	b   []byte
	raw bool
}

// compressAll gives the blocks to emit in their order, compressed by so many goroutines, all of which have ended when it
// returns.
func compressAll(blocks [][]byte, workers int, emit func(b []byte, raw bool) error) (err error) {
	workers = max(1, min(workers, len(blocks)))
	stop := make(chan struct{})
	outs := make([]chan compressed, workers)
	for w := range outs {
		outs[w] = make(chan compressed, 8)
		go func() {
			defer close(outs[w])
			c := newCompressor()
			for i := w; i < len(blocks); i += workers {
				b, raw := c.compress(blocks[i])
				select {
				case outs[w] <- compressed{b, raw}:
				case <-stop:
					return
				}
			}
		}()
	}
	for i := 0; i < len(blocks) && err == nil; i++ {
		next := <-outs[i%workers]
		err = emit(next.b, next.raw)
	}
	close(stop)
	for _, out := range outs {
		for range out { // until it is closed
		}
	}
	return err
}
