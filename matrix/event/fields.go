package event

import (
	"fmt"
	"slices"

	"hearth/matrix"
)

// fields are the members of an event that have a meaning, as they stand in its JSON; nil where absent.
type fields struct {
	authEvents, content, depth, eventID, hashes, time, prevEvents []byte
	redacts, roomID, sender, signatures, stateKey, typ            []byte
}

// readFields finds the fields of a canonical event in one scan.
func readFields(json []byte) (f fields) {
	for key, raw, next, ok := matrix.Member(json, 0); ok; key, raw, next, ok = matrix.Member(json, next) {
		switch string(key) {
		case "auth_events":
			f.authEvents = raw
		case "content":
			f.content = raw
		case "depth":
			f.depth = raw
		case "event_id":
			f.eventID = raw
		case "hashes":
			f.hashes = raw
		case "origin_server_ts":
			f.time = raw
		case "prev_events":
			f.prevEvents = raw
		case "redacts":
			f.redacts = raw
		case "room_id":
			f.roomID = raw
		case "sender":
			f.sender = raw
		case "signatures":
			f.signatures = raw
		case "state_key":
			f.stateKey = raw
		case "type":
			f.typ = raw
		}
	}
	return f
}

// assemble makes the event of some fields, except what derive sets. All its strings share one allocation, which does not keep json alive.
func assemble(v *matrix.RoomVersion, id matrix.EventID, json []byte, f *fields) (*Event, error) {
	if !matrix.IsObject(f.content) || !matrix.IsString(f.sender) || !matrix.IsString(f.typ) {
		return nil, fmt.Errorf("reading event %s: content, sender or type is missing", id)
	}
	e := &Event{Version: v, ID: id, Content: f.content, JSON: slices.Clip(json)}
	var textRoom [1024]byte
	var endsRoom [MaxPrevEvents + MaxAuthEvents]int
	text := matrix.AppendUnescaped(textRoom[:0], f.roomID)
	room := len(text)
	text = matrix.AppendUnescaped(text, f.sender)
	sender := len(text)
	text = matrix.AppendUnescaped(text, f.typ)
	typ := len(text)
	text = matrix.AppendUnescaped(text, f.stateKey)
	stateKey := len(text)
	text, ends := appendIDs(text, endsRoom[:0], f.prevEvents, v.IsPaired())
	prev := len(ends)
	text, ends = appendIDs(text, ends, f.authEvents, v.IsPaired())

	all := string(text)
	e.RoomID, e.Sender = matrix.RoomID(all[:room]), matrix.UserID(all[room:sender])
	e.Type, e.stateKey = all[sender:typ], all[typ:stateKey]
	if f.stateKey != nil {
		e.StateKey = &e.stateKey
	}
	ids, start := make([]matrix.EventID, len(ends)), stateKey
	for i, end := range ends {
		ids[i] = matrix.EventID(all[start:end])
		start = end
	}
	e.PrevEvents, e.AuthEvents = ids[:prev:prev], ids[prev:]
	var okDepth, okTime bool
	e.Depth, okDepth = matrix.Int(f.depth)
	e.Time, okTime = matrix.Int(f.time)
	if !okDepth || !okTime {
		return nil, fmt.Errorf("reading event %s: depth or origin_server_ts is no integer", id)
	}
	return e, nil
}

// appendIDs appends the event ids of prev_events or auth_events to text, and where each ends to ends.
func appendIDs(text []byte, ends []int, list []byte, paired bool) ([]byte, []int) {
	for id, next, ok := matrix.Element(list, 0); ok; id, next, ok = matrix.Element(list, next) {
		if paired {
			id, _, _ = matrix.Element(id, 0)
		}
		text = matrix.AppendUnescaped(text, id)
		ends = append(ends, len(text))
	}
	return text, ends
}

// derive sets what depends on the type of the event.
func (e *Event) derive(redacts []byte) {
	switch e.Type {
	case TypeCreate:
		if e.Version.RoomIDIsCreateHash && e.ID != "" {
			e.RoomID = "!" + matrix.RoomID(e.ID[1:])
		}
	case TypeRedaction:
		if e.Version.RedactsInContent {
			redacts, _ = matrix.Field(e.Content, "redacts")
		}
		id, _ := matrix.String(redacts)
		e.Redacts = matrix.EventID(id)
	}
}

// Load returns the event of bytes that Build or Parse has made and we have stored. It trusts them and the id:
// nothing is checked but that the fields can be read. The event keeps canonical, which must not change any more.
func Load(v *matrix.RoomVersion, id matrix.EventID, canonical []byte) (*Event, error) {
	f := readFields(canonical)
	e, err := assemble(v, id, canonical, &f)
	if err != nil {
		return nil, err
	}
	e.derive(f.redacts)
	return e, nil
}
