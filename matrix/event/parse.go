package event

import (
	"fmt"
	"strings"

	"hearth/matrix"
)

// Parse reads an event from outside: it brings it into canonical form, drops "unsigned" (and "event_id", from
// version 3 on), checks it against the event format and limits of its version, and computes its id.
// Neither hash nor signatures are checked. The event keeps nothing of raw. Errors wrap *matrix.Error or *matrix.JSONError.
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
	var id matrix.EventID
	if v.IsPaired() {
		text, _ := matrix.String(f.eventID)
		id = matrix.EventID(text)
	} else {
		typ, _ := matrix.String(f.typ)
		hash := referenceHash(v, typ, json)
		id = eventID(v, &hash)
	}
	return assemble(v, id, json, &f)
}

func bad(format string, args ...any) error {
	return fmt.Errorf("reading event: %w", matrix.Errorf(400, matrix.MBadJSON, format, args...))
}

func tooLarge(what string, n, limit int) error {
	return matrix.Errorf(413, matrix.MTooLarge, "%s of %d bytes, at most %d are allowed", what, n, limit)
}

// check checks the fields against the event format.
// spec: rooms/v1#event-format, v3, v4, v6, v11, v12; client-server-api#size-limits
func (f *fields) check(v *matrix.RoomVersion) error {
	typ, err := shortString(f.typ, "type")
	if err != nil {
		return err
	}
	sender, err := shortString(f.sender, "sender")
	if err != nil {
		return err
	}
	if _, err := matrix.ParseUserID(sender); err != nil {
		return fmt.Errorf("reading event: %w", err)
	}
	if f.stateKey != nil {
		if _, err := shortString(f.stateKey, "state_key"); err != nil {
			return err
		}
	}
	if err := f.checkRoom(v, typ); err != nil {
		return err
	}
	if err := f.checkShapes(v); err != nil {
		return err
	}
	if err := checkIDs(f.prevEvents, "prev_events", MaxPrevEvents, v.IsPaired()); err != nil {
		return err
	}
	return checkIDs(f.authEvents, "auth_events", MaxAuthEvents, v.IsPaired())
}

// shortString returns a string that may have MaxField bytes.
func shortString(raw []byte, name string) (string, error) {
	if !matrix.IsString(raw) {
		return "", bad("%s is no string", name)
	}
	s, _ := matrix.String(raw)
	if len(s) > MaxField {
		return "", tooLarge(name, len(s), MaxField)
	}
	return s, nil
}

// checkRoom checks room_id, and event_id and redacts in the versions that have them.
func (f *fields) checkRoom(v *matrix.RoomVersion, typ string) error {
	if v.RoomIDIsCreateHash && typ == TypeCreate {
		if f.roomID != nil { // spec: rooms/v12#authorization-rules 1.2
			return bad("a create event names a room")
		}
		return nil
	}
	room, err := shortString(f.roomID, "room_id")
	if err != nil {
		return err
	}
	if err := checkRoomID(v, matrix.RoomID(room)); err != nil {
		return err
	}
	if v.IsPaired() {
		id, err := shortString(f.eventID, "event_id")
		if err != nil {
			return err
		}
		if err := checkServerMadeID(matrix.EventID(id)); err != nil {
			return err
		}
	}
	if f.redacts != nil && typ == TypeRedaction && !v.RedactsInContent && !matrix.IsString(f.redacts) {
		return bad("redacts is no string")
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

// checkShapes checks depth, origin_server_ts, content, hashes and signatures.
func (f *fields) checkShapes(v *matrix.RoomVersion) error {
	if depth, ok := matrix.Int(f.depth); !ok || depth < 0 || depth > v.MaxDepth {
		return bad("depth is no integer from 0 to %d", v.MaxDepth)
	}
	if _, ok := matrix.Int(f.time); !ok {
		return bad("origin_server_ts is no integer")
	}
	if !matrix.IsObject(f.content) {
		return bad("content is no object")
	}
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

// checkIDs checks prev_events or auth_events: at most limit event ids, or pairs of event id and hashes.
func checkIDs(list []byte, name string, limit int, paired bool) error {
	if !matrix.IsArray(list) {
		return bad("%s is no array", name)
	}
	n := 0
	for raw, next, ok := matrix.Element(list, 0); ok; raw, next, ok = matrix.Element(list, next) {
		if n++; n > limit {
			return bad("%s has more than %d entries", name, limit)
		}
		if paired {
			var err error
			if raw, err = checkPair(raw, name); err != nil {
				return err
			}
		}
		id, err := shortString(raw, name)
		if err != nil {
			return err
		}
		if _, err := matrix.ParseEventID(id); err != nil {
			return fmt.Errorf("reading event: %s: %w", name, err)
		}
	}
	return nil
}

// checkPair returns the event id of a pair of event id and hashes.
func checkPair(raw []byte, name string) (id []byte, err error) {
	id, next, ok := matrix.Element(raw, 0)
	if !ok {
		return nil, bad("%s has an entry that is no pair", name)
	}
	hashes, next, ok := matrix.Element(raw, next)
	if !ok || !matrix.IsObject(hashes) {
		return nil, bad("%s has an entry that is no pair", name)
	}
	if _, _, ok = matrix.Element(raw, next); ok {
		return nil, bad("%s has an entry that is no pair", name)
	}
	return id, nil
}
