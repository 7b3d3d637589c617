package e2ee

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// The limits of one device's queue, in messages and their bytes.
const (
	MaxQueued      = 5000
	MaxQueuedBytes = 16 << 20
)

// maxQueues is how many queues' sizes are kept in memory, beside those in use.
const maxQueues = 4096

// queues knows how much waits for the devices that were looked at lately, so that most devices need no look at the
// disk to learn that nothing waits for them.
type queues struct {
	mu   sync.Mutex // guards open, and every queue's uses, count and bytes
	open map[string]*queue
}

// queue is what is known of one device's queue. Its numbers are never less than what is on the disk: what is sent is
// counted before it is written, what is removed afterwards.
type queue struct {
	key    string        // queueKey of the device
	edit   chan struct{} // full while someone reads the queue's size or removes messages
	loaded bool          // whoever holds edit may read and set it
	uses   int           // while it is not 0 the queue is not forgotten
	count  int
	bytes  int
}

func newQueues() *queues { return &queues{open: make(map[string]*queue)} }

// take returns a queue that is not forgotten until release.
func (qs *queues) take(key string) *queue {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	q := qs.open[key]
	if q == nil {
		qs.forgetOne()
		q = &queue{key: key, edit: make(chan struct{}, 1)}
		qs.open[key] = q
	}
	q.uses++
	return q
}

// forgetOne makes room for another queue. Called with the lock held.
func (qs *queues) forgetOne() {
	if len(qs.open) < maxQueues {
		return
	}
	for key, q := range qs.open {
		if q.uses == 0 {
			delete(qs.open, key)
			return
		}
	}
}

func (qs *queues) release(q *queue) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	q.uses--
	if q.uses == 0 && len(qs.open) > maxQueues {
		delete(qs.open, q.key)
	}
}

func (qs *queues) count(q *queue, messages, bytes int) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	q.count += messages
	q.bytes += bytes
}

func (qs *queues) size(q *queue) (messages, bytes int) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	return q.count, q.bytes
}

// open takes a device's queue and makes sure that its size is known. The caller releases it.
func (e *E2EE) open(ctx context.Context, user matrix.UserID, device string) (*queue, error) {
	q := e.queues.take(string(queueKey(user, device)))
	if err := e.load(ctx, q); err != nil {
		e.queues.release(q)
		return nil, fmt.Errorf("reading the messages for device %q of %s: %w", device, user, err)
	}
	return q, nil
}

func (q *queue) lock(ctx context.Context) error {
	select {
	case q.edit <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *queue) unlock() { <-q.edit }

// load counts what is on the disk, once. Nothing is on its way there then: whoever sends has loaded the queue first.
func (e *E2EE) load(ctx context.Context, q *queue) error {
	if err := q.lock(ctx); err != nil {
		return err
	}
	defer q.unlock()
	if q.loaded {
		return nil
	}
	count, bytes := 0, 0
	for row, err := range e.store.Scan(ctx, blob.Prefix(tableMessages, []byte(q.key))) {
		if err != nil {
			return err
		}
		count++
		bytes += len(row.Value)
	}
	e.queues.count(q, count, bytes)
	q.loaded = true
	return nil
}

// waiting is a message in a queue that is too full.
type waiting struct {
	key  []byte
	size int
}

// makeRoom drops messages if one of so many bytes more would be too much.
func (e *E2EE) makeRoom(ctx context.Context, q *queue, size int) error {
	if count, bytes := e.queues.size(q); count < MaxQueued && bytes+size <= MaxQueuedBytes {
		return nil
	}
	if err := q.lock(ctx); err != nil {
		return err
	}
	defer q.unlock()
	bySender := make(map[string][]waiting)
	count, bytes := 0, size
	for row, err := range e.store.Scan(ctx, blob.Prefix(tableMessages, []byte(q.key))) {
		if err != nil {
			return fmt.Errorf("reading a full queue: %w", err)
		}
		sender, _ := matrix.StringField(row.Value, "sender")
		bySender[sender] = append(bySender[sender], waiting{slices.Clone(row.Key), len(row.Value)})
		count++
		bytes += len(row.Value)
	}
	return e.remove(ctx, q, surplus(bySender, count, bytes))
}

// surplus chooses the messages to drop: of whoever has the most bytes the oldest, until a quarter is free.
func surplus(bySender map[string][]waiting, count, bytes int) []waiting {
	held := make(map[string]int, len(bySender))
	for sender, messages := range bySender {
		for _, m := range messages {
			held[sender] += m.size
		}
	}
	var drop []waiting
	for count > 0 && (count > MaxQueued*3/4 || bytes > MaxQueuedBytes*3/4) {
		most := ""
		for sender, n := range held {
			if n > held[most] || n == held[most] && sender < most {
				most = sender
			}
		}
		first := bySender[most][0]
		bySender[most] = bySender[most][1:]
		held[most] -= first.size
		if len(bySender[most]) == 0 {
			delete(held, most)
		}
		drop = append(drop, first)
		count--
		bytes -= first.size
	}
	return drop
}

// remove deletes messages of a queue whose edit the caller holds.
func (e *E2EE) remove(ctx context.Context, q *queue, messages []waiting) error {
	if len(messages) == 0 {
		return nil
	}
	t, err := e.store.Append(ctx, func(tx *store.Tx) {
		for _, m := range messages {
			tx.Delete(tableMessages, m.key)
		}
	})
	if err == nil {
		err = t.Wait(context.WithoutCancel(ctx))
	}
	if err != nil {
		return fmt.Errorf("removing messages of a queue: %w", err)
	}
	bytes := 0
	for _, m := range messages {
		bytes += m.size
	}
	e.queues.count(q, -len(messages), -bytes)
	return nil
}

// Message is one that waits for a device.
type Message struct {
	Pos  store.Pos
	JSON []byte // with sender, type and content
}

// maxPageBytes is how many bytes of messages ToDevice returns at most, unless the first alone has more.
const maxPageBytes = 1 << 20

// ToDevice returns what waits for a device and was sent after a position and not after upTo, oldest first, at most
// limit messages of a MiB together. more says that there may be others behind them: who passes over those must not
// acknowledge beyond the last one that was returned.
func (e *E2EE) ToDevice(ctx context.Context, user matrix.UserID, device string, after, upTo store.Pos, limit int) (out []Message, more bool, err error) {
	q, err := e.open(ctx, user, device)
	if err != nil {
		return nil, false, err
	}
	defer e.queues.release(q)
	if count, _ := e.queues.size(q); count == 0 || upTo <= after {
		return nil, false, nil
	}
	bytes := 0
	r := blob.Range{Table: tableMessages, From: messageKey(user, device, after+1), To: end(user, device, upTo), Limit: limit}
	for row, err := range e.store.Scan(ctx, r) {
		if err != nil {
			return nil, false, fmt.Errorf("reading the messages for device %q of %s: %w", device, user, err)
		}
		if bytes += len(row.Value); bytes > maxPageBytes && len(out) > 0 {
			return out, true, nil
		}
		out = append(out, Message{position(row.Key), row.Value})
	}
	return out, len(out) == limit, nil
}

// end is the key after all messages up to a position.
func end(user matrix.UserID, device string, upTo store.Pos) []byte {
	if upTo == ^store.Pos(0) {
		return blob.PrefixEnd(queueKey(user, device))
	}
	return messageKey(user, device, upTo+1)
}

func position(key []byte) store.Pos {
	return store.Pos(binary.BigEndian.Uint64(key[len(key)-8:]))
}

// removePage is how many messages are removed by one change.
const removePage = 1000

// Acknowledge removes what was sent to a device up to a position: the device has it.
func (e *E2EE) Acknowledge(ctx context.Context, user matrix.UserID, device string, upTo store.Pos) error {
	q, err := e.open(ctx, user, device)
	if err != nil {
		return err
	}
	defer e.queues.release(q)
	if count, _ := e.queues.size(q); count == 0 {
		return nil
	}
	if err := q.lock(ctx); err != nil {
		return err
	}
	defer q.unlock()
	r := blob.Range{Table: tableMessages, From: queueKey(user, device), To: end(user, device, upTo), Limit: removePage}
	for {
		var page []waiting
		for row, err := range e.store.Scan(ctx, r) {
			if err != nil {
				return fmt.Errorf("reading the messages for device %q of %s: %w", device, user, err)
			}
			page = append(page, waiting{slices.Clone(row.Key), len(row.Value)})
		}
		if err := e.remove(ctx, q, page); err != nil || len(page) < removePage {
			return err
		}
	}
}

// Forget removes all that waits for a device, which is gone.
func (e *E2EE) Forget(ctx context.Context, user matrix.UserID, device string) error {
	return e.Acknowledge(ctx, user, device, ^store.Pos(0))
}
