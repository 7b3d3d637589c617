package room

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
)

// stage is one or several events on their way into a room: built, signed, authorised, not yet appended. While it
// lives, its writer's turn is held.
type stage struct {
	rooms *Rooms
	h     *head
	draft *store.Draft // nil while the state is as it was

	info    store.Room // as it will be
	tips    []tip
	order   store.Order
	created int64 // of a new room: its create event's time, in ms
	changed bool  // info must be written
	state   map[event.Key]*store.Event
	members map[matrix.UserID]*store.Membership
	joins   []*memberChange
	events  []*store.Event
	writes  []func(tx *store.Tx)
	recents []recentAnswer
	forgets []string // keys of recent that hold no longer

	// What a message has, so that it is one allocation.
	someEvents  [1]*store.Event
	someTips    [1]tip
	someWrites  [2]func(tx *store.Tx)
	someRecents [2]recentAnswer
}

// recentAnswer is what a request with this key is answered with.
type recentAnswer struct {
	key string
	id  matrix.EventID
}

type memberChange struct {
	user matrix.UserID
	m    *store.Membership
	e    *store.Event
}

func (w *writer) stage() *stage {
	w.head.trim(w.rooms.store)
	return newStage(w.rooms, w.head)
}

func newStage(rs *Rooms, h *head) *stage {
	st := &stage{rooms: rs, h: h, info: h.info, tips: h.tips, order: h.order}
	st.events, st.writes, st.recents = st.someEvents[:0], st.someWrites[:0], st.someRecents[:0]
	return st
}

// Event returns the present state event of a key, for authorisation rules: stage implements authrules.State.
// prepare must have read the key.
func (st *stage) Event(k event.Key) (*event.Event, error) {
	e := st.get(k)
	if e == nil {
		return nil, nil
	}
	return e.Event, nil
}

func (st *stage) get(k event.Key) *store.Event {
	if e, ok := st.state[k]; ok {
		return e
	}
	return st.h.auth[k]
}

// prepare reads the present state events of these keys into memory.
func (st *stage) prepare(ctx context.Context, keys []event.Key) error {
	if st.h.info.State.IsZero() {
		return nil // a new room: everything is on the stage
	}
	return st.h.state(ctx, st.rooms.store, keys)
}

// current returns the present state event of a key, nil if there is none.
func (st *stage) current(ctx context.Context, typ, key string) (*store.Event, error) {
	k := event.Key{Type: typ, StateKey: key}
	if err := st.prepare(ctx, []event.Key{k}); err != nil {
		return nil, err
	}
	return st.get(k), nil
}

// draftEvent is what a caller decides about an event; the stage decides the rest.
type draftEvent struct {
	sender   matrix.UserID
	typ      string
	stateKey *string
	content  []byte
	redacts  matrix.EventID
	time     int64 // origin_server_ts in ms; 0 is now
	device   string
	txn      string
}

const maxPrevEvents = 20 // spec: server-server-api#pdu-fields

// add builds, signs and authorises an event upon the stage. If a state event says what the state says already, by
// the same sender, that event is returned and nothing is added.
func (st *stage) add(ctx context.Context, d draftEvent) (*store.Event, error) {
	v := st.info.Version
	if d.typ == event.TypeCreate && len(st.tips) > 0 { // spec: rooms/v12#authorization-rules 1.1
		return nil, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "A room is created once")
	}
	needed := authrules.Needed(v, d.typ, d.sender, d.stateKey, d.content)
	keys := needed
	if v.RoomIDIsCreateHash {
		keys = append(keys, event.Key{Type: event.TypeCreate})
	}
	if d.stateKey != nil {
		keys = append(keys, event.Key{Type: d.typ, StateKey: *d.stateKey})
	}
	if err := st.prepare(ctx, keys); err != nil {
		return nil, err
	}
	e, err := st.build(d, needed)
	if err != nil {
		return nil, err
	}
	if err := st.h.checker.Check(e, st); err != nil {
		return nil, refusal(err)
	}
	if e.IsState() {
		if old := st.get(event.Key{Type: e.Type, StateKey: *e.StateKey}); old != nil &&
			old.Sender == e.Sender && string(old.Content) == string(e.Content) {
			return old, nil
		}
	}
	se := &store.Event{Event: e, Room: st.info.Num, Order: st.order + 1, Before: st.info.State, After: st.info.State, Device: d.device, Txn: d.txn}
	if e.IsState() {
		if err := st.setState(ctx, se); err != nil {
			return nil, err
		}
	}
	st.accept(se)
	return se, nil
}

// refusal turns what the authorisation rules say into the client's error.
func refusal(err error) error {
	var rule *authrules.Error
	if errors.As(err, &rule) {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "%s", rule.Msg)
	}
	return err
}

func (st *stage) build(d draftEvent, needed []event.Key) (*event.Event, error) {
	p := event.Proto{
		RoomID: st.info.ID, Sender: d.sender, Type: d.typ, StateKey: d.stateKey, Content: d.content,
		Redacts: d.redacts, Time: d.time,
	}
	if p.Time == 0 {
		p.Time = st.rooms.o.Now().UnixMilli()
	}
	ids := make([]matrix.EventID, 0, len(st.tips)+len(needed))
	for i, t := range st.tips {
		p.Depth = max(p.Depth, t.depth)
		if i < maxPrevEvents {
			ids = append(ids, t.id)
		}
	}
	prev := len(ids)
	p.Depth = min(p.Depth+1, st.info.Version.MaxDepth)
	for _, k := range needed {
		if e := st.get(k); e != nil {
			ids = append(ids, e.ID)
		}
	}
	p.PrevEvents, p.AuthEvents = ids[:prev:prev], ids[prev:]
	if st.info.Version.IsPaired() {
		if err := st.pair(&p, needed); err != nil {
			return nil, err
		}
	}
	return event.Build(st.info.Version, p, st.rooms.o.Signer)
}

// pair adds what events of room versions 1 and 2 have: an id of our making, and hashes of the events they name.
func (st *stage) pair(p *event.Proto, needed []event.Key) error {
	name, err := st.rooms.randomName()
	if err != nil {
		return err
	}
	p.EventID = matrix.EventID("$" + name + ":" + string(st.rooms.o.Signer.Server))
	p.Hashes = make(map[matrix.EventID]event.Hash)
	for _, t := range st.tips {
		p.Hashes[t.id] = t.hash
	}
	for _, k := range needed {
		if e := st.get(k); e != nil {
			p.Hashes[e.ID] = e.ReferenceHash()
		}
	}
	return nil
}

// setState puts a state event into the room's state and notes what that changes.
func (st *stage) setState(ctx context.Context, e *store.Event) error {
	k := event.Key{Type: e.Type, StateKey: *e.StateKey}
	old := st.get(k)
	if old != nil {
		e.Replaces = old.Order
	}
	if st.draft == nil {
		st.draft = st.rooms.store.Draft()
	}
	root, err := st.draft.Set(ctx, st.info.State, store.StateEntry{Key: k, Order: e.Order, ID: e.ID})
	if err != nil {
		return err
	}
	e.After = root
	st.info.State = root
	st.changed = true
	if st.state == nil {
		st.state = make(map[event.Key]*store.Event)
	}
	st.state[k] = e
	if e.Type == "m.room.member" {
		return st.setMember(ctx, e, old)
	}
	return nil
}

// accept moves the stage's head on to e.
func (st *stage) accept(e *store.Event) {
	if len(st.info.Heads) > 0 {
		st.info.Heads, st.changed = nil, true
	}
	st.order = e.Order
	st.tips = append(st.someTips[:0], tipOf(e))
	st.events = append(st.events, e)
}

// remember makes the stage's answer known to repetitions of the same request.
func (st *stage) remember(key string, id matrix.EventID) {
	st.recents = append(st.recents, recentAnswer{key, id})
}

// commit appends the stage to the log and moves the head on. The change is durable once the ticket says so.
func (st *stage) commit(ctx context.Context) (*store.Ticket, error) {
	t, err := st.rooms.store.AppendIf(ctx, st.h.generation, st.append)
	if err != nil {
		return nil, fmt.Errorf("appending to room %s: %w", st.info.ID, err)
	}
	st.fold(t.Pos())
	return t, nil
}

// commitBoth appends the stages of two rooms as one change.
func commitBoth(ctx context.Context, one, other *stage) (*store.Ticket, error) {
	generation := min(one.h.generation, other.h.generation) // if they differ, this one is stale
	t, err := one.rooms.store.AppendIf(ctx, generation, func(tx *store.Tx) {
		one.append(tx)
		other.append(tx)
	})
	if err != nil {
		return nil, fmt.Errorf("appending to rooms %s and %s: %w", one.info.ID, other.info.ID, err)
	}
	one.fold(t.Pos())
	other.fold(t.Pos())
	return t, nil
}

// append adds the stage to a change.
func (st *stage) append(tx *store.Tx) {
	if st.info.Num == 0 {
		st.number(tx)
	}
	if st.draft != nil {
		tx.PutDraft(st.draft)
	}
	for _, e := range st.events {
		tx.PutEvent(e)
	}
	for _, c := range st.joins {
		c.m.Pos = c.e.Pos
		tx.PutMembership(c.user, c.m)
	}
	for _, write := range st.writes {
		write(tx)
	}
	st.putRoom(tx)
}

func (st *stage) putRoom(tx *store.Tx) {
	if !st.changed {
		return
	}
	if n := len(st.events); n > 0 {
		st.info.Changed = st.events[n-1].Pos
	}
	info := st.info
	if st.h.info.Num == 0 {
		tx.PutNewRoom(&info)
		return
	}
	tx.PutRoom(&info)
}

// number gives a new room its number: a position of its own, before that of its first event.
func (st *stage) number(tx *store.Tx) {
	st.info.Num = store.RoomNum(tx.Note(store.Note{Kind: store.KindOther}))
	if len(st.events) > 0 {
		tx.Set(tableMade, madeKey(st.events[0].Sender, st.info.Num), []byte{})
	}
	for _, e := range st.events {
		e.Room = st.info.Num
	}
	for _, c := range st.joins {
		c.m.Room = st.info.Num
	}
}

// fold makes the head what the stage has become, once it was appended up to position pos.
func (st *stage) fold(pos store.Pos) {
	h := st.h
	h.info, h.order = st.info, st.order
	if len(st.events) > 0 {
		h.tips = append(h.tips[:0], st.tips...)
	}
	for k, e := range st.state {
		h.keep(k, e)
	}
	for user, m := range st.members {
		h.keepMember(user, m)
	}
	for _, a := range st.recents {
		h.recent.add(a.key, a.id, pos, st.rooms)
	}
	for _, k := range st.forgets {
		h.recent.remove(k)
	}
}
