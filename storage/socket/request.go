package socket

import (
	"encoding/binary"
	"math"

	"hearth/storage/blob"
)

// names gives out strings for the names that come again and again in requests, without making new ones.
type names map[string]string

const maxNames = 256

func (n names) get(b []byte) string {
	if s, ok := n[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(n) < maxNames {
		n[s] = s
	}
	return s
}

// hello is what a client says first.
type hello struct {
	version   int
	session   [16]byte
	namespace string
}

func appendHello(b []byte, h hello) []byte {
	b, at := beginFrame(b, typeHello, 0)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint16(b, uint16(h.version))
	b = append(b, h.session[:]...)
	b = appendStr8(b, h.namespace)
	return endFrame(b, at)
}

// parseHello reads the payload of a Hello; of one with another version it reads only that.
func parseHello(p []byte) (h hello, ok bool) {
	c := cursor{b: p}
	if string(c.take(len(magic))) != magic {
		return h, false
	}
	if h.version = c.u16(); h.version != version {
		return h, !c.bad
	}
	copy(h.session[:], c.take(len(h.session)))
	h.namespace = string(c.str8())
	return h, c.end()
}

func appendGet(b []byte, hashes []blob.Hash) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(hashes)))
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

// parseGet appends the hashes of a Get to dst.
func parseGet(p []byte, dst []blob.Hash) ([]blob.Hash, bool) {
	c := cursor{b: p}
	n := c.u16()
	if n > blob.MaxMulti || len(c.b) != n*blob.HashSize {
		return dst, false
	}
	for range n {
		dst = append(dst, c.hash())
	}
	return dst, c.end()
}

func appendRows(b []byte, keys []blob.RowKey) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(keys)))
	for i := range keys {
		b = appendStr8(b, keys[i].Table)
		b = appendStr16(b, keys[i].Key)
	}
	return b
}

// parseRows appends the keys of a Rows request to dst; they alias p.
func parseRows(p []byte, dst []blob.RowKey, names names) ([]blob.RowKey, bool) {
	c := cursor{b: p}
	n := c.u16()
	if n > blob.MaxMulti || n*3 > len(c.b) {
		return dst, false
	}
	for range n {
		dst = append(dst, blob.RowKey{Table: names.get(c.str8()), Key: c.str16()})
	}
	return dst, c.end()
}

func appendHistory(b []byte, name string, limit int) []byte {
	return binary.BigEndian.AppendUint32(appendStr8(b, name), uint32(limit))
}

func parseHistory(p []byte) (name string, limit int, ok bool) {
	c := cursor{b: p}
	name = string(c.str8())
	n := c.u32()
	return name, int(min(n, math.MaxInt32)), c.end()
}

const (
	scanReverse = 1
	scanFrom    = 2
	scanTo      = 4
)

func appendScan(b []byte, r blob.Range) []byte {
	var flags byte
	if r.Reverse {
		flags |= scanReverse
	}
	if r.From != nil {
		flags |= scanFrom
	}
	if r.To != nil {
		flags |= scanTo
	}
	b = binary.BigEndian.AppendUint64(append(b, flags), uint64(r.Limit))
	b = appendStr8(b, r.Table)
	b = appendStr16(b, r.From)
	return appendStr16(b, r.To)
}

// parseScan reads a Scan's range, which aliases p.
func parseScan(p []byte) (r blob.Range, ok bool) {
	c := cursor{b: p}
	flags := c.u8()
	limit := c.u64()
	r = blob.Range{Table: string(c.str8()), Reverse: flags&scanReverse != 0, Limit: int(limit)}
	from, to := c.str16(), c.str16()
	if flags&scanFrom != 0 {
		r.From = from
	}
	if flags&scanTo != 0 {
		r.To = to
	}
	known := flags&^(scanReverse|scanFrom|scanTo) == 0
	return r, known && limit <= math.MaxInt && c.end()
}
