package event

import (
	"fmt"
	"strings"

	"hearth/matrix"
)

// Parse reads an event from outside: it brings it into canonical form, drops "unsigned" (and "event_id", from
// version 3 on), checks it against the event format and limits of its version, and computes its id.
// Neither hash nor signatures are checked. The event keeps nothing of raw. Errors are a *matrix.Error to errors.As.
// spec: server-server-api#checks-performed-on-receipt-of-a-pdu step 1
func Parse(v *matrix.RoomVersion, raw []byte) (*Event, error) {
	if len(raw) > MaxRaw {
		return nil, tooLarge("event", len(raw), MaxRaw)
	}
	json, err := v.Canonical(raw)
	if err != nil {
		return nil, fmt.Errorf("reading event: %w", err)
	}
	if !matrix.IsObject(json) {
		return nil, bad("it is no object")
	}
	if v.IsPaired() {
		json = matrix.Without(make([]byte, 0, len(json)), json, "unsigned")
	} else {
		json = matrix.Without(make([]byte, 0, len(json)), json, "unsigned", "event_id")
	}
	if len(json) > MaxPDU {
		return nil, tooLarge("event", len(json), MaxPDU)
	}
	f := readFields(json)
	if err := f.check(v); err != nil {
		return nil, err
	}
	e, err := assemble(v, "", json, &f)
	if err != nil {
		return nil, err
	}
	if err := e.check(&f); err != nil {
		return nil, err
	}
	if v.IsPaired() {
		id, _ := matrix.String(f.eventID)
		e.ID = matrix.EventID(id)
	} else {
		hash := referenceHash(v, e.Type, json)
		e.ID = eventID(v, &hash)
	}
	e.derive(f.redacts)
	return e, nil
}

func bad(format string, args ...any) error {
	return fmt.Errorf("reading event: %w", matrix.Errorf(400, matrix.MBadJSON, format, args...))
}

func tooLarge(what string, n, limit int) error {
	return matrix.Errorf(413, matrix.MTooLarge, "%s of %d bytes, at most %d are allowed", what, n, limit)
}

// check checks the shapes of the fields against the event format.
// spec: rooms/v1#event-format, v3, v4, v6, v11, v12
func (f *fields) check(v *matrix.RoomVersion) error {
	switch {
	case !matrix.IsString(f.typ):
		return bad("type is no string")
	case !matrix.IsString(f.sender):
		return bad("sender is no string")
	case f.stateKey != nil && !matrix.IsString(f.stateKey):
		return bad("state_key is no string")
	case !matrix.IsObject(f.content):
		return bad("content is no object")
	case f.redacts != nil && !v.RedactsInContent && !matrix.IsString(f.redacts) && string(f.typ) == `"`+TypeRedaction+`"`:
		return bad("redacts is no string")
	}
	if depth, ok := matrix.Int(f.depth); !ok || depth < 0 || depth > v.MaxDepth {
		return bad("depth is no integer from 0 to %d", v.MaxDepth)
	}
	if _, ok := matrix.Int(f.time); !ok {
		return bad("origin_server_ts is no integer")
	}
	if err := f.checkSigned(); err != nil {
		return err
	}
	if err := checkList(f.prevEvents, "prev_events", v.IsPaired()); err != nil {
		return err
	}
	return checkList(f.authEvents, "auth_events", v.IsPaired())
}

// checkSigned checks hashes and signatures.
func (f *fields) checkSigned() error {
	if hash, _ := matrix.Field(f.hashes, "sha256"); !matrix.IsString(hash) {
		return bad("hashes has no sha256")
	}
	if !matrix.IsObject(f.signatures) {
		return bad("signatures is no object")
	}
	for _, raw, next, ok := matrix.Member(f.signatures, 0); ok; _, raw, next, ok = matrix.Member(f.signatures, next) {
		if !matrix.IsObject(raw) {
			return bad("signatures of a server are no object")
		}
	}
	return nil
}

// checkList checks prev_events or auth_events: an array, in versions 1 and 2 of pairs of event id and hashes.
func checkList(list []byte, name string, paired bool) error {
	if !matrix.IsArray(list) {
		return bad("%s is no array", name)
	}
	if !paired {
		return nil
	}
	for pair, next, ok := matrix.Element(list, 0); ok; pair, next, ok = matrix.Element(list, next) {
		_, second, ok := matrix.Element(pair, 0)
		hashes, end, ok2 := matrix.Element(pair, second)
		if !ok || !ok2 || !matrix.IsObject(hashes) || end < len(pair) {
			return bad("%s has an entry that is no pair of id and hashes", name)
		}
	}
	return nil
}

// check checks identifiers, lengths and numbers of entries. What was no string is empty here, and no identifier is.
// spec: client-server-api#size-limits
func (e *Event) check(f *fields) error {
	if len(e.Type) > MaxField {
		return tooLarge("type", len(e.Type), MaxField)
	}
	if len(e.stateKey) > MaxField {
		return tooLarge("state_key", len(e.stateKey), MaxField)
	}
	if _, err := matrix.ParseUserID(string(e.Sender)); err != nil {
		return fmt.Errorf("reading event: %w", err)
	}
	if len(e.PrevEvents) > MaxPrevEvents || len(e.AuthEvents) > MaxAuthEvents {
		return bad("more than %d prev_events or %d auth_events", MaxPrevEvents, MaxAuthEvents)
	}
	if err := checkIDs(e.PrevEvents); err != nil {
		return err
	}
	if err := checkIDs(e.AuthEvents); err != nil {
		return err
	}
	if e.Version.IsPaired() {
		id, _ := matrix.String(f.eventID)
		if err := checkServerMadeID(matrix.EventID(id)); err != nil {
			return err
		}
	}
	if e.Version.RoomIDIsCreateHash && e.Type == TypeCreate {
		if f.roomID != nil { // spec: rooms/v12#authorization-rules 1.2
			return bad("a create event names a room")
		}
		return nil
	}
	return checkRoomID(e.Version, e.RoomID)
}

func checkIDs(ids []matrix.EventID) error {
	for _, id := range ids {
		if _, err := matrix.ParseEventID(string(id)); err != nil {
			return fmt.Errorf("reading event: %w", err)
		}
	}
	return nil
}

// checkRoomID checks a room id against the form that the version gives to them.
func checkRoomID(v *matrix.RoomVersion, id matrix.RoomID) error {
	if _, err := matrix.ParseRoomID(string(id)); err != nil {
		return fmt.Errorf("reading event: %w", err)
	}
	if v.RoomIDIsCreateHash != !strings.Contains(string(id), ":") {
		return bad("room id %q is not of room version %s", id, v.Version)
	}
	if v.RoomIDIsCreateHash && !isURLHash(string(id[1:])) {
		return bad("room id %q is no hash", id)
	}
	return nil
}

// isURLHash reports whether s is 32 bytes in URL-safe Base64.
func isURLHash(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '-' || c == '_') {
			return false
		}
	}
	return len(s) == 43
}

// checkServerMadeID checks an event id of room version 1 or 2.
func checkServerMadeID(id matrix.EventID) error {
	if _, err := matrix.ParseEventID(string(id)); err != nil {
		return fmt.Errorf("reading event: %w", err)
	}
	if _, err := matrix.ParseServerName(string(id.Server())); err != nil {
		return fmt.Errorf("reading event: event id: %w", err)
	}
	return nil
}
