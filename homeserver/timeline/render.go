package timeline

import (
	"context"
	"slices"
	"strconv"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
)

// View is for whom and when events are rendered.
type View struct {
	User   matrix.UserID
	Device string
	Now    int64 // ms since 1970
	InSync bool  // leave out room_id, which the answer of /sync gives once a room
	// Federation gives the event as servers exchange it: the "federation" event_format of filters.
	Federation bool
	// Eyes, unless it is nil, hides the redactions, edits and thread events that the user may not see, of the one
	// room that is theirs: those who left see no later ones.
	Eyes *Eyes
	// Ignored are those whose messages are not bundled with others: a thread's last event is the last of somebody else.
	Ignored *account.Ignored
	// Holes, unless it is nil, collects where to put what depends on when and by which device an event is read;
	// Append leaves that out then, and Fill puts it in. So a rendering can be kept and used again.
	Holes      *[]Hole
	extras     map[place]*store.Event
	threads    map[place]thread
	references map[place][]matrix.EventID
}

type place struct {
	room  store.RoomNum
	order store.Order
}

// thread is what of a thread depends on who reads it.
type thread struct {
	joined bool         // the user takes part in it
	less   int64        // events of ignored users
	last   *store.Event // of those who are not ignored, if the last of all is of an ignored user
}

// Prepare reads what rendering these events of one room needs beside them: what they replaced, what redacted them,
// their newest edit and thread event. Most events need nothing.
func (t *Timeline) Prepare(ctx context.Context, v *View, events []*store.Event) error {
	if err := t.referring(ctx, v, events); err != nil {
		return err
	}
	for range 2 { // an edit or a thread's last event may itself be redacted or edited
		var orders []store.Order
		var room store.RoomNum
		for _, e := range events {
			for _, o := range related(e) {
				if _, ok := v.extras[place{e.Room, o}]; o != 0 && !ok {
					orders, room = append(orders, o), e.Room
				}
			}
		}
		if len(orders) == 0 {
			break
		}
		more, err := t.store.EventsAt(ctx, room, orders...)
		if err != nil {
			return err
		}
		if v.extras == nil {
			v.extras = make(map[place]*store.Event, len(more))
		}
		found := events[:0:0]
		if err := v.hide(ctx, events, orders, more); err != nil {
			return err
		}
		for i, e := range more {
			v.extras[place{room, orders[i]}] = e
			if e != nil {
				found = append(found, e)
			}
		}
		lasts, err := t.participation(ctx, v, events)
		if err != nil {
			return err
		}
		events = append(found, lasts...)
	}
	return nil
}

// hide sets those to nil which the user may not see. What a state event replaced is part of the event itself.
func (v *View) hide(ctx context.Context, events []*store.Event, orders []store.Order, more []*store.Event) error {
	if v.Eyes == nil {
		return nil
	}
	for i, e := range more {
		replaced := func(by *store.Event) bool { return by.Replaces == orders[i] }
		if e == nil || slices.ContainsFunc(events, replaced) {
			continue
		}
		ok, _, err := v.Eyes.Sees(ctx, e)
		if err != nil {
			return err
		}
		if !ok {
			more[i] = nil
		}
	}
	return nil
}

// maxReferences bounds the references that are bundled with one event.
const maxReferences = 100

// referring finds what refers to these events.
func (t *Timeline) referring(ctx context.Context, v *View, events []*store.Event) error {
	for _, e := range events {
		if e.Aggregate == nil || e.Aggregate.References == 0 {
			continue
		}
		var orders []store.Order
		for rel, err := range t.store.Relations(ctx, e.Room, e.Order, store.MinOrder, store.MaxOrder, false) {
			if err != nil {
				return err
			}
			if rel.RelType == "m.reference" {
				orders = append(orders, rel.Child)
			}
			if len(orders) == maxReferences {
				break
			}
		}
		children, err := t.store.EventsAt(ctx, e.Room, orders...)
		if err != nil {
			return err
		}
		if v.references == nil {
			v.references = make(map[place][]matrix.EventID)
		}
		var ids []matrix.EventID
		if err := v.hide(ctx, nil, orders, children); err != nil {
			return err
		}
		for _, c := range children {
			if c != nil {
				ids = append(ids, c.ID)
			}
		}
		v.references[place{e.Room, e.Order}] = ids
	}
	return nil
}

func related(e *store.Event) [4]store.Order {
	out := [4]store.Order{e.Replaces, e.RedactedBy}
	if e.Aggregate != nil {
		out[2], out[3] = e.Aggregate.Edit, e.Aggregate.ThreadLast
	}
	return out
}

// maxThread bounds how many events of a thread are read to find out what depends on its reader.
const maxThread = 200

// participation finds out in which threads the user takes part, and returns their last events that are shown instead
// of an ignored user's.
func (t *Timeline) participation(ctx context.Context, v *View, events []*store.Event) (lasts []*store.Event, err error) {
	for _, e := range events {
		if e.Aggregate == nil || e.Aggregate.Thread == 0 {
			continue
		}
		th := thread{joined: e.Sender == v.User}
		if !th.joined || v.Ignored.Len() > 0 {
			if th, err = t.thread(ctx, v, e); err != nil {
				return nil, err
			}
		}
		if v.threads == nil {
			v.threads = make(map[place]thread)
		}
		v.threads[place{e.Room, e.Order}] = th
		if th.last != nil {
			lasts = append(lasts, th.last)
		}
	}
	return lasts, nil
}

// thread reads the newest events of the thread of which root is the root.
func (t *Timeline) thread(ctx context.Context, v *View, root *store.Event) (thread, error) {
	th := thread{joined: root.Sender == v.User}
	var orders []store.Order
	for rel, err := range t.store.Relations(ctx, root.Room, root.Order, store.MinOrder, store.MaxOrder, true) {
		if err != nil {
			return th, err
		}
		if rel.RelType == "m.thread" {
			orders = append(orders, rel.Child)
		}
		if len(orders) == maxThread {
			break
		}
	}
	children, err := t.store.EventsAt(ctx, root.Room, orders...)
	if err != nil {
		return th, err
	}
	for _, c := range children {
		th.joined = th.joined || c != nil && c.Sender == v.User
		if v.ignores(c) {
			th.less++
		}
	}
	if len(children) == 0 || !v.ignores(children[0]) {
		return th, nil
	}
	if err := v.hide(ctx, nil, orders, children); err != nil {
		return th, err
	}
	if i := slices.IndexFunc(children, func(c *store.Event) bool { return c != nil && !v.ignores(c) }); i >= 0 {
		th.last = children[i]
	}
	return th, nil
}

// ignores reports whether an event is nothing that the user wants to see bundled.
func (v *View) ignores(e *store.Event) bool {
	return e != nil && v.Ignored.Has(e.Sender) && !e.IsState()
}

// last returns the last event of a thread as the user sees it, nil if there is none.
func (v *View) last(root *store.Event) *store.Event {
	if th := v.threads[place{root.Room, root.Order}]; th.last != nil {
		return th.last
	}
	last := v.extras[place{root.Room, root.Aggregate.ThreadLast}]
	if v.ignores(last) {
		return nil
	}
	return last
}

// Append writes an event as clients get it. membership is the user's at the event, "" if it is not known.
// spec: client-server-api#room-event-format
func (v *View) Append(dst []byte, e *store.Event, membership string) []byte {
	if v.Federation {
		return v.appendFederation(dst, e)
	}
	dst = append(dst, `{"content":`...)
	dst = append(dst, v.content(e)...)
	dst = append(dst, `,"event_id":`...)
	dst = matrix.AppendString(dst, string(e.ID))
	dst = append(dst, `,"origin_server_ts":`...)
	dst = strconv.AppendInt(dst, e.Time, 10)
	if e.Redacts != "" {
		dst = append(dst, `,"redacts":`...)
		dst = matrix.AppendString(dst, string(e.Redacts))
	}
	if !v.InSync {
		dst = append(dst, `,"room_id":`...)
		dst = matrix.AppendString(dst, string(e.RoomID))
	}
	dst = append(dst, `,"sender":`...)
	dst = matrix.AppendString(dst, string(e.Sender))
	if e.StateKey != nil {
		dst = append(dst, `,"state_key":`...)
		dst = matrix.AppendString(dst, *e.StateKey)
	}
	dst = append(dst, `,"type":`...)
	dst = matrix.AppendString(dst, e.Type)
	dst = append(dst, `,"unsigned":`...)
	dst = v.appendUnsigned(dst, e, membership)
	return append(dst, '}')
}

// content returns the event's content; redactions of older room versions name their target in it too.
// spec: rooms/v11#moving-the-redacts-property-of-mroomredaction-events-to-a-content-property
func (v *View) content(e *store.Event) []byte {
	if e.Redacts == "" || e.Version.RedactsInContent {
		return e.Content
	}
	return matrix.With(nil, e.Content, "redacts", matrix.AppendString(nil, string(e.Redacts)))
}

func (v *View) appendFederation(dst []byte, e *store.Event) []byte {
	dst = append(dst, e.JSON[:len(e.JSON)-1]...)
	if !e.Version.IsPaired() {
		dst = append(dst, `,"event_id":`...)
		dst = matrix.AppendString(dst, string(e.ID))
	}
	dst = append(dst, `,"unsigned":`...)
	dst = v.appendUnsigned(dst, e, "")
	return append(dst, '}')
}

func (v *View) appendUnsigned(dst []byte, e *store.Event, membership string) []byte {
	dst = append(dst, `{"age":`...)
	dst = v.appendAge(dst, e)
	if membership != "" {
		dst = append(dst, `,"membership":`...)
		dst = matrix.AppendString(dst, membership)
	}
	if old := v.extras[place{e.Room, e.Replaces}]; e.Replaces != 0 && old != nil {
		dst = append(dst, `,"prev_content":`...)
		dst = append(dst, old.Content...)
		dst = append(dst, `,"prev_sender":`...)
		dst = matrix.AppendString(dst, string(old.Sender))
		dst = append(dst, `,"replaces_state":`...)
		dst = matrix.AppendString(dst, string(old.ID))
	}
	if by := v.extras[place{e.Room, e.RedactedBy}]; e.RedactedBy != 0 && by != nil {
		dst = append(dst, `,"redacted_because":`...)
		dst = v.Append(dst, by, "")
	}
	if e.Txn != "" && e.Sender == v.User {
		dst = v.appendTransaction(dst, e)
	}
	dst = v.appendRelations(dst, e)
	return append(dst, '}')
}

// appendRelations writes the bundled aggregations.
// spec: client-server-api#aggregations-of-child-events
func (v *View) appendRelations(dst []byte, e *store.Event) []byte {
	if e.Aggregate == nil || e.RedactedBy != 0 {
		return dst
	}
	edit := v.extras[place{e.Room, e.Aggregate.Edit}]
	last := v.last(e)
	sep := `,"m.relations":{`
	if e.Aggregate.Edit != 0 && edit != nil {
		dst = append(dst, sep...)
		dst = append(dst, `"m.replace":`...)
		dst = v.Append(dst, edit, "")
		sep = ","
	}
	if e.Aggregate.Thread > 0 && last != nil {
		th := v.threads[place{e.Room, e.Order}]
		dst = append(dst, sep...)
		dst = append(dst, `"m.thread":{"count":`...)
		dst = strconv.AppendInt(dst, e.Aggregate.Thread-th.less, 10)
		dst = append(dst, `,"current_user_participated":`...)
		dst = strconv.AppendBool(dst, th.joined)
		dst = append(dst, `,"latest_event":`...)
		dst = v.Append(dst, last, "")
		dst = append(dst, '}')
		sep = ","
	}
	if refs := v.references[place{e.Room, e.Order}]; len(refs) > 0 {
		dst = append(dst, sep...)
		dst = append(dst, `"m.reference":{"chunk":[`...)
		for i, id := range refs {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, `{"event_id":`...)
			dst = matrix.AppendString(dst, string(id))
			dst = append(dst, '}')
		}
		dst = append(dst, `]}`...)
		sep = ","
	}
	if sep == "," {
		dst = append(dst, '}')
	}
	return dst
}
