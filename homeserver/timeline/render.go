package timeline

import (
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
	Holes *[]Hole

	// What Prepare has read.
	extras     map[place]*store.Event
	edits      map[place]store.Order // of events whose newest edit the user may not see: the newest of the others
	threads    map[place]threadSum
	references map[place][]matrix.EventID
}

type place struct {
	room  store.RoomNum
	order store.Order
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
		dst = v.bare().Append(dst, by, "")
	}
	if e.Txn != "" && e.Sender == v.User {
		dst = v.appendTransaction(dst, e)
	}
	dst = v.appendRelations(dst, e)
	return append(dst, '}')
}

// bare is the view without what Prepare has read. A redaction is shown so inside of what it redacted: it may itself have
// been redacted, and so on, and a page of such a chain would grow with the square of its length.
func (v *View) bare() *View {
	b := *v
	b.extras, b.edits, b.threads, b.references = nil, nil, nil, nil
	return &b
}

// appendRelations writes the bundled aggregations.
// spec: client-server-api#aggregations-of-child-events
func (v *View) appendRelations(dst []byte, e *store.Event) []byte {
	if !bundles(e) {
		return dst
	}
	before := len(dst)
	dst = append(dst, `,"m.relations":{`...)
	start := len(dst)
	k := place{e.Room, e.Order}
	if edit := v.extras[place{e.Room, v.edit(e)}]; edit != nil && v.edit(e) != 0 {
		dst = v.Append(append(dst, `"m.replace":`...), edit, "")
	}
	if sum := v.threads[k]; sum.last != 0 && v.extras[place{e.Room, sum.last}] != nil {
		dst = v.appendThread(appendComma(dst, start), &sum, v.extras[place{e.Room, sum.last}])
	}
	if ids := v.references[k]; len(ids) > 0 {
		dst = appendReferences(appendComma(dst, start), ids)
	}
	if len(dst) == start {
		return dst[:before]
	}
	return append(dst, '}')
}

// appendComma writes a comma unless nothing was written since start.
func appendComma(dst []byte, start int) []byte {
	if len(dst) > start {
		return append(dst, ',')
	}
	return dst
}

// spec: client-server-api#server-side-aggregation-of-mthread-relationships
func (v *View) appendThread(dst []byte, sum *threadSum, last *store.Event) []byte {
	dst = append(dst, `"m.thread":{"count":`...)
	dst = strconv.AppendInt(dst, sum.count, 10)
	dst = append(dst, `,"current_user_participated":`...)
	dst = strconv.AppendBool(dst, sum.mine)
	dst = append(dst, `,"latest_event":`...)
	return append(v.Append(dst, last, ""), '}')
}

// spec: client-server-api#server-side-aggregation-of-mreference
func appendReferences(dst []byte, ids []matrix.EventID) []byte {
	dst = append(dst, `"m.reference":{"chunk":[`...)
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"event_id":`...)
		dst = append(matrix.AppendString(dst, string(id)), '}')
	}
	return append(dst, `]}`...)
}
