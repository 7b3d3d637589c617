package socket

import (
	"encoding/binary"
	"time"

	"hearth/storage/blob"
)

const editKeep = 1

// appendBatch appends the payload of an Apply; id takes the place of the batch's own.
func appendBatch(b []byte, batch *blob.Batch, id blob.BatchID) []byte {
	b = append(b, id.Session[:]...)
	b = binary.BigEndian.AppendUint64(b, id.Seq)
	b = binary.BigEndian.AppendUint32(b, uint32(len(batch.Blobs)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(batch.Rows)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(batch.Roots)))
	for _, p := range batch.Blobs {
		b = appendBytes32(b, p)
	}
	for i := range batch.Rows {
		r := &batch.Rows[i]
		b = appendStr8(b, r.Table)
		b = appendStr16(b, r.Key)
		b = appendOpt32(b, r.Value)
	}
	for i := range batch.Roots {
		b = appendEdit(b, &batch.Roots[i])
	}
	return b
}

func appendEdit(b []byte, e *blob.RootEdit) []byte {
	b = appendStr8(b, e.Name)
	b = append(b, e.Old[:]...)
	b = append(b, e.New[:]...)
	var flags byte
	if e.Keep {
		flags = editKeep
	}
	b = appendTime(append(b, flags), e.Time)
	return appendStr16(b, e.Message)
}

// The least that an item of a batch takes.
const (
	minBlob = 4
	minRow  = 1 + 2 + 4
	minEdit = 1 + 2*blob.HashSize + 1 + 8 + 2
)

// parseBatch reads the payload of an Apply into batch, whose slices are used again; the contents alias p.
func parseBatch(p []byte, batch *blob.Batch, names names) bool {
	c := cursor{b: p}
	copy(batch.ID.Session[:], c.take(len(batch.ID.Session)))
	batch.ID.Seq = c.u64()
	blobs, rows, roots := uint64(c.u32()), uint64(c.u32()), uint64(c.u32())
	if blobs+rows+roots > blob.MaxBatchOps || blobs*minBlob+rows*minRow+roots*minEdit > uint64(len(c.b)) {
		return false
	}
	batch.Blobs, batch.Rows, batch.Roots = batch.Blobs[:0], batch.Rows[:0], batch.Roots[:0]
	for range blobs {
		batch.Blobs = append(batch.Blobs, c.bytes32())
	}
	for range rows {
		batch.Rows = append(batch.Rows, blob.Row{Table: names.get(c.str8()), Key: c.str16(), Value: c.opt32()})
	}
	for range roots {
		batch.Roots = append(batch.Roots, parseEdit(&c))
	}
	return c.end()
}

func parseEdit(c *cursor) blob.RootEdit {
	e := blob.RootEdit{Name: string(c.str8()), Old: c.hash(), New: c.hash()}
	flags := c.u8()
	e.Keep = flags&editKeep != 0
	c.bad = c.bad || flags&^editKeep != 0
	e.Time = parseTime(c)
	e.Message = string(c.str16())
	return e
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixMilli()))
}

func parseTime(c *cursor) time.Time { return time.UnixMilli(int64(c.u64())).UTC() }
