package event

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"hearth/matrix"
)

// Proto is what an event is built of.
type Proto struct {
	RoomID     matrix.RoomID // "" for a create event of room version 12
	Sender     matrix.UserID
	Type       string
	StateKey   *string
	Content    []byte         // any valid JSON object
	Redacts    matrix.EventID // of m.room.redaction; Build puts it where the version wants it
	PrevEvents []matrix.EventID
	AuthEvents []matrix.EventID
	Depth      int64 // larger ones than the version allows become the greatest allowed
	Time       int64 // milliseconds since 1970

	EventID matrix.EventID          // room versions 1 and 2 only: the id, made by the caller
	Hashes  map[matrix.EventID]Hash // room versions 1 and 2 only: reference hashes of prev and auth events, as far as known
}

// Build makes an event: canonical, hashed, signed by s and with its id.
// Errors that a client can mend are a *matrix.Error to errors.As.
// spec: server-server-api#adding-hashes-and-signatures-to-outgoing-events
func Build(v *matrix.RoomVersion, p Proto, s Signer) (*Event, error) {
	content, err := p.content(v)
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", p.Type, err)
	}
	if err := p.check(v); err != nil {
		return nil, fmt.Errorf("building %s: %w", p.Type, err)
	}
	p.Depth = min(p.Depth, v.MaxDepth)
	d := p.draft(v, content, s)
	if len(d.json) > MaxPDU {
		return nil, tooLarge("event", len(d.json), MaxPDU)
	}
	hash := d.finish(v, p.Type, s.Key)

	e := &Event{
		Version: v, ID: p.EventID, RoomID: p.RoomID, Sender: p.Sender, Type: p.Type,
		Depth: p.Depth, Time: p.Time, Content: d.json[d.content.start:d.content.end:d.content.end], JSON: slices.Clip(d.json),
	}
	if !v.IsPaired() {
		e.ID = eventID(v, &hash)
	}
	if p.StateKey != nil {
		e.stateKey = *p.StateKey
		e.StateKey = &e.stateKey
	}
	ids := slices.Concat(p.PrevEvents, p.AuthEvents)
	prev := len(p.PrevEvents)
	e.PrevEvents, e.AuthEvents = ids[:prev:prev], ids[prev:]
	e.derive(nil)
	if !v.RedactsInContent {
		e.Redacts = p.Redacts
	}
	return e, nil
}

// content returns the canonical content, with redacts in it if that is its place.
func (p *Proto) content(v *matrix.RoomVersion) ([]byte, error) {
	if len(p.Content) > MaxRaw {
		return nil, tooLarge("content", len(p.Content), MaxRaw)
	}
	content, err := v.Canonical(p.Content)
	if err != nil {
		return nil, err
	}
	if !matrix.IsObject(content) {
		return nil, matrix.Errorf(400, matrix.MBadJSON, "content is no object")
	}
	if p.Redacts != "" && v.RedactsInContent {
		content = matrix.With(nil, content, "redacts", matrix.AppendString(nil, string(p.Redacts)))
	}
	return content, nil
}

// check checks what draft writes.
func (p *Proto) check(v *matrix.RoomVersion) error {
	if err := p.checkNames(v); err != nil {
		return err
	}
	if p.Redacts != "" {
		if p.Type != TypeRedaction {
			return matrix.Errorf(400, matrix.MBadJSON, "redacts belongs to %s", TypeRedaction)
		}
		if _, err := matrix.ParseEventID(string(p.Redacts)); err != nil {
			return err
		}
	}
	if p.Depth < 0 || p.Time < 0 || p.Time > matrix.MaxInt {
		return matrix.Errorf(400, matrix.MBadJSON, "depth or time is out of range")
	}
	if len(p.PrevEvents) > MaxPrevEvents || len(p.AuthEvents) > MaxAuthEvents {
		return fmt.Errorf("more than %d prev_events or %d auth_events", MaxPrevEvents, MaxAuthEvents)
	}
	for _, ids := range [2][]matrix.EventID{p.PrevEvents, p.AuthEvents} {
		for _, id := range ids {
			if _, err := matrix.ParseEventID(string(id)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkNames checks the identifiers, the type and the state key.
func (p *Proto) checkNames(v *matrix.RoomVersion) error {
	if _, err := matrix.ParseUserID(string(p.Sender)); err != nil {
		return err
	}
	if err := checkText(p.Type, "type"); err != nil {
		return err
	}
	if p.StateKey != nil {
		if err := checkText(*p.StateKey, "state_key"); err != nil {
			return err
		}
	}
	if v.IsPaired() {
		if err := checkServerMadeID(p.EventID); err != nil {
			return err
		}
	} else if p.EventID != "" {
		return fmt.Errorf("events of room version %s make their own ids", v.Version)
	}
	if v.RoomIDIsCreateHash && p.Type == TypeCreate {
		if p.RoomID != "" {
			return fmt.Errorf("create events of room version %s name no room", v.Version)
		}
		return nil
	}
	return checkRoomID(v, p.RoomID)
}

func checkText(s, name string) error {
	if len(s) > MaxField {
		return tooLarge(name, len(s), MaxField)
	}
	if !utf8.ValidString(s) {
		return matrix.Errorf(400, matrix.MBadJSON, "%s is not valid UTF-8", name)
	}
	return nil
}

// span is a part of a draft.
type span struct{ start, end int }

// draft is an event whose hash and signature are still to be filled in.
type draft struct {
	json       []byte
	content    span // the value
	hashes     span // the member and the comma before it; the hash ends 2 bytes before its end
	redacts    span // likewise; empty if absent
	signatures span // likewise; the signature ends 3 bytes before its end
}

const (
	hashLen      = 43 // of a SHA-256 hash in unpadded Base64
	signatureLen = 86 // of an Ed25519 signature
)

// draft writes the event, its members in canonical order.
func (p *Proto) draft(v *matrix.RoomVersion, content []byte, s Signer) draft {
	var d draft
	b := make([]byte, 0, 512+len(content)+48*(len(p.PrevEvents)+len(p.AuthEvents)))
	b = p.appendIDs(append(b, `{"auth_events":`...), p.AuthEvents, v.IsPaired())
	b = append(b, `,"content":`...)
	d.content.start = len(b)
	b = append(b, content...)
	d.content.end = len(b)
	b = strconv.AppendInt(append(b, `,"depth":`...), p.Depth, 10)
	if v.IsPaired() {
		b = matrix.AppendString(append(b, `,"event_id":`...), string(p.EventID))
	}
	d.hashes.start = len(b)
	b = append(b, `,"hashes":{"sha256":"0123456789012345678901234567890123456789012"}`...)
	d.hashes.end = len(b)
	b = strconv.AppendInt(append(b, `,"origin_server_ts":`...), p.Time, 10)
	b = p.appendIDs(append(b, `,"prev_events":`...), p.PrevEvents, v.IsPaired())
	d.redacts.start = len(b)
	if p.Redacts != "" && !v.RedactsInContent {
		b = matrix.AppendString(append(b, `,"redacts":`...), string(p.Redacts))
	}
	d.redacts.end = len(b)
	if p.RoomID != "" {
		b = matrix.AppendString(append(b, `,"room_id":`...), string(p.RoomID))
	}
	b = matrix.AppendString(append(b, `,"sender":`...), string(p.Sender))
	d.signatures.start = len(b)
	b = matrix.AppendString(append(b, `,"signatures":{`...), string(s.Server))
	b = matrix.AppendString(append(b, ':', '{'), string(s.KeyID))
	b = append(b, `:"`...)
	b = append(slices.Grow(b, signatureLen)[:len(b)+signatureLen], `"}}`...)
	d.signatures.end = len(b)
	if p.StateKey != nil {
		b = matrix.AppendString(append(b, `,"state_key":`...), *p.StateKey)
	}
	b = matrix.AppendString(append(b, `,"type":`...), p.Type)
	d.json = append(b, '}')
	return d
}

// appendIDs appends prev_events or auth_events.
func (p *Proto) appendIDs(b []byte, ids []matrix.EventID, paired bool) []byte {
	b = append(b, '[')
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		if !paired {
			b = matrix.AppendString(b, string(id))
			continue
		}
		b = append(matrix.AppendString(append(b, '['), string(id)), `,{`...)
		if hash, ok := p.Hashes[id]; ok {
			b = append(matrix.AppendBase64(append(b, `"sha256":"`...), hash[:]), '"')
		}
		b = append(b, `}]`...)
	}
	return append(b, ']')
}

// finish fills in the hash and the signature, and returns the reference hash.
func (d *draft) finish(v *matrix.RoomVersion, typ string, key ed25519.PrivateKey) Hash {
	var room [typicalPDU]byte
	j := d.json
	b := append(room[:0], j[:d.hashes.start]...)
	b = append(b, j[d.hashes.end:d.signatures.start]...)
	b = append(b, j[d.signatures.end:]...)
	hash := sha256.Sum256(b)
	matrix.AppendBase64(j[:d.hashes.end-2-hashLen], hash[:])

	b = append(b[:0], j[:d.content.start]...)
	b = appendRedactedContent(b, v, typ, j[d.content.start:d.content.end])
	b = append(b, j[d.content.end:d.redacts.start]...)
	b = append(b, j[d.redacts.end:d.signatures.start]...)
	b = append(b, j[d.signatures.end:]...)
	matrix.AppendBase64(j[:d.signatures.end-3-signatureLen], ed25519.Sign(key, b))
	return sha256.Sum256(b)
}
