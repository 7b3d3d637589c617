// Package store keeps the homeserver's records and its one ordered log, over the storage socket.
//
// # The log
//
// Everything that lasts is written by Append, which gives it the next position (Pos) of one log and queues it.
// One goroutine takes all that is queued, sends it to the storage program as one batch and, once that is
// durable, announces it: tickets are answered and followers see the notes, in the order of their positions.
// So what a follower has seen is on disk, and what an Append was told is on disk has been announced.
//
// If a batch is refused (the disk is full, say) then everything queued behind it is refused too, because it may
// have been built upon what was lost; the store's generation changes, and whoever keeps state in memory that
// runs ahead of the disk (the rooms) notices by AppendIf and reads it anew.
//
// # Tables
//
// Integers in keys are 8 bytes, big-endian; orders are offset by 2^63 so that negative ones sort first.
//
//	log   pos                          a note: what was announced at this position
//	room  room                         a room
//	rid   room id                      room
//	ev    room, order, 0x00            an event and its place
//	ev    room, order, 0x01            what relates to that event, summed up
//	id    event id                     room, order
//	rel   room, order of the parent, order of the child    relation type, 0x00, event type
//	mem   user, 0x00, room             a local user's membership
//	thr   room, order of its newest event          a thread: the order of its root, as in keys
//	thp   room, user, 0x00, order of the root      empty: the user takes part in the thread
//	devc  pos                          user: whose list of devices, or keys, changed at this position
//	bar   0x00                         empty; see settle
//
// The other packages of the homeserver own further tables and say so in their own comments.
//
// # Records
//
// A uvarint and a varint are those of encoding/binary, a string is its length as a uvarint and its bytes. Flags are
// one byte; the bits are numbered from the lowest.
//
// A note is its kind (1 byte), room (uvarint), order (varint), user and device (strings). Trailing parts that are zero
// are left out. The third event in room 7:
//
//	01 07 06
//
// A room is flags (bit 0 Deleted, 1 Blocked), its id and version (strings), the root of its state (32 bytes), Joined and Invited
// (varints), Changed (uvarint), and Heads, each a varint. The room !r:x of version 1, which one user joined at position
// 9, without the 32 bytes of its state:
//
//	00 04 21 72 3a 78 01 31 … 02 00 09
//
// An event is flags (bit 0 SoftFailed, 1 Rejected, 2 Replaces follows, 3 RedactedBy follows, 4 Device and Txn follow,
// 5 After follows), Pos (uvarint), the room's version and the event id (strings), Before and perhaps After (32 bytes
// each), perhaps Replaces and RedactedBy (varints) and Device and Txn (strings), and last the event's canonical JSON
// without its length. The message $e:x at position 9 of such a room, without Before and the JSON:
//
//	00 09 01 31 04 24 65 3a 78 … …
//
// What relates to an event is Edit, Thread, ThreadLast, References and Annotations, as varints. An event of which
// event 5 is the newest edit, and that has two annotations:
//
//	0a 00 00 00 04
//
// A membership is Membership and Previous (strings), Order and Since (varints), Pos (uvarint), flags (bit 0 Forgotten,
// 1 Ended and Left follow), and perhaps Ended (varint) and Left (32 bytes). Somebody who joined by the second event of
// a room, at position 9, and was nothing before:
//
//	04 6a 6f 69 6e 00 04 04 09 00
//
// # State
//
// The state of a room at an event is the root of a hash tree (package merkle). A key is the event type (a string) and
// the state key, a value is the order of the state event (8 bytes, as in keys) and its event id. The type t with state
// key k, and event $e:x, the third of its room:
//
//	01 74 6b          80 00 00 00 00 00 00 03 24 65 3a 78
package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"hearth/matrix"
	"hearth/storage/blob"
	"hearth/storage/socket"
)

// Pos is a position in the log: 1 for the first thing ever written. 0 is before everything.
type Pos uint64

// RoomNum is the short name of a room in keys: a position of the log that the room took for it.
type RoomNum uint64

// Order is an event's place in its room: 1, 2, 3 as they came, 0 and below for older ones that are fetched later.
type Order int64

// Options bound what a Store keeps in memory.
type Options struct {
	EventCache int // bytes of events; default 6 MiB
	NodeCache  int // bytes of state tree nodes; default 4 MiB
	Recent     int // notes that followers find in memory; default 2048
	Log        *slog.Logger
}

// Store is the homeserver's view of its namespace in the storage program.
type Store struct {
	backend  blob.Store
	nodes    *socket.Cache
	events   *lru[eventKey, *Event]
	rooms    *lru[RoomNum, *Room]
	roomNums *lru[matrix.RoomID, RoomNum]
	newest   *lru[RoomNum, Order]
	pending  pending
	changed  changed
	log      *slog.Logger

	mu           sync.Mutex // guards the fields below; never held over I/O
	next         Pos        // the next position to give out
	generation   uint64
	queue        []*Tx
	queued       int           // bytes in queue
	wake         chan struct{} // capacity 1: the writer has something to do
	room         chan struct{} // closed and replaced when the queue has become short enough
	crowd        int           // how many wait for room
	closed       bool
	newestTicket *Ticket // of the last Append; nil before the first

	feed    feed
	writer  blob.Hash       // what rootWriter names while this store may write
	lost    chan struct{}   // closed when it no longer does
	writing context.Context // of the writer's batches: it waits for a storage program that is away, as long as it takes
	abandon context.CancelFunc
	done    chan struct{} // closed when the writer has ended
}

// Open reads where the log ends and starts the writer; Close ends it.
func Open(ctx context.Context, backend blob.Store, o Options) (*Store, error) {
	if o.EventCache == 0 {
		o.EventCache = 6 << 20
	}
	if o.NodeCache == 0 {
		o.NodeCache = 4 << 20
	}
	if o.Recent == 0 {
		o.Recent = 2048
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Store{
		backend:  backend,
		nodes:    socket.NewCache(backend, o.NodeCache),
		events:   newLRU[eventKey, *Event](o.EventCache),
		rooms:    newLRU[RoomNum, *Room](1 << 20),
		roomNums: newLRU[matrix.RoomID, RoomNum](512 << 10),
		newest:   newLRU[RoomNum, Order](256 << 10),
		pending:  pending{nodes: map[blob.Hash]*pendingNode{}},
		changed:  changed{events: map[eventKey]*changedEvent{}},
		log:      o.Log,
		wake:     make(chan struct{}, 1),
		room:     make(chan struct{}),
		lost:     make(chan struct{}),
		done:     make(chan struct{}),
	}
	if err := s.claim(ctx); err != nil {
		return nil, err
	}
	last := Pos(0)
	for row, err := range backend.Scan(ctx, blob.Range{Table: tableLog, Reverse: true, Limit: 1}) {
		if err != nil {
			return nil, fmt.Errorf("finding the log's end: %w", err)
		}
		if len(row.Key) != 8 {
			return nil, fmt.Errorf("finding the log's end: a key of %d bytes", len(row.Key))
		}
		last = Pos(binary.BigEndian.Uint64(row.Key))
	}
	s.next = last + 1
	s.feed.init(last, o.Recent)
	s.writing, s.abandon = context.WithCancel(context.WithoutCancel(ctx))
	go s.write()
	return s, nil
}

// closePatience is how long Close waits for a storage program that is away.
const closePatience = 5 * time.Second

// Close waits until what is queued is written, then ends the writer. Appends after it fail.
func (s *Store) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.poke()
	t := time.AfterFunc(closePatience, s.abandon)
	<-s.done
	t.Stop()
	s.abandon()
	s.feed.close()
}

// Row returns one row's value, nil if it is absent.
func (s *Store) Row(ctx context.Context, table string, key []byte) ([]byte, error) {
	v, err := s.backend.Rows(ctx, blob.RowKey{Table: table, Key: key})
	if err != nil {
		return nil, err
	}
	return v[0], nil
}

// Rows returns the values of rows, nil for each that is absent.
func (s *Store) Rows(ctx context.Context, keys ...blob.RowKey) ([][]byte, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	if len(keys) <= blob.MaxMulti {
		return s.backend.Rows(ctx, keys...)
	}
	out := make([][]byte, 0, len(keys))
	for len(keys) > 0 {
		n := min(len(keys), blob.MaxMulti)
		part, err := s.backend.Rows(ctx, keys[:n]...)
		if err != nil {
			return nil, err
		}
		out, keys = append(out, part...), keys[n:]
	}
	return out, nil
}

// Scan yields rows in order from one snapshot.
func (s *Store) Scan(ctx context.Context, r blob.Range) iter.Seq2[blob.Row, error] {
	return s.backend.Scan(ctx, r)
}

// Backend returns the namespace itself, for health checks and statistics.
func (s *Store) Backend() blob.Store { return s.backend }

// Durable returns the position up to which everything is on disk and announced.
func (s *Store) Durable() Pos { return s.feed.last() }
