package fsck

import "math/bits"

// hash returns the hash of a name in a hash tree: version 0 is an old one, 1 half of MD4, 2 of TEA, and 3 to 5 are the same of
// unsigned bytes.
func (c *checker) hash(version uint8, name []byte) uint32 {
	unsigned := version >= 3
	state := c.super.hashSeed
	if state == [4]uint32{} {
		state = [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	}
	var hash uint32
	switch version % 3 {
	case 0:
		hash = oldHash(name, unsigned)
	case 1:
		for rest := name; ; rest = rest[32:] {
			halfMD4(&state, words(rest, 8, unsigned))
			if len(rest) <= 32 {
				break
			}
		}
		hash = state[1]
	case 2:
		for rest := name; ; rest = rest[16:] {
			tea(&state, words(rest, 4, unsigned))
			if len(rest) <= 16 {
				break
			}
		}
		hash = state[0]
	}
	const end = 0xfffffffe // means the end of a directory
	if hash &^= 1; hash == end {
		return end - 2
	}
	return hash
}

// widen returns a byte of a name as a number.
func widen(b byte, unsigned bool) uint32 {
	if unsigned {
		return uint32(b)
	}
	return uint32(int32(int8(b)))
}

// words returns the first of a name, of four bytes each, filled up with what depends on its length.
func words(name []byte, count int, unsigned bool) []uint32 {
	pad := uint32(len(name)) * 0x01010101
	out := make([]uint32, count)
	for i := range out {
		out[i] = pad
	}
	for i, b := range name[:min(len(name), 4*count)] {
		out[i/4] = widen(b, unsigned) + out[i/4]<<8
	}
	return out
}

func oldHash(name []byte, unsigned bool) uint32 {
	last, before := uint32(0x12a3fe2d), uint32(0x37abe8f9)
	for _, b := range name {
		next := before + (last ^ widen(b, unsigned)*7152373)
		if next&0x80000000 != 0 {
			next -= 0x7fffffff
		}
		last, before = next, last
	}
	return last << 1
}

// halfMD4 is MD4 with half of its steps, in which the message has 8 words.
func halfMD4(state *[4]uint32, in []uint32) {
	s := *state
	for _, r := range []struct {
		order  [8]int
		turns  [4]int
		add    uint32
		choose func(x, y, z uint32) uint32
	}{
		{[8]int{0, 1, 2, 3, 4, 5, 6, 7}, [4]int{3, 7, 11, 19}, 0, func(x, y, z uint32) uint32 { return z ^ x&(y^z) }},
		{[8]int{1, 3, 5, 7, 0, 2, 4, 6}, [4]int{3, 5, 9, 13}, 0x5a827999, func(x, y, z uint32) uint32 { return x&y + (x^y)&z }},
		{[8]int{3, 7, 2, 6, 1, 5, 0, 4}, [4]int{3, 9, 11, 15}, 0x6ed9eba1, func(x, y, z uint32) uint32 { return x ^ y ^ z }},
	} {
		for step, word := range r.order {
			a := (8 - step) % 4 // s[a] changes: 0, 3, 2, 1, and again
			sum := s[a] + r.choose(s[(a+1)%4], s[(a+2)%4], s[(a+3)%4]) + in[word] + r.add
			s[a] = bits.RotateLeft32(sum, r.turns[step%4])
		}
	}
	for i := range state {
		state[i] += s[i]
	}
}

// tea is 16 rounds of the Tiny Encryption Algorithm.
func tea(state *[4]uint32, in []uint32) {
	x, y, sum := state[0], state[1], uint32(0)
	for range 16 {
		sum += 0x9e3779b9
		x += (y<<4 + in[0]) ^ (y + sum) ^ (y>>5 + in[1])
		y += (x<<4 + in[2]) ^ (x + sum) ^ (x>>5 + in[3])
	}
	state[0] += x
	state[1] += y
}
