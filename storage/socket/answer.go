package socket

import (
	"encoding/binary"
	"errors"
	"time"

	"hearth/storage/blob"
)

func appendCommit(b []byte, c *blob.Commit) []byte {
	b = append(b, c.Hash[:]...)
	b = append(b, c.Parent[:]...)
	b = binary.BigEndian.AppendUint64(b, c.Seq)
	b = appendTime(b, c.Time)
	return appendStr16(b, c.Message)
}

func parseCommit(c *cursor) blob.Commit {
	return blob.Commit{Hash: c.hash(), Parent: c.hash(), Seq: c.u64(), Time: parseTime(c), Message: string(c.str16())}
}

// parseCommits reads as many commits as p holds.
func parseCommits(p []byte) (list []blob.Commit, ok bool) {
	c := cursor{b: p}
	for len(c.b) > 0 {
		list = append(list, parseCommit(&c))
	}
	return list, c.end()
}

func parseNames(p []byte) (list []string, ok bool) {
	c := cursor{b: p}
	for len(c.b) > 0 {
		list = append(list, string(c.str8()))
	}
	return list, c.end()
}

func appendRow(b []byte, r *blob.Row) []byte {
	return appendBytes32(appendStr16(b, r.Key), r.Value)
}

// parseRow reads a row of a scan; what it returns is the caller's.
func parseRow(c *cursor, table string) blob.Row {
	k, v := c.str16(), c.bytes32()
	both := make([]byte, len(k)+len(v))
	copy(both[copy(both, k):], v)
	return blob.Row{Table: table, Key: both[:len(k):len(k)], Value: both[len(k):]}
}

func appendDamage(b []byte, d *blob.Damage) []byte {
	b = appendStr8(b, clip(d.What, 255))
	b = appendStr16(b, clip(d.Name, maxText))
	return appendStr16(b, clip(d.Detail, maxText))
}

func parseDamage(c *cursor) blob.Damage {
	return blob.Damage{What: string(c.str8()), Name: string(c.str16()), Detail: string(c.str16())}
}

func appendVerified(b []byte, v *blob.Verified) []byte {
	return appendUint64s(b, v.Blobs, v.Rows, v.Roots, v.Bytes, v.Damaged)
}

func parseVerified(p []byte) (blob.Verified, bool) {
	c := cursor{b: p}
	v := blob.Verified{Blobs: c.u64(), Rows: c.u64(), Roots: c.u64(), Bytes: c.u64(), Damaged: c.u64()}
	return v, c.end()
}

func appendStats(b []byte, s *blob.Stats) []byte {
	return appendUint64s(b, s.Batches, s.Groups, s.Reads, s.LogicalBytes, s.DiskWritten, s.StoreSize,
		uint64(s.CommitP50), uint64(s.CommitP99))
}

func parseStats(p []byte) (blob.Stats, bool) {
	c := cursor{b: p}
	s := blob.Stats{Batches: c.u64(), Groups: c.u64(), Reads: c.u64(), LogicalBytes: c.u64(), DiskWritten: c.u64(),
		StoreSize: c.u64(), CommitP50: time.Duration(c.u64()), CommitP99: time.Duration(c.u64())}
	return s, c.end()
}

func appendUint64s(b []byte, values ...uint64) []byte {
	for _, v := range values {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

// appendError appends the payload of an Error. What is no blob.Error is Internal, and what was being done is op.
func appendError(b []byte, err error, op string) []byte {
	kind, text := blob.Internal, err.Error()
	var e *blob.Error
	if errors.As(err, &e) {
		kind, op, text = e.Kind, e.Op, ""
		if e.Err != nil {
			text = e.Err.Error()
		}
	}
	b = appendStr16(append(b, byte(kind)), clip(op, maxText))
	return appendStr16(b, clip(text, maxText))
}

// parseError reads the payload of an Error.
func parseError(p []byte) (*blob.Error, bool) {
	c := cursor{b: p}
	e := &blob.Error{Kind: blob.Kind(c.u8()), Op: string(c.str16())}
	if text := c.str16(); len(text) > 0 {
		e.Err = errors.New(string(text))
	}
	return e, c.end() && e.Kind <= blob.Canceled
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
