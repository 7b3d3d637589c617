// Package room is the write side of rooms: one writer at a time per room authorises, resolves, appends.
//
// # The writer
//
// Each room that is written to has a hot entry in memory: its current state's root, its newest event and the
// state events that authorisation needs. Whoever writes takes the room's turn, stages one or several events
// upon what the hot entry says, appends them to the log as one change, moves the hot entry on, gives the turn
// back, and only then waits until the change is durable. So a room's events form one line, and many sends share
// one write to the disk. If a write fails, the store's generation changes and the next writer reads the hot entry
// anew from the disk.
//
// A room that has not been written to for a while leaves memory; it costs nothing then.
//
// Invariants:
//
//  1. Who has the turn sees all that was appended to the room before, durable or not: it is in the hot entry, in what
//     the store keeps for its writers (store.Ahead), or on the disk.
//  2. What is not durable yet is never dropped from the hot entry.
//  3. A transaction makes one event, also if its requests overlap or the server is killed between them: the answer is
//     written in the same change as the event, and who has the turn looks for it again if the hot entry may have
//     forgotten it.
//
// # Tables
//
//	txn    week, user, 0x00, device, 0x00, room, kind, 0x00, transaction id   the id of the event that was answered
//	anno   room, order of the parent, hash of sender, type and key            the id of the annotation
//	shown  user, 0x00, position of a change of the user's profile             nothing; it is removed when all rooms show the change
//	made   user, 0x00, room                                                  nothing; the user made the room, which was not deleted
//	delete room                                                              a deletion that is under way
//
// A week, the number of whole weeks of Unix time, and a room are 8 bytes, big-endian; an order is as in the keys of
// package store. A transaction's kind is "send", 0x00 and the event type, or "redact", 0x00 and the id of the target.
// The present week and the one before are looked at, and Prune removes older ones. The hash is the first 16 bytes of
// the SHA-256 of sender, 0x00, event type, 0x00 and key. A deletion is flags (1 byte; 1 if the room is blocked), From (a
// signed varint) and the reason. That of a room in which the fifth event is the first that remains, for "spam":
//
//	00 0a 73 70 61 6d
package room

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
)

// Options are what Rooms need to know.
type Options struct {
	Signer event.Signer     // of this server's events
	Now    func() time.Time // the clock
	Rand   io.Reader        // of room ids
	Hot    int              // rooms kept in memory at most; default 256
	// ForgetOnLeave lets a room be forgotten by who leaves it, of their own will or not.
	// spec: client-server-api#mforget_forced_upon_leave-capability
	ForgetOnLeave bool
}

// Rooms writes the rooms of this server.
type Rooms struct {
	store    *store.Store
	accounts *account.Accounts
	o        Options

	mu      sync.Mutex // guards the fields below, every use and used, and the spreads
	hot     map[store.RoomNum]*writer
	tick    uint64
	created int64 // origin_server_ts of the newest create event, in ms
	spreads map[matrix.UserID]*spread

	deleting chan struct{} // capacity 1; see Deleting

	moment atomic.Uint64 // counts, to tell what came before what
}

// New returns the write side over a store.
func New(s *store.Store, accounts *account.Accounts, o Options) *Rooms {
	if o.Hot == 0 {
		o.Hot = 256
	}
	return &Rooms{
		store: s, accounts: accounts, o: o, hot: make(map[store.RoomNum]*writer), spreads: make(map[matrix.UserID]*spread),
		deleting: make(chan struct{}, 1),
	}
}

// writer is a room's hot entry.
type writer struct {
	rooms *Rooms
	turn  chan struct{} // capacity 1: what is in it has the turn, and with it all fields of head
	use   int           // how many have or wait for the turn
	used  uint64        // tick of the last use
	head  *head         // nil until loaded
}

// head is what a writer knows of its room. It is guarded by the turn.
type head struct {
	generation uint64
	info       store.Room
	tips       []tip // forward extremities
	order      store.Order
	auth       map[event.Key]*store.Event          // state events by key, nil for absent ones
	members    map[matrix.UserID]*store.Membership // of local users, nil for those who have none
	size       int                                 // bytes of auth and members, about
	checker    authrules.Checker
	recent     recent
}

// tip is a forward extremity.
type tip struct {
	id    matrix.EventID
	depth int64
	hash  event.Hash // of room versions 1 and 2
}

func tipOf(e *store.Event) tip {
	t := tip{id: e.ID, depth: e.Depth}
	if e.Version.IsPaired() {
		t.hash = e.ReferenceHash()
	}
	return t
}

// maxHead bounds what a hot room holds of its state, in bytes, beside what is not durable yet.
const maxHead = 64 << 10

// take takes the turn of a room and makes sure that its head is loaded. The caller calls give.
func (rs *Rooms) take(ctx context.Context, num store.RoomNum) (*writer, error) {
	w := rs.enter(num)
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		rs.leave(w)
		return nil, ctx.Err()
	}
	if err := w.load(ctx, num); err != nil {
		w.give()
		return nil, err
	}
	return w, nil
}

func (rs *Rooms) enter(num store.RoomNum) *writer {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	w := rs.hot[num]
	if w == nil {
		if len(rs.hot) >= rs.o.Hot {
			rs.evict()
		}
		w = &writer{rooms: rs, turn: make(chan struct{}, 1)}
		rs.hot[num] = w
	}
	rs.tick++
	w.use++
	w.used = rs.tick
	return w
}

func (rs *Rooms) leave(w *writer) {
	rs.mu.Lock()
	w.use--
	rs.mu.Unlock()
}

// evict drops the room that was used least recently and is not in use. Called with the lock held.
func (rs *Rooms) evict() {
	var oldest store.RoomNum
	var least uint64
	for num, w := range rs.hot {
		if w.use == 0 && (oldest == 0 || w.used < least) {
			oldest, least = num, w.used
		}
	}
	delete(rs.hot, oldest)
}

// give gives the turn back.
func (w *writer) give() {
	<-w.turn
	w.rooms.leave(w)
}

// load reads the head from the disk unless it is in memory and nothing failed since.
func (w *writer) load(ctx context.Context, num store.RoomNum) error {
	s := w.rooms.store
	generation := s.Generation()
	if w.head != nil && w.head.generation == generation {
		if w.head.info.Deleted {
			return errNoRoom()
		}
		return nil
	}
	w.head = nil
	if err := s.Settle(ctx); err != nil { // what an earlier hot entry appended may be on its way
		return err
	}
	infos, err := s.RoomsByNum(ctx, num)
	if err != nil {
		return err
	}
	if infos[0] == nil || infos[0].Deleted {
		return errNoRoom()
	}
	h := newHead(generation, *infos[0])
	if err := h.findTips(ctx, s); err != nil {
		return err
	}
	h.recent.forgot = w.rooms.moment.Add(1)
	w.head = h
	return nil
}

func errNoRoom() error {
	return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no such room")
}

func newHead(generation uint64, info store.Room) *head {
	return &head{
		generation: generation,
		info:       info,
		auth:       make(map[event.Key]*store.Event),
		members:    make(map[matrix.UserID]*store.Membership),
	}
}

// findTips reads where the room ends.
func (h *head) findTips(ctx context.Context, s *store.Store) error {
	var err error
	if h.order, err = s.Newest(ctx, h.info.Num); err != nil {
		return err
	}
	if len(h.info.Heads) > 0 {
		return h.readTips(ctx, s, h.info.Heads)
	}
	newest, err := s.EventsAt(ctx, h.info.Num, h.order)
	if err != nil {
		return err
	}
	if e := newest[0]; e != nil && e.Visible() {
		h.tips = []tip{tipOf(e)}
		return nil
	}
	for e, err := range s.Timeline(ctx, h.info.Num, store.MinOrder, h.order, true) {
		if err != nil {
			return err
		}
		if e.Visible() {
			h.tips = []tip{tipOf(e)}
			return nil
		}
	}
	return nil
}

func (h *head) readTips(ctx context.Context, s *store.Store, orders []store.Order) error {
	tips, err := s.EventsAt(ctx, h.info.Num, orders...)
	if err != nil {
		return err
	}
	for _, e := range tips {
		if e != nil {
			h.tips = append(h.tips, tipOf(e))
		}
	}
	return nil
}

// state makes sure that the present state events of these keys are in h.auth.
func (h *head) state(ctx context.Context, s *store.Store, keys []event.Key) error {
	var missing []event.Key
	for _, k := range keys {
		if _, ok := h.auth[k]; !ok {
			missing = append(missing, k)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	events, err := s.Ahead().StateEvents(ctx, h.info.Num, h.info.State, missing...)
	if err != nil {
		return err
	}
	for i, k := range missing {
		h.keep(k, events[i])
	}
	return nil
}

// entrySize is what an entry of a map of the head takes beside what it points to, in bytes, about.
const entrySize = 200

func sizeOf(e *store.Event) int {
	if e == nil {
		return entrySize
	}
	return entrySize + e.Size()
}

// keep remembers the present state event of a key, nil if there is none.
func (h *head) keep(k event.Key, e *store.Event) {
	if old, ok := h.auth[k]; ok {
		h.size -= sizeOf(old)
	}
	h.auth[k] = e
	h.size += sizeOf(e)
}

// keepMember remembers the membership of a local user, nil for none.
func (h *head) keepMember(user matrix.UserID, m *store.Membership) {
	if _, ok := h.members[user]; !ok {
		h.size += 2 * entrySize
	}
	h.members[user] = m
}

// trim drops what is durable and can be read again, if the head has become too large.
func (h *head) trim(s *store.Store) {
	if h.size <= maxHead {
		return
	}
	durable := s.Durable()
	for k, e := range h.auth {
		if e == nil || e.Pos <= durable {
			delete(h.auth, k)
			h.size -= sizeOf(e)
		}
	}
	for user, m := range h.members {
		if m == nil || m.Pos <= durable {
			delete(h.members, user)
			h.size -= 2 * entrySize
		}
	}
}
