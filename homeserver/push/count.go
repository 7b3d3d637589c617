package push

import (
	"context"
	"fmt"
	"maps"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// Count is a number of unread notifications.
type Count struct{ Notifications, Highlights int64 }

// Counts are a user's unread notifications in a room.
type Counts struct {
	Main    Count
	Threads map[matrix.EventID]Count // by the thread's root; only those that have any; not to be changed
}

// Total returns the counts of all threads and the main timeline together.
func (c *Counts) Total() Count {
	total := c.Main
	for _, t := range c.Threads {
		total.Notifications += t.Notifications
		total.Highlights += t.Highlights
	}
	return total
}

type countKey struct {
	user matrix.UserID
	room store.RoomNum
}

// counted is a count that was found: of the events after start and up to upTo. It is not changed once kept.
type counted struct {
	start, upTo store.Order
	since       store.Order // of the event with which the user's stay began
	rules       store.Pos   // of the newest change of the rules and of whom the user ignores
	kept        store.Order // up to here it is written down
	read        readUpTo
	Counts
}

// readUpTo is what the user's receipts say was read. It is not changed once made.
type readUpTo struct {
	all     store.Order            // by unthreaded receipts
	threads map[string]store.Order // by receipts of "main" and of threads
}

const (
	countPage  = 256  // events that are read at once
	countsKept = 1000 // events that are counted before the count is written down
	recounted  = 2000 // events that are counted anew at most when one of them was redacted
)

// Counts returns a user's unread notifications in a room that the user has joined by the event with the order since.
// All events that are durable are counted.
// spec: client-server-api#receiving-notifications
func (p *Push) Counts(ctx context.Context, user matrix.UserID, room *store.Room, since store.Order) (Counts, error) {
	k := countKey{user, room.Num}
	rs, err := p.Rules(ctx, user)
	if err != nil {
		return Counts{}, err
	}
	ignored, err := p.accounts.Ignored(ctx, user)
	if err != nil {
		return Counts{}, err
	}
	rules := max(rs.Pos, ignored.Pos)
	newest, err := p.store.Newest(ctx, room.Num)
	if err != nil {
		return Counts{}, err
	}
	have, ok, version := p.counts.Get(k)
	if ok && have.rules == rules && have.since == since && have.upTo >= newest {
		return have.Counts, nil
	}
	if !ok || have.rules != rules || have.since != since {
		if have, err = p.begin(ctx, k, since, rules, newest); err != nil {
			return Counts{}, err
		}
	}
	n := &counting{p: p, rs: rs, ignored: ignored, room: room, c: have, from: have.upTo}
	if err := n.count(ctx, newest); err != nil {
		return Counts{}, err
	}
	if n.c.upTo-n.c.kept >= countsKept {
		if err := p.keep(ctx, k, n.c); err != nil {
			return Counts{}, err
		}
	}
	p.counts.Put(k, version, n.c)
	return n.c.Counts, nil
}

// begin returns where counting begins: at the user's receipt or the beginning of the stay, or, if that is far behind
// the newest event, at what was written down unless the user has read on or changed the rules since.
func (p *Push) begin(ctx context.Context, k countKey, since store.Order, rules store.Pos, newest store.Order) (*counted, error) {
	read, err := p.readUpTo(ctx, k)
	if err != nil {
		return nil, err
	}
	start := max(since, read.all)
	fresh := &counted{start: start, upTo: start, since: since, rules: rules, kept: start, read: *read}
	if newest-start < countPage {
		return fresh, nil
	}
	row, err := p.store.Row(ctx, tableCounts, countRow(k))
	if err != nil {
		return nil, fmt.Errorf("reading a count of %s: %w", k.user, err)
	}
	if c, ok := readCount(row); ok && c.rules == rules && c.since == since && c.read.all == read.all && maps.Equal(c.read.threads, read.threads) {
		return c, nil
	}
	return fresh, nil
}

// Unread reports whether a room that the user has joined has any event after what the user has read of all threads: if
// not, no rules make the counts other than 0.
func (p *Push) Unread(ctx context.Context, user matrix.UserID, room store.RoomNum, since store.Order) (bool, error) {
	newest, err := p.store.Newest(ctx, room)
	if err != nil {
		return false, err
	}
	read, err := p.readUpTo(ctx, countKey{user, room})
	return err == nil && newest > max(since, read.all), err
}

func (p *Push) readUpTo(ctx context.Context, k countKey) (*readUpTo, error) {
	r, ok, version := p.reads.Get(k)
	if ok {
		return r, nil
	}
	own, err := p.own(ctx, k)
	if err != nil {
		return nil, err
	}
	r = upTo(own, k.user)
	p.reads.Put(k, version, r)
	return r, nil
}

// upTo sums up what receipts, of a room, say of a user.
func upTo(receipts []Receipt, user matrix.UserID) *readUpTo {
	r := &readUpTo{}
	for i := range receipts {
		rec := &receipts[i]
		if rec.User != user {
			continue
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
	return r
}

// covers reports whether an event of a thread has been read.
func (r *readUpTo) covers(thread matrix.EventID, o store.Order) bool {
	name := "main"
	if thread != "" {
		name = string(thread)
	}
	return o <= r.all || o <= r.threads[name]
}

// counting is the evaluation of the rules for a user's unread events.
type counting struct {
	p       *Push
	rs      *Ruleset
	ignored *account.Ignored
	room    *store.Room
	c       *counted    // the count so far
	from    store.Order // up to here c was known before
}

// count counts the events up to newest, and anew those that were counted before if one of them was redacted since.
func (n *counting) count(ctx context.Context, newest store.Order) error {
	c := *n.c
	c.Threads = maps.Clone(c.Threads)
	n.c = &c
	again, err := n.pass(ctx, newest)
	if err != nil || !again {
		return err
	}
	n.c = &counted{start: c.start, upTo: c.start, since: c.since, rules: c.rules, kept: c.kept, read: c.read}
	n.from = c.start
	_, err = n.pass(ctx, newest)
	return err
}

func (n *counting) pass(ctx context.Context, newest store.Order) (again bool, err error) {
	for n.c.upTo < newest {
		end := min(newest, n.c.upTo+countPage)
		events, err := n.p.store.Span(ctx, n.room.Num, n.c.upTo+1, end)
		if err != nil {
			return false, err
		}
		for _, e := range events {
			if !e.Visible() {
				continue
			}
			if e.Redacts != "" && !again {
				if again, err = n.redacts(ctx, e); err != nil {
					return false, err
				}
			}
			if err := n.event(ctx, e); err != nil {
				return false, err
			}
		}
		n.c.upTo = end
	}
	return again, nil
}

// redacts reports whether an event redacts one that was counted before, so that counting anew is worth it.
func (n *counting) redacts(ctx context.Context, e *store.Event) (bool, error) {
	if n.from-n.c.start > recounted {
		return false, nil
	}
	room, order, ok, err := n.p.store.FindEvent(ctx, e.Redacts)
	return ok && room == n.room.Num && order > n.c.start && order <= n.from, err
}

// event counts an event. One of the user's own marks as read what came before it in its thread.
// spec: client-server-api#marking-notifications-as-read
func (n *counting) event(ctx context.Context, e *store.Event) error {
	if e.Sender == n.rs.User {
		if e.IsState() || e.Redacts != "" {
			return nil
		}
		thread, err := n.p.threadOf(ctx, e)
		n.set(thread, Count{})
		return err
	}
	if e.RedactedBy != 0 || n.ignored.Has(e.Sender) {
		return nil
	}
	o, err := n.rs.Evaluate(e.Event, &roomOf{ctx, n.p.store, n.room, e})
	if err != nil || !o.Notify {
		return err
	}
	thread, err := n.p.threadOf(ctx, e)
	if err != nil || n.c.read.covers(thread, e.Order) {
		return err
	}
	count := n.c.Main
	if thread != "" {
		count = n.c.Threads[thread]
	}
	count.Notifications++
	if o.Highlight {
		count.Highlights++
	}
	n.set(thread, count)
	return nil
}

// maxThreads bounds the threads of a room that are counted apart; notifications of further ones are counted with the
// main timeline.
const maxThreads = 1000

func (n *counting) set(thread matrix.EventID, count Count) {
	_, known := n.c.Threads[thread]
	switch {
	case thread == "":
		n.c.Main = count
	case count == Count{}:
		delete(n.c.Threads, thread)
	case !known && len(n.c.Threads) >= maxThreads:
		n.c.Main.Notifications += count.Notifications
		n.c.Main.Highlights += count.Highlights
	default:
		if n.c.Threads == nil {
			n.c.Threads = make(map[matrix.EventID]Count)
		}
		n.c.Threads[thread] = count
	}
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
