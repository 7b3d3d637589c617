package fsck

import "math/bits"

// bitmap is a set of numbers.
type bitmap []uint64

func newBitmap(size uint64) bitmap { return make(bitmap, (size+63)/64) }

// span is count numbers from first on.
type span struct{ first, count uint64 }

func (s span) end() uint64 { return s.first + s.count }

func (s span) overlaps(t span) bool { return s.first < t.end() && t.first < s.end() }

// add adds numbers, and returns the first run of them that was in the set already; its count is 0 if none was.
func (b bitmap) add(s span) (twice span) {
	for n := s.first; n < s.end(); {
		length := min(64-n%64, s.end()-n)
		mask := ^uint64(0) >> (64 - length) << (n % 64)
		if had := b[n/64] & mask; had != 0 {
			at := n/64*64 + uint64(bits.TrailingZeros64(had))
			run := uint64(bits.TrailingZeros64(^(had >> (at % 64))))
			switch {
			case twice.count == 0:
				twice = span{at, run}
			case twice.end() == at:
				twice.count += run
			}
		}
		b[n/64] |= mask
		n += length
	}
	return twice
}

// bytes returns the part from a number on that is a multiple of 64, as on the disk.
func (b bitmap) bytes(from, count uint64) []byte {
	out := make([]byte, 0, count/8)
	for n := from; n < from+count; n += 64 {
		var word uint64
		if n/64 < uint64(len(b)) {
			word = b[n/64]
		}
		out = le.AppendUint64(out, word)
	}
	return out
}
