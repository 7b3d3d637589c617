package push

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"hearth/homeserver/store"
	"hearth/matrix"
)

const tableCounts = "count"

func countRow(k countKey) []byte {
	return append([]byte(string(k.user)+"\x00"), key8(store.Pos(k.room))...)
}

// maxCountRow is the longest count that is written down, in bytes: one of a room with hundreds of threads.
const maxCountRow = 32 << 10

// keep writes a count down. It need not be durable: what is lost is counted again.
func (p *Push) keep(ctx context.Context, k countKey, c *counted) error {
	value := appendCount(nil, c)
	if len(value) > maxCountRow {
		return nil
	}
	_, err := p.store.Append(ctx, func(tx *store.Tx) { tx.Set(tableCounts, countRow(k), value) })
	if err != nil {
		return fmt.Errorf("writing a count of %s: %w", k.user, err)
	}
	c.kept = c.upTo
	return nil
}

// appendCount writes the value of a "count" row, see the package's comment.
func appendCount(dst []byte, c *counted) []byte {
	for _, v := range []int64{
		int64(c.upTo), int64(c.start), int64(c.since), int64(c.rules), int64(c.read.all),
		c.Main.Notifications, c.Main.Highlights, int64(len(c.read.threads)),
	} {
		dst = binary.AppendVarint(dst, v)
	}
	str := func(s string) { dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...) }
	for _, name := range slices.Sorted(maps.Keys(c.read.threads)) {
		str(name)
		dst = binary.AppendVarint(dst, int64(c.read.threads[name]))
	}
	for _, root := range slices.Sorted(maps.Keys(c.Threads)) {
		str(string(root))
		dst = binary.AppendVarint(dst, c.Threads[root].Notifications)
		dst = binary.AppendVarint(dst, c.Threads[root].Highlights)
	}
	return dst
}

// countReader reads a "count" row; its first failure sticks.
type countReader struct {
	data   []byte
	failed bool
}

func (r *countReader) fail() { r.failed, r.data = true, nil }

func (r *countReader) int() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *countReader) string() string {
	n, w := binary.Uvarint(r.data)
	if w <= 0 || n > uint64(len(r.data)-w) {
		r.fail()
		return ""
	}
	s := string(r.data[w : w+int(n)])
	r.data = r.data[w+int(n):]
	return s
}

// readCount reads the value of a "count" row; ok is false if there is none or it is malformed, and then is counted
// from the beginning.
func readCount(data []byte) (c *counted, ok bool) {
	r := countReader{data: data}
	c = &counted{upTo: store.Order(r.int()), start: store.Order(r.int()), since: store.Order(r.int()), rules: store.Pos(r.int())}
	c.read.all = store.Order(r.int())
	c.Main = Count{r.int(), r.int()}
	c.kept = c.upTo
	for n := r.int(); n > 0 && !r.failed; n-- {
		if c.read.threads == nil {
			c.read.threads = make(map[string]store.Order)
		}
		name := r.string()
		c.read.threads[name] = store.Order(r.int())
	}
	for len(r.data) > 0 {
		if c.Threads == nil {
			c.Threads = make(map[matrix.EventID]Count)
		}
		root := matrix.EventID(r.string())
		c.Threads[root] = Count{r.int(), r.int()}
	}
	return c, !r.failed && len(data) > 0
}
