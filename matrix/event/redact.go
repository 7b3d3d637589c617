package event

import (
	"fmt"

	"hearth/matrix"
)

// Redacted returns e without all that the redaction algorithm of its version removes. Id and signatures stay valid.
// spec: rooms/v1#redactions to rooms/v11#redactions
func (e *Event) Redacted() (*Event, error) {
	json := appendRedacted(make([]byte, 0, len(e.JSON)), e.Version, e.Type, e.JSON, true)
	r, err := Load(e.Version, e.ID, json)
	if err != nil {
		return nil, fmt.Errorf("redacting: %w", err)
	}
	return r, nil
}

// RedactContent returns what the redaction algorithm leaves of the content, a canonical object, of an event of a type.
func RedactContent(v *matrix.RoomVersion, typ string, content []byte) []byte {
	return appendRedactedContent(make([]byte, 0, len(content)), v, typ, content)
}

// appendRedacted appends the redacted form of the event json of a type, with its signatures or without.
func appendRedacted(dst []byte, v *matrix.RoomVersion, typ string, json []byte, signatures bool) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for key, raw, next, ok := matrix.Member(json, 0); ok; key, raw, next, ok = matrix.Member(json, next) {
		if !keeps(&v.Redaction, key) || !signatures && string(key) == "signatures" {
			continue
		}
		dst = appendKey(dst, start, key)
		if string(key) == "content" {
			dst = appendRedactedContent(dst, v, typ, raw)
		} else {
			dst = append(dst, raw...)
		}
	}
	return append(dst, '}')
}

// appendKey appends a key of the object whose members start at start.
func appendKey(dst []byte, start int, key []byte) []byte {
	if len(dst) > start {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

// keeps reports whether a key of an event survives redaction.
func keeps(r *matrix.Redaction, key []byte) bool {
	switch string(key) {
	case "event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth",
		"prev_events", "auth_events", "origin_server_ts":
		return true
	case "prev_state", "origin", "membership":
		return r.KeepsOrigin
	}
	return false
}

func appendRedactedContent(dst []byte, v *matrix.RoomVersion, typ string, content []byte) []byte {
	if typ == TypeCreate && v.Redaction.KeepsCreate {
		return append(dst, content...)
	}
	dst = append(dst, '{')
	if !hasProtected(typ) {
		return append(dst, '}')
	}
	start := len(dst)
	for key, raw, next, ok := matrix.Member(content, 0); ok; key, raw, next, ok = matrix.Member(content, next) {
		switch {
		case keepsContent(&v.Redaction, typ, key):
			dst = append(appendKey(dst, start, key), raw...)
		case typ == TypeMember && v.Redaction.KeepsSigned && string(key) == "third_party_invite" && matrix.IsObject(raw):
			dst = appendSigned(appendKey(dst, start, key), raw)
		}
	}
	return append(dst, '}')
}

// appendSigned appends what is left of third_party_invite.
func appendSigned(dst, invite []byte) []byte {
	dst = append(dst, '{')
	if signed, ok := matrix.Field(invite, "signed"); ok {
		dst = append(append(dst, `"signed":`...), signed...)
	}
	return append(dst, '}')
}

// hasProtected reports whether any key of the content of a type survives redaction in any version.
func hasProtected(typ string) bool {
	switch typ {
	case TypeMember, TypeCreate, TypeJoinRules, TypePowerLevels, TypeAliases, TypeHistoryVisibility, TypeRedaction:
		return true
	}
	return false
}

// keepsContent reports whether a key of the content of an event of a type survives redaction.
func keepsContent(r *matrix.Redaction, typ string, key []byte) bool {
	switch typ {
	case TypeMember:
		return string(key) == "membership" || r.KeepsAuthoriser && string(key) == "join_authorised_via_users_server"
	case TypeCreate:
		return string(key) == "creator"
	case TypeJoinRules:
		return string(key) == "join_rule" || r.KeepsAllow && string(key) == "allow"
	case TypePowerLevels:
		switch string(key) {
		case "ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default":
			return true
		case "invite":
			return r.KeepsInviteLevel
		}
	case TypeAliases:
		return r.KeepsAliases && string(key) == "aliases"
	case TypeHistoryVisibility:
		return string(key) == "history_visibility"
	case TypeRedaction:
		return r.KeepsRedacts && string(key) == "redacts"
	}
	return false
}
