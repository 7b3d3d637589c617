// Package search is the full-text index of messages, room names and topics, and finds them for who may see them.
//
// # Words
//
// A text is split into words: runs of letters and digits, without regard to case, accents and compatibility forms.
// In scripts that do not part their words (Chinese, Japanese, Thai and others, and Korean) every letter begins a word,
// which is that letter and the next. So a word of such a script is found as a run of such pairs, and a single letter as
// the beginning of a pair. Words are cut to 64 bytes, a text to 2000 words, of which 500 different ones are indexed.
//
// # What is found
//
// A search term asks for all of its words; "quoted" ones in their order, and none of those behind a minus. An event is
// found by the text that the user would read: that of the newest edit which the user may see, and otherwise its own.
// Edits themselves, redacted events and those of ignored users are never found. What was sent in a room while it was
// encrypted is not indexed.
//
// The index proposes events, and each is read and judged before it is shown: whether the user may see it, whether its
// present text matches. So the index may hold more than is true, and never decides what somebody may see.
//
// # The index
//
// One goroutine follows the log and keeps the words of the newest events in memory, where searches find them at once.
// Every two thousand events it writes them down as a segment, together with the position in the log that it has reached;
// what was not written when the program ended is read from the log again. So a message costs no write of its own, and
// nothing is lost or indexed twice. Sixteen segments of one size are merged into one, in the background. Where there is
// no index yet the whole log is read, at half the speed that would be possible.
//
// A redacted event's words are removed from the segments when these are merged or, at the latest, by a sweep that
// runs once enough such events have gathered, and once an hour; so are those of deleted rooms.
//
// # Ranking
//
// The rank is the sum, over the words that are searched for, of BM25's grade of the word in the event, in six steps,
// names and topics counting as the fourth. How rare a word is does not matter, since every result has all of them.
// Results of the same rank come newest first. "Recent" is by the position in the log.
//
// # Tables
//
//	srch   0x00                                      the manifest
//	srchp  segment, term, 0x00, room, position       a chunk: entries of the segment from that one on
//
// Integers in keys are 8 bytes, big-endian; in values they are uvarints of encoding/binary.
//
// The manifest is a 1, the position of the log, the next segment's id and the number of segments; of each segment, the
// oldest first, its id, level, position up to which it was made and number of entries; and, to the end, the events whose
// entries are to be removed: room, position, and the position from which on segments do not have them any more. The
// log read up to 300, segment 4 of 9 entries of level 1 made at 200, the next one being 5, and the event at 40 in room 7,
// redacted at 250:
//
//	01 ac02 05 01  04 01 c801 09  07 28 fa01
//
// An entry says that a term occurs in an event, by room and position. A chunk holds entries in that order. Each begins
// with one integer: from its lowest bits, two that tell what is different from the entry before (0 only the position, 1
// the room, 2 the term), three of the level, and above them the position, less the one before if that is all that is
// different. A different room follows as the difference to the one before; a different term as its room, the number of
// bytes that it shares with the term before, the number of bytes that it has beyond these, and these. The first entry
// of a chunk has a different term than none. The terms "tea" at position 40 of room 7 and at 42 of that room, and "tee"
// at 41 of room 8, of levels 7, 2 and 3:
//
//	9e0a 07 00 03 746561  48  ae0a 08 02 01 65
//
// # Tokens
//
// The next page of a search begins behind a place in the order of its results. The token is, as base64 without padding:
// a 1, 8 bytes of a hash of user and request, the position of the log when the first page was made, after which nothing
// is shown, the rank and position of the last result, and of which group the page is (0 of all, 1 a room, 2 a sender)
// with, to the end, its name. A token is good for the request that it came from.
package search

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
)

const (
	tableManifest = "srch"
	tablePostings = "srchp"
)

// Options are what an Index needs to know; zero values are replaced.
type Options struct {
	Log     *slog.Logger
	Segment int           // events in memory at which they are written; default 2048
	Sweep   time.Duration // between two sweeps at most; default one hour
}

// Index is the index of a server.
type Index struct {
	store    *store.Store
	accounts *account.Accounts
	timeline *timeline.Timeline
	o        Options
	memory   memory
	slots    chan struct{} // one for each search that runs
	queue    chan struct{} // one for each search that runs or waits
	leisure  store.Leisure

	mu       sync.Mutex // guards the fields below; never held over I/O
	manifest *manifest  // replaced, not changed
	pos      store.Pos  // everything up to here is in the segments or in memory
	moved    chan struct{}
	ended    bool

	job     bool          // a merge or sweep is under way; the follower's, like those below
	failed  bool          // the last one failed: none begins until it is time for a sweep
	jobs    chan *outcome // of the job
	bad     chan error    // what a search met that shows that the index is damaged
	swept   map[store.RoomNum]bool
	rooms   encryptedRooms
	stop    context.CancelFunc
	running sync.WaitGroup
}

// New starts to follow the log; Close ends it.
func New(s *store.Store, accounts *account.Accounts, t *timeline.Timeline, o Options) *Index {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Segment == 0 {
		o.Segment = 2048
	}
	if o.Sweep == 0 {
		o.Sweep = time.Hour
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &Index{
		store: s, accounts: accounts, timeline: t, o: o, stop: cancel,
		slots: make(chan struct{}, maxSearches), queue: make(chan struct{}, maxQueue), leisure: store.NewLeisure(),
		manifest: &manifest{next: 1}, moved: make(chan struct{}), jobs: make(chan *outcome, 1), bad: make(chan error, 1),
		swept: make(map[store.RoomNum]bool),
	}
	x.memory.clear()
	x.running.Go(func() { x.run(ctx) })
	return x
}

// Close ends what runs in the background. Searches that wait for the index to catch up go on with what it has.
func (x *Index) Close() {
	x.stop()
	x.running.Wait()
}

// retry is how long the follower rests after something failed.
const retry = time.Second

// run follows the log until ctx ends.
func (x *Index) run(ctx context.Context) {
	defer x.end()
	for {
		err := x.follow(ctx)
		if ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
			return
		}
		x.o.Log.Warn("indexing messages failed, trying again", "err", err)
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return
		}
	}
}

// end lets go who waits for the index.
func (x *Index) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended = true
	close(x.moved)
}

// open reads the manifest and removes what is left of jobs that did not end.
func (x *Index) open(ctx context.Context) error {
	row, err := x.store.Row(ctx, tableManifest, []byte{0})
	if err != nil {
		return fmt.Errorf("reading the search index: %w", err)
	}
	m := &manifest{next: 1}
	if row != nil {
		if m, err = readManifest(row); err != nil {
			x.o.Log.Error("the search index is damaged and is made anew", "err", err)
			m = &manifest{next: 1}
		}
	}
	if err := x.tidy(ctx, m); err != nil {
		return err
	}
	x.memory.clear()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.manifest, x.pos = m, m.pos
	return nil
}

// current returns the manifest and the position that the index has reached.
func (x *Index) current() (*manifest, store.Pos) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.manifest, x.pos
}

// reached tells that the index has come to a position.
func (x *Index) reached(pos store.Pos) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pos = pos
	close(x.moved)
	x.moved = make(chan struct{})
}

// maxBehind is how far the index may be behind, in positions of the log, for a search to wait for it. Where it is
// farther, since the index is just being made, a search finds what there is.
const maxBehind = 20_000

// patience is how long a search waits for the index at most.
const patience = 5 * time.Second

// catchUp waits until the index has seen what is durable now, so that who was told that a message is sent finds it.
func (x *Index) catchUp(ctx context.Context) error {
	to := x.store.Durable()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	for {
		x.mu.Lock()
		pos, moved, ended := x.pos, x.moved, x.ended
		x.mu.Unlock()
		if pos >= to || ended || to-pos > maxBehind {
			return nil
		}
		x.leisure.Hurry()
		select {
		case <-moved:
		case <-enough.C: // something is wrong with the index: better what it has than nothing
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
