package room

import (
	"context"
	"crypto/sha256"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
)

const tableAnnotations = "anno"

// relation is what an event's m.relates_to says.
type relation struct {
	relType string
	parent  matrix.EventID
	key     string // of an annotation
}

// spec: client-server-api#forming-relationships-between-events
func relationOf(content []byte) (r relation, ok bool) {
	raw, ok := matrix.Field(content, "m.relates_to")
	if !ok || !matrix.IsObject(raw) {
		return r, false
	}
	r.relType, ok = matrix.StringField(raw, "rel_type")
	parent, isID := matrix.StringField(raw, "event_id")
	r.parent = matrix.EventID(parent)
	r.key, _ = matrix.StringField(raw, "key")
	return r, ok && isID && r.relType != ""
}

// parentOf returns the event that e relates to, nil if e relates to none that is known in the room.
func (st *stage) parentOf(ctx context.Context, e *store.Event) (*store.Event, relation, error) {
	r, ok := relationOf(e.Content)
	if !ok || e.IsState() {
		return nil, r, nil
	}
	parent, err := st.rooms.store.Ahead().EventByID(ctx, r.parent)
	if err != nil || parent == nil || parent.Room != st.info.Num || !parent.Visible() {
		return nil, r, err
	}
	return parent, r, nil
}

// relate notes what a new event relates to: the index and the sum at its parent. A client's event that breaks the
// rules of its relation is refused.
func (st *stage) relate(ctx context.Context, e *store.Event) error {
	parent, r, err := st.parentOf(ctx, e)
	if err != nil || parent == nil {
		return err
	}
	sum := store.Aggregate{}
	if parent.Aggregate != nil {
		sum = *parent.Aggregate
	}
	switch r.relType {
	case "m.annotation":
		if err := st.annotate(ctx, e, parent, r); err != nil {
			return err
		}
		sum.Annotations++
	case "m.replace":
		newest, err := st.replaces(ctx, e, parent, sum.Edit)
		if err != nil {
			return err
		}
		if newest {
			sum.Edit = e.Order
		}
	case "m.thread":
		// spec: client-server-api#validation-of-mthread-relationships
		if _, ok := relationOf(parent.Content); ok {
			return matrix.Errorf(http.StatusBadRequest, matrix.MUnknown, "A thread cannot start from an event that has a relation itself")
		}
		if err := st.thread(ctx, e, parent, &sum); err != nil {
			return err
		}
	case "m.reference":
		sum.References++
	}
	st.putAggregate(parent, sum, func(tx *store.Tx) {
		tx.PutRelation(e.Room, store.Relation{Parent: parent.Order, Child: e.Order, RelType: r.relType, Type: e.Type})
	})
	return nil
}

// thread adds an event to the thread of which parent is the root.
func (st *stage) thread(ctx context.Context, e, parent *store.Event, sum *store.Aggregate) error {
	was := sum.ThreadLast
	sum.Thread++
	sum.ThreadLast = max(was, e.Order)
	last := sum.ThreadLast
	in, err := st.rooms.store.InThreads(ctx, e.Room, e.Sender, parent.Order)
	if err != nil {
		return err
	}
	if key := leftThread(e, parent); in[0] {
		_, left := st.h.recent.get(key) // which may not be durable yet
		in[0] = !left
		st.forgets = append(st.forgets, key)
	}
	st.writes = append(st.writes, func(tx *store.Tx) {
		tx.MoveThread(e.Room, parent.Order, was, last)
		if was == 0 {
			tx.JoinThread(e.Room, parent.Sender, parent.Order)
		}
		if !in[0] && (was != 0 || e.Sender != parent.Sender) {
			tx.JoinThread(e.Room, e.Sender, parent.Order)
		}
	})
	return nil
}

// leftThread is the key under which a room remembers that somebody takes part in a thread no longer.
func leftThread(e, parent *store.Event) string {
	return "left\x00" + string(e.Sender) + "\x00" + string(parent.ID)
}

// unthread takes an event that is redacted out of its thread.
func (st *stage) unthread(ctx context.Context, e, parent *store.Event, sum *store.Aggregate) error {
	was := sum.ThreadLast
	sum.Thread = max(0, sum.Thread-1)
	if err := st.rooms.store.Settle(ctx); err != nil { // so that the index has all that is in the thread
		return err
	}
	last, sender, err := st.restOfThread(ctx, parent, e)
	if err != nil {
		return err
	}
	if was == e.Order {
		sum.ThreadLast = last
	}
	last = sum.ThreadLast
	st.remember(leftThread(e, parent), e.ID)
	st.writes = append(st.writes, func(tx *store.Tx) {
		tx.MoveThread(e.Room, parent.Order, was, last)
		if !sender && e.Sender != parent.Sender {
			tx.LeaveThread(e.Room, e.Sender, parent.Order)
		}
		if last == 0 {
			tx.LeaveThread(e.Room, parent.Sender, parent.Order)
		}
	})
	return nil
}

func (st *stage) putAggregate(parent *store.Event, sum store.Aggregate, also func(tx *store.Tx)) {
	changed := *parent
	changed.Aggregate = &sum
	st.writes = append(st.writes, func(tx *store.Tx) {
		tx.PutAggregate(&changed)
		also(tx)
	})
}

// annotate refuses a second annotation of an event by the same user with the same type and key.
// spec: client-server-api#avoiding-duplicate-annotations
func (st *stage) annotate(ctx context.Context, e, parent *store.Event, r relation) error {
	key := annotationKey(e, parent, r)
	_, isRecent := st.h.recent.get(string(key))
	if !isRecent {
		row, err := st.rooms.store.Row(ctx, tableAnnotations, key)
		if err != nil {
			return err
		}
		isRecent = row != nil
	}
	if isRecent {
		return matrix.Errorf(http.StatusBadRequest, matrix.MDuplicateAnnotation, "You have annotated the event with this already")
	}
	st.writes = append(st.writes, func(tx *store.Tx) { tx.Set(tableAnnotations, key, []byte(e.ID)) })
	st.remember(string(key), e.ID)
	return nil
}

func annotationKey(e, parent *store.Event, r relation) []byte {
	h := sha256.Sum256([]byte(string(e.Sender) + "\x00" + e.Type + "\x00" + r.key))
	return append(store.Place(parent.Room, parent.Order), h[:16]...)
}

// replaces reports whether e is a valid edit of parent and newer than the present one.
// spec: client-server-api#validity-of-replacement-events
func (st *stage) replaces(ctx context.Context, e, parent *store.Event, present store.Order) (bool, error) {
	if !validEdit(e, parent) {
		return false, nil
	}
	if present == 0 {
		return true, nil
	}
	old, err := st.rooms.store.Ahead().EventsAt(ctx, e.Room, present)
	if err != nil || old[0] == nil {
		return err == nil, err
	}
	return newerEdit(e, old[0]), nil
}

func validEdit(e, parent *store.Event) bool {
	if e.Sender != parent.Sender || e.Type != parent.Type || parent.IsState() || e.RedactedBy != 0 {
		return false
	}
	if r, ok := relationOf(parent.Content); ok && r.relType == "m.replace" {
		return false
	}
	if parent.Type == "m.room.encrypted" {
		return true // what is inside only clients can see
	}
	content, ok := matrix.Field(e.Content, "m.new_content")
	return ok && matrix.IsObject(content)
}

// newerEdit orders edits by time, then by event id.
func newerEdit(a, b *store.Event) bool {
	if a.Time != b.Time {
		return a.Time > b.Time
	}
	return a.ID > b.ID
}

// unrelate takes an event that is redacted out of what it related to.
func (st *stage) unrelate(ctx context.Context, e *store.Event) error {
	parent, r, err := st.parentOf(ctx, e)
	if err != nil || parent == nil || parent.Aggregate == nil {
		return err
	}
	sum := *parent.Aggregate
	var annotation []byte
	switch r.relType {
	case "m.annotation":
		sum.Annotations = max(0, sum.Annotations-1)
		annotation = annotationKey(e, parent, r)
		st.forgets = append(st.forgets, string(annotation))
	case "m.replace":
		if sum.Edit == e.Order {
			if sum.Edit, err = st.latestEdit(ctx, parent, e.Order); err != nil {
				return err
			}
		}
	case "m.thread":
		if err := st.unthread(ctx, e, parent, &sum); err != nil {
			return err
		}
	case "m.reference":
		sum.References = max(0, sum.References-1)
	}
	st.putAggregate(parent, sum, func(tx *store.Tx) {
		tx.DeleteRelation(e.Room, parent.Order, e.Order)
		if annotation != nil {
			tx.Delete(tableAnnotations, annotation)
		}
		if r.relType == "m.replace" {
			tx.Note(store.Note{Kind: store.KindUnedited, Room: e.Room, Order: parent.Order})
		}
	})
	return nil
}

// maxEdits bounds how many relations are read to find the edit that takes the place of a redacted one.
const maxEdits = 1000

func (st *stage) latestEdit(ctx context.Context, parent *store.Event, except store.Order) (store.Order, error) {
	var orders []store.Order
	for rel, err := range st.rooms.store.Relations(ctx, parent.Room, parent.Order, store.MinOrder, store.MaxOrder, true) {
		if err != nil {
			return 0, err
		}
		if rel.RelType == "m.replace" && rel.Child != except {
			orders = append(orders, rel.Child)
		}
		if len(orders) == maxEdits {
			break
		}
	}
	events, err := st.rooms.store.Ahead().EventsAt(ctx, parent.Room, orders...)
	if err != nil {
		return 0, err
	}
	var newest *store.Event
	for _, e := range events {
		if e != nil && validEdit(e, parent) && (newest == nil || newerEdit(e, newest)) {
			newest = e
		}
	}
	if newest == nil {
		return 0, nil
	}
	return newest.Order, nil
}

// restOfThread looks at a thread without one of its events: which is the newest that is not redacted, 0 if there is
// none, and whether the sender of the one takes part in it still, which is assumed of long threads.
func (st *stage) restOfThread(ctx context.Context, parent, except *store.Event) (last store.Order, sender bool, err error) {
	read := 0
	for rel, err := range st.rooms.store.Relations(ctx, parent.Room, parent.Order, store.MinOrder, store.MaxOrder, true) {
		if err != nil {
			return 0, false, err
		}
		if rel.RelType != "m.thread" || rel.Child == except.Order {
			continue
		}
		child, err := st.rooms.store.Ahead().EventsAt(ctx, parent.Room, rel.Child)
		if err != nil {
			return 0, false, err
		}
		if child[0] == nil || child[0].RedactedBy != 0 { // the index may not be durable yet
			continue
		}
		if last == 0 {
			last = rel.Child
		}
		sender = sender || child[0].Sender == except.Sender
		if read++; sender || read == maxEdits {
			return last, true, nil
		}
	}
	return last, sender, nil
}
