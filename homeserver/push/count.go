package push

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

const tableCounts = "count"

// Count is a number of unread notifications.
type Count struct{ Notifications, Highlights int64 }

// Counts are a user's unread notifications in a room.
type Counts struct {
	Main    Count
	Threads map[matrix.EventID]Count // by the thread's root; only those that have any
}

type countKey struct {
	user matrix.UserID
	room store.RoomNum
}

// counted is a count that was found: of the events up to upTo.
type counted struct {
	upTo store.Order
	kept store.Order // up to here it is written down
	read readUpTo
	Counts
}

// readUpTo is what the user's receipts say was read.
type readUpTo struct {
	all     store.Order            // by unthreaded receipts
	threads map[string]store.Order // by receipts of "main" and of threads
}

const (
	countPage  = 500 // events that are read at once
	countsKept = 500 // events that are counted before the count is written down
)

func (p *Push) forget(k countKey) {
	p.mu.Lock()
	delete(p.counts, k)
	p.mu.Unlock()
}

// Counts returns a user's unread notifications in a room the user has joined.
func (p *Push) Counts(ctx context.Context, user matrix.UserID, room *store.Room) (Counts, error) {
	k := countKey{user, room.Num}
	newest, err := p.store.Newest(ctx, room.Num)
	if err != nil {
		return Counts{}, err
	}
	p.mu.Lock()
	have := p.counts[k]
	p.mu.Unlock()
	if have == nil {
		if have, err = p.begin(ctx, k); err != nil {
			return Counts{}, err
		}
	}
	if have.upTo < newest {
		if have, err = p.count(ctx, room, k, have, newest); err != nil {
			return Counts{}, err
		}
	}
	p.mu.Lock()
	if len(p.counts) >= maxCounts {
		clear(p.counts)
	}
	p.counts[k] = have
	p.mu.Unlock()
	return have.Counts, nil
}

// begin returns where counting starts: at what was written down, unless the user has read on since, at the user's
// receipt, or at the beginning of the stay.
func (p *Push) begin(ctx context.Context, k countKey) (*counted, error) {
	read, err := p.readUpTo(ctx, k)
	if err != nil {
		return nil, err
	}
	row, err := p.store.Row(ctx, tableCounts, []byte(string(k.user)+"\x00"+string(key8(store.Pos(k.room)))))
	if err != nil {
		return nil, err
	}
	if row != nil {
		if c, ok := readCount(row); ok && c.upTo > read.newest() && maps.Equal(c.read.threads, read.threads) && c.read.all == read.all {
			return c, nil
		}
	}
	start := read.all
	if start == 0 {
		m, err := p.store.Membership(ctx, k.user, k.room)
		if err != nil {
			return nil, err
		}
		if m != nil {
			start = m.Since
		}
	}
	return &counted{upTo: start, kept: start, read: *read}, nil
}

func (r *readUpTo) newest() store.Order {
	o := r.all
	for _, t := range r.threads {
		o = max(o, t)
	}
	return o
}

// covers reports whether an event of a thread has been read.
func (r *readUpTo) covers(thread matrix.EventID, o store.Order) bool {
	name := "main"
	if thread != "" {
		name = string(thread)
	}
	return o <= r.all || o <= r.threads[name]
}

func (p *Push) readUpTo(ctx context.Context, k countKey) (*readUpTo, error) {
	r := &readUpTo{}
	prefix := roomKey(k.room, []byte(string(k.user)+"\x00"))
	for row, err := range p.store.Scan(ctx, blob.Prefix(tableReceipts, prefix)) {
		if err != nil {
			return nil, fmt.Errorf("reading receipts: %w", err)
		}
		rec, err := readReceipt(row.Key[8:], row.Value)
		if err != nil {
			return nil, err
		}
		if rec.Thread == "" {
			r.all = max(r.all, rec.Order)
			continue
		}
		if r.threads == nil {
			r.threads = make(map[string]store.Order)
		}
		r.threads[rec.Thread] = max(r.threads[rec.Thread], rec.Order)
	}
	return r, nil
}

// count evaluates the rules for the events after have.upTo up to newest.
func (p *Push) count(ctx context.Context, room *store.Room, k countKey, have *counted, newest store.Order) (*counted, error) {
	rs, err := p.Rules(ctx, k.user)
	if err != nil {
		return nil, err
	}
	c := *have
	c.Threads = maps.Clone(have.Threads)
	for c.upTo < newest {
		end := min(newest, c.upTo+countPage)
		orders := make([]store.Order, 0, end-c.upTo)
		for o := c.upTo + 1; o <= end; o++ {
			orders = append(orders, o)
		}
		events, err := p.store.EventsAt(ctx, room.Num, orders...)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if err := p.countEvent(ctx, rs, room, e, &c); err != nil {
				return nil, err
			}
		}
		c.upTo = end
		if c.upTo-c.kept >= countsKept {
			if err := p.keep(ctx, k, &c); err != nil {
				return nil, err
			}
		}
	}
	return &c, nil
}

func (p *Push) countEvent(ctx context.Context, rs *Ruleset, room *store.Room, e *store.Event, c *counted) error {
	if e == nil || !e.Visible() || e.RedactedBy != 0 {
		return nil
	}
	if e.Sender == rs.User {
		return nil
	}
	o, err := rs.Evaluate(e.Event, &roomOf{ctx, p.store, room, e})
	if err != nil || !o.Notify {
		return err
	}
	thread, err := p.threadOf(ctx, e)
	if err != nil || c.read.covers(thread, e.Order) {
		return err
	}
	n := c.Main
	if thread != "" {
		n = c.Threads[thread]
	}
	n.Notifications++
	if o.Highlight {
		n.Highlights++
	}
	if thread == "" {
		c.Main = n
		return nil
	}
	if c.Threads == nil {
		c.Threads = make(map[matrix.EventID]Count)
	}
	c.Threads[thread] = n
	return nil
}

// keep writes a count down. It need not be durable: what is lost is counted again.
func (p *Push) keep(ctx context.Context, k countKey, c *counted) error {
	value := appendCount(nil, c)
	_, err := p.store.Append(ctx, func(tx *store.Tx) {
		tx.Set(tableCounts, []byte(string(k.user)+"\x00"+string(key8(store.Pos(k.room)))), value)
	})
	c.kept = c.upTo
	return err
}

// appendCount writes a count: upTo, what was read of all threads and the main counts as varints, then the number
// of threads that were read and for each its name and order, then for each thread with notifications its root and
// its counts; strings are an unsigned varint length and their bytes.
func appendCount(dst []byte, c *counted) []byte {
	for _, v := range []int64{int64(c.upTo), int64(c.read.all), c.Main.Notifications, c.Main.Highlights, int64(len(c.read.threads))} {
		dst = binary.AppendVarint(dst, v)
	}
	str := func(s string) { dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...) }
	for name, o := range c.read.threads {
		str(name)
		dst = binary.AppendVarint(dst, int64(o))
	}
	for root, n := range c.Threads {
		str(string(root))
		dst = binary.AppendVarint(dst, n.Notifications)
		dst = binary.AppendVarint(dst, n.Highlights)
	}
	return dst
}

func readCount(data []byte) (*counted, bool) {
	ok := true
	num := func() int64 {
		v, n := binary.Varint(data)
		if n <= 0 {
			ok, data = false, nil
			return 0
		}
		data = data[n:]
		return v
	}
	str := func() string {
		n, w := binary.Uvarint(data)
		if w <= 0 || n > uint64(len(data)-w) {
			ok, data = false, nil
			return ""
		}
		s := string(data[w : w+int(n)])
		data = data[w+int(n):]
		return s
	}
	c := &counted{}
	c.upTo, c.read.all = store.Order(num()), store.Order(num())
	c.Main = Count{num(), num()}
	c.kept = c.upTo
	for n := num(); n > 0 && ok; n-- {
		if c.read.threads == nil {
			c.read.threads = make(map[string]store.Order)
		}
		name := str()
		c.read.threads[name] = store.Order(num())
	}
	for ok && len(data) > 0 {
		if c.Threads == nil {
			c.Threads = make(map[matrix.EventID]Count)
		}
		root := matrix.EventID(str())
		c.Threads[root] = Count{num(), num()}
	}
	return c, ok
}

// roomOf answers what conditions ask of the room at an event.
type roomOf struct {
	ctx   context.Context // of the call that evaluates; a roomOf does not outlive it
	store *store.Store
	room  *store.Room
	e     *store.Event
}

func (r *roomOf) Joined() (int64, error) { return r.room.Joined, nil }

func (r *roomOf) DisplayName(u matrix.UserID) (string, error) {
	events, err := r.store.StateEvents(r.ctx, r.room.Num, r.room.State, event.Key{Type: "m.room.member", StateKey: string(u)})
	if err != nil || events[0] == nil {
		return "", err
	}
	name, _ := matrix.StringField(events[0].Content, "displayname")
	return name, nil
}

func (r *roomOf) MayNotify(sender matrix.UserID, key string) (bool, error) {
	events, err := r.store.StateEvents(r.ctx, r.room.Num, r.e.Before, event.Key{Type: "m.room.create"}, event.Key{Type: "m.room.power_levels"})
	if err != nil || events[0] == nil {
		return false, err
	}
	needed := int64(50)
	var power *event.Event
	if events[1] != nil {
		power = events[1].Event
		if n, ok := matrix.IntField(power.Content, "notifications", key); ok {
			needed = n
		}
	}
	return authrules.UserLevel(sender, events[0].Event, power) >= needed, nil
}
