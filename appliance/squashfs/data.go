package squashfs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
)

// content is what one file holds, or several files with the same.
type content struct {
	data     []byte
	start    uint32   // place of the first block
	sizes    []uint32 // of the blocks, as the inode has them
	fragment uint32   // fragment block, or noFragment
	offset   uint32   // in the fragment block
}

// fragmentBlock is where one is in the image.
type fragmentBlock struct {
	data  []byte
	start int64
	size  uint32 // as the table has it
}

// uncompressed is the flag in the size of a data block.
const uncompressed = 1 << 24

// writeData writes what all files hold.
func (i *image) writeData() error {
	contents, err := i.contents()
	if err != nil {
		return err
	}
	blocks := i.cut(contents)
	done := 0
	err = compressAll(blocks, i.o.Workers, func(b []byte, raw bool) error {
		size := uint32(len(b))
		if raw {
			size |= uncompressed
		}
		i.place(contents, done, size)
		done++
		return i.append(b)
	})
	if err == nil && i.at > math.MaxUint32 {
		err = fmt.Errorf("%d bytes of data are too many", i.at)
	}
	return err
}

// contents returns what the files hold, each once, in the order of their paths.
func (i *image) contents() ([]*content, error) {
	var all []*content
	known := make(map[[sha256.Size]byte]*content)
	total := 0
	i.root.walk(func(n *node) {
		if !n.file.Mode.IsRegular() || len(n.file.Data) == 0 {
			n.content = &content{fragment: noFragment}
			return
		}
		sum := sha256.Sum256(n.file.Data)
		if known[sum] == nil {
			known[sum] = &content{data: n.file.Data, fragment: noFragment}
			all = append(all, known[sum])
			total += len(n.file.Data)
		}
		n.content = known[sum]
	})
	if total > math.MaxUint32 {
		return nil, fmt.Errorf("%d bytes of data are too many", total)
	}
	return all, nil
}

// cut returns the blocks of all contents, and then the fragment blocks, which it fills. A block of zeros is nil.
func (i *image) cut(contents []*content) (blocks [][]byte) {
	for _, c := range contents {
		if len(c.data) < i.o.BlockSize {
			i.addFragment(c)
			continue
		}
		for rest := c.data; len(rest) > 0; {
			b := rest[:min(len(rest), i.o.BlockSize)]
			rest = rest[len(b):]
			if len(bytes.Trim(b, "\x00")) == 0 {
				b = nil
			}
			blocks = append(blocks, b)
		}
	}
	for _, f := range i.fragments {
		blocks = append(blocks, f.data)
	}
	return blocks
}

func (i *image) addFragment(c *content) {
	last := len(i.fragments) - 1
	if last < 0 || len(i.fragments[last].data)+len(c.data) > i.o.BlockSize {
		i.fragments = append(i.fragments, &fragmentBlock{})
		last++
	}
	f := i.fragments[last]
	c.fragment, c.offset = uint32(last), uint32(len(f.data))
	f.data = append(f.data, c.data...)
}

// place notes that the n-th of the blocks that cut returned is written next.
func (i *image) place(contents []*content, n int, size uint32) {
	for i.filling < len(contents) {
		c := contents[i.filling]
		if c.fragment == noFragment && len(c.sizes)*i.o.BlockSize < len(c.data) {
			if len(c.sizes) == 0 {
				c.start = uint32(i.at)
			}
			c.sizes = append(c.sizes, size)
			return
		}
		i.filling++
	}
	for _, f := range i.fragments {
		if f.size == 0 {
			f.start, f.size = i.at, size
			return
		}
	}
}
