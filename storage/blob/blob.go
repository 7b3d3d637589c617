// Package blob is the contract of the content-addressed store: addresses, records, batches, errors, and the small interfaces that every store satisfies.
//
// A store holds four kinds of things for one namespace:
//
//   - Blobs: immutable bytes named by their BLAKE2b-256 hash. A read is verified against the name.
//   - Rows: mutable records in named tables, ordered by key as bytes. Every value carries a checksum.
//   - Roots: names for hashes, changed by compare-and-set, with an optional history of commits.
//   - Batches: any set of changes to these, applied atomically and acknowledged only when durable.
//
// Invariants that every store keeps, and that blobtest checks:
//
//  1. A batch is applied whole or not at all, whatever fails. When Apply returns nil it is on disk.
//  2. Damaged data is never returned as good: the read fails with kind Corrupt and names what is damaged.
//  3. A batch with an ID is applied at most once; resending it answers as before.
//  4. What is absent is reported as nil, never as an error: errors are for what went wrong.
//  5. Slices given to a store may be reused once the call returns; slices returned belong to the caller,
//     who must not change them.
package blob

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"time"

	"golang.org/x/crypto/blake2b"
)

// Limits of the contract, in bytes unless said otherwise. A call that exceeds one fails with kind TooLarge
// (or Invalid, for names) and changes nothing.
const (
	MaxBlob      = 1 << 20 // one blob
	MaxKey       = 1 << 10 // a row's key; at least 1
	MaxValue     = 1 << 20 // a row's value; may be empty
	MaxName      = 255     // a root's name; at least 1
	MaxTable     = 32      // a table's name, of a-z, 0-9, '_' and '-'; at least 1
	MaxMessage   = 1 << 10 // a commit's message
	MaxBatch     = 4 << 20 // a batch's total size as Batch.Size counts it
	MaxBatchOps  = 1 << 16 // operations in a batch
	MaxMulti     = 4096    // items in one multi-get; their values may together be larger than a frame
	HashSize     = 32
	MaxHistory   = 1 << 16 // commits that one History call may return
	MaxNamespace = 32      // a namespace's name, of the same letters as a table's
)

// Hash is the address of a blob: the BLAKE2b-256 of its bytes. The zero Hash means "none".
type Hash [HashSize]byte

// Sum returns the address of data.
func Sum(data []byte) Hash { return blake2b.Sum256(data) }

// IsZero reports whether h means "none".
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns h as 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads what String writes.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*HashSize {
		return h, fmt.Errorf("reading hash: want %d hexadecimal digits, got %d", 2*HashSize, len(s))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, fmt.Errorf("reading hash: %w", err)
	}
	return h, nil
}

// RowKey names one row.
type RowKey struct {
	Table string
	Key   []byte
}

// Row is one record of a table. In a batch a nil Value deletes the row; an empty, non-nil one is a value.
type Row struct {
	Table string
	Key   []byte
	Value []byte
}

// Range selects rows of one table in key order, over one snapshot of the store.
type Range struct {
	Table   string
	From    []byte // first key, included; nil is the table's beginning
	To      []byte // end key, excluded; nil is the table's end
	Reverse bool   // from the last key down to the first
	Limit   int    // at most so many rows; 0 is all
}

// Prefix returns the range of all keys of table that begin with prefix.
func Prefix(table string, prefix []byte) Range {
	return Range{Table: table, From: prefix, To: PrefixEnd(prefix)}
}

// PrefixEnd returns the smallest key greater than every key that begins with prefix, or nil if none is.
func PrefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

// Commit is one value of a root: what it named, since when and why.
type Commit struct {
	Hash    Hash      // what the root names; zero once the root was removed
	Parent  Hash      // what it named before; zero for the first
	Seq     uint64    // 1 for the root's first commit, one more for each
	Time    time.Time // of the writer's clock, in UTC, to the millisecond
	Message string
}

// RootEdit moves a root from Old to New if it still names Old. If both are the same it only asserts that, and
// writes nothing: a batch can so depend on a root.
type RootEdit struct {
	Name    string
	Old     Hash      // zero: the root must not exist
	New     Hash      // zero: remove the root (its history stays)
	Keep    bool      // keep the commit that is replaced, so that History returns it
	Time    time.Time // of the new commit
	Message string    // of the new commit
}

// BatchID lets a batch be resent safely. Within a session sequence numbers grow by the order of sending; a
// store remembers enough of each session to answer a resend of any of its last ResendWindow batches as before.
// The zero ID means that the batch is never resent.
type BatchID struct {
	Session [16]byte
	Seq     uint64 // from 1
}

// ResendWindow is how many batches of one session may be unanswered at once.
const ResendWindow = 256

// Batch is a set of changes that are applied together. The parts are applied in the order blobs, rows, roots;
// within Rows a later change of the same row wins.
type Batch struct {
	ID    BatchID
	Blobs [][]byte
	Rows  []Row
	Roots []RootEdit
}

// Empty reports whether the batch changes nothing.
func (b *Batch) Empty() bool { return len(b.Blobs) == 0 && len(b.Rows) == 0 && len(b.Roots) == 0 }

// Size returns what the batch counts against MaxBatch: all keys, values, names and messages, and 64 for each
// operation.
func (b *Batch) Size() int {
	n := 64 * (len(b.Blobs) + len(b.Rows) + len(b.Roots))
	for _, p := range b.Blobs {
		n += len(p)
	}
	for i := range b.Rows {
		n += len(b.Rows[i].Table) + len(b.Rows[i].Key) + len(b.Rows[i].Value)
	}
	for i := range b.Roots {
		n += len(b.Roots[i].Name) + len(b.Roots[i].Message)
	}
	return n
}

// Put adds a blob and returns its address.
func (b *Batch) Put(data []byte) Hash {
	b.Blobs = append(b.Blobs, data)
	return Sum(data)
}

// Set adds a row; a nil value is stored as an empty one.
func (b *Batch) Set(table string, key, value []byte) {
	if value == nil {
		value = []byte{}
	}
	b.Rows = append(b.Rows, Row{table, key, value})
}

// Delete adds the removal of a row.
func (b *Batch) Delete(table string, key []byte) {
	b.Rows = append(b.Rows, Row{Table: table, Key: key})
}

// Getter reads blobs.
type Getter interface {
	// Get returns the blobs with these addresses, in order, nil for each that is absent.
	Get(ctx context.Context, hashes ...Hash) ([][]byte, error)
}

// Tables reads rows.
type Tables interface {
	// Rows returns the values of these rows, in order and from one snapshot, nil for each that is absent.
	Rows(ctx context.Context, keys ...RowKey) ([][]byte, error)
	// Scan yields the rows of r in order from one snapshot, which it holds until the loop ends. After an
	// error it yields no more.
	Scan(ctx context.Context, r Range) iter.Seq2[Row, error]
}

// Roots reads roots.
type Roots interface {
	// Root returns the newest commit of the named root; ok is false if it does not exist or was removed.
	Root(ctx context.Context, name string) (c Commit, ok bool, err error)
	// History returns up to limit commits of the named root that were kept, newest first, the current one
	// (or its removal) included.
	History(ctx context.Context, name string, limit int) ([]Commit, error)
	// RootNames returns the names of all existing roots that begin with prefix, in order.
	RootNames(ctx context.Context, prefix string) ([]string, error)
}

// Applier changes the store.
type Applier interface {
	// Apply applies the batch whole or not at all, and returns nil only when it is durable. It fails with
	// kind Conflict if a root does not name what its edit says.
	Apply(ctx context.Context, b *Batch) error
}

// AsyncApplier is offered by stores that commit in groups, to callers that have many batches under way: the order
// of calls is the order of commit.
type AsyncApplier interface {
	// ApplyAsync is Apply that does not wait. It calls done once, with Apply's answer, from a goroutine of the
	// store that done must not block. It may block itself while the store's queue is full. The batch must not
	// change until done was called.
	ApplyAsync(b *Batch, done func(error))
}

// Inspector looks at the health of a store.
type Inspector interface {
	// Verify re-reads everything in the namespace, re-hashes blobs and re-checks rows, and yields what is
	// damaged. The error is not nil if it could not finish.
	Verify(ctx context.Context, damaged func(Damage)) (Verified, error)
	// Stats returns counters and sizes since the store was opened.
	Stats(ctx context.Context) (Stats, error)
}

// Store is all that a program may ask of its namespace.
type Store interface {
	Getter
	Tables
	Roots
	Applier
	Inspector
}

// Damage names one damaged thing.
type Damage struct {
	What   string // "blob", "row", "root", or "file"
	Name   string // the address, "table/hexadecimal key", the root's name, or the file's path
	Detail string // what is wrong with it
}

// Verified counts what Verify read.
type Verified struct {
	Blobs, Rows, Roots uint64
	Bytes              uint64
	Damaged            uint64
}

// Stats are a store's counters since it was opened, and its sizes now.
type Stats struct {
	Batches      uint64 // applied in this namespace
	Groups       uint64 // commit groups of the whole store: one sync each
	Reads        uint64 // blobs and rows read in this namespace, without scans
	LogicalBytes uint64 // written into this namespace, as Batch.Size counts them
	DiskWritten  uint64 // bytes that the whole program sent to the disk, as the kernel counts them
	StoreSize    uint64 // bytes of the whole store on the disk
	CommitP50    time.Duration
	CommitP99    time.Duration // time from Apply to durable, over the last commits
}
