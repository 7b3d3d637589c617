package matrix

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// UserID is "@localpart:server".
type UserID string

// RoomID is "!opaque:server" in room versions 1 to 11 and "!hash" from 12 on.
type RoomID string

// EventID is "$opaque:server" in room versions 1 and 2 and "$hash" from 3 on.
type EventID string

// RoomAlias is "#localpart:server".
type RoomAlias string

// maxShown bounds how much of a refused identifier is repeated in the error.
const maxShown = 64

func invalid(kind, s, reason string) error {
	if len(s) > maxShown {
		s = s[:maxShown] + "…"
	}
	return Errorf(400, MInvalidParam, "reading %s %q: %s", kind, s, reason)
}

// ParseUserID checks s against the historical grammar: any characters but ':' and NUL before the colon,
// even none. Servers must accept such users in events.
// spec: appendices#historical-user-ids
func ParseUserID(s string) (UserID, error) {
	if reason := checkQualified(s, '@'); reason != "" {
		return "", invalid("user id", s, reason)
	}
	return UserID(s), nil
}

// NewUserID makes an id for a new user, by the strict grammar.
// spec: appendices#user-identifiers
func NewUserID(localpart string, s ServerName) (UserID, error) {
	id := "@" + localpart + ":" + string(s)
	if localpart == "" || !isStrictLocalpart(localpart) {
		return "", Errorf(400, MInvalidUsername, "a user name is made of a-z, 0-9 and . _ = - / +")
	}
	if reason := checkQualified(id, '@'); reason != "" {
		return "", Errorf(400, MInvalidUsername, "making a user id: %s", reason)
	}
	return UserID(id), nil
}

func isStrictLocalpart(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', isDigit(c), c == '.', c == '_', c == '=', c == '-', c == '/', c == '+':
		default:
			return false
		}
	}
	return true
}

// IsCompliant reports whether the localpart is of printable ASCII and not empty. Other users are accepted in
// events but should not be shown to clients outside of them.
// spec: appendices#historical-user-ids
func (u UserID) IsCompliant() bool {
	local := u.Localpart()
	for i := range len(local) {
		if local[i] < 0x21 || local[i] > 0x7e {
			return false
		}
	}
	return local != ""
}

// Localpart returns what stands between the sigil and the first colon.
func (u UserID) Localpart() string { return localpart(string(u)) }

// Server returns the user's homeserver.
func (u UserID) Server() ServerName { return server(string(u)) }

// ParseRoomID checks s: with a domain (room versions 1 to 11) or without (12).
// spec: appendices#room-ids
func ParseRoomID(s string) (RoomID, error) {
	check := checkOpaque
	if strings.IndexByte(s, ':') >= 0 {
		check = checkQualified
	}
	if reason := check(s, '!'); reason != "" {
		return "", invalid("room id", s, reason)
	}
	return RoomID(s), nil
}

// Server returns the room id's domain, "" if it has none. It says nothing about who is in the room.
func (r RoomID) Server() ServerName { return server(string(r)) }

// ParseRoomAlias checks s.
// spec: appendices#room-aliases
func ParseRoomAlias(s string) (RoomAlias, error) {
	if reason := checkQualified(s, '#'); reason != "" {
		return "", invalid("room alias", s, reason)
	}
	return RoomAlias(s), nil
}

// Localpart returns what stands between the sigil and the first colon.
func (a RoomAlias) Localpart() string { return localpart(string(a)) }

// Server returns the server that keeps the alias.
func (a RoomAlias) Server() ServerName { return server(string(a)) }

// ParseEventID checks s: an opaque id of any room version, with or without a domain.
// spec: appendices#event-ids
func ParseEventID(s string) (EventID, error) {
	if reason := checkOpaque(s, '$'); reason != "" {
		return "", invalid("event id", s, reason)
	}
	return EventID(s), nil
}

// Server returns the domain of an event id of room version 1 or 2, "" if it has none.
func (e EventID) Server() ServerName { return server(string(e)) }

func localpart(s string) string {
	local, _, _ := strings.Cut(s, ":")
	if local == "" {
		return ""
	}
	return local[1:]
}

func server(s string) ServerName {
	_, name, _ := strings.Cut(s, ":")
	return ServerName(name)
}

// checkOpaque returns why s is not a sigil and at least one character, or "".
func checkOpaque(s string, sigil byte) string {
	switch {
	case s == "" || s[0] != sigil:
		return fmt.Sprintf("it does not start with %q", sigil)
	case len(s) == 1:
		return "nothing after the sigil"
	case len(s) > MaxID:
		return "longer than 255 bytes"
	case strings.IndexByte(s, 0) >= 0:
		return "it contains NUL"
	case !utf8.ValidString(s):
		return "not valid UTF-8"
	}
	return ""
}

// checkQualified returns why s is not "sigil localpart : server", or "".
func checkQualified(s string, sigil byte) string {
	if reason := checkOpaque(s, sigil); reason != "" {
		return reason
	}
	colon := strings.IndexByte(s, ':')
	if colon < 0 {
		return "no server name"
	}
	return checkServerName(s[colon+1:])
}
