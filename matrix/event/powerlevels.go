package event

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"hearth/matrix"
)

// CreatorPower is the power level of creators in room version 12: above all that an event can hold.
const CreatorPower int64 = math.MaxInt64

// PowerLevels is the content of an m.room.power_levels. The methods, which may be called on nil for a room without
// such an event, fill in the defaults.
// spec: client-server-api#mroompower_levels
type PowerLevels struct {
	Ban, EventsDefault, Invite, Kick, Redact, StateDefault, UsersDefault Level

	Events, Notifications, Users []Entry // sorted by key
}

// Level is a property that may be absent.
type Level struct {
	Value int64
	Set   bool
}

// Entry is a member of events, notifications or users.
type Entry struct {
	Key   string
	Value int64
}

// LevelError names the property of power levels that is not what the room version allows.
type LevelError struct{ Property string }

func (e *LevelError) Error() string { return "reading power levels: bad value of " + e.Property }

func (l Level) or(standard int64) int64 {
	if l.Set {
		return l.Value
	}
	return standard
}

// User returns the power level of u. Creators of room version 12 have another: see Creation.Power.
func (p *PowerLevels) User(u matrix.UserID) int64 {
	if p == nil {
		return 0
	}
	if level, ok := lookup(p.Users, string(u)); ok {
		return level
	}
	return p.UsersDefault.or(0)
}

// Event returns the level required to send an event of a type. Memberships and redactions have rules of their own.
func (p *PowerLevels) Event(typ string, isState bool) int64 {
	if p == nil {
		p = &PowerLevels{}
	}
	if level, ok := lookup(p.Events, typ); ok {
		return level
	}
	if isState {
		return p.StateDefault.or(50)
	}
	return p.EventsDefault.or(0)
}

// Notification returns the level required to cause a kind of notification, such as "room".
func (p *PowerLevels) Notification(kind string) int64 {
	if p == nil {
		return 50
	}
	if level, ok := lookup(p.Notifications, kind); ok {
		return level
	}
	return 50
}

// BanLevel returns the level required to ban.
func (p *PowerLevels) BanLevel() int64 {
	return p.named(func(p *PowerLevels) Level { return p.Ban }, 50)
}

// KickLevel returns the level required to kick.
func (p *PowerLevels) KickLevel() int64 {
	return p.named(func(p *PowerLevels) Level { return p.Kick }, 50)
}

// RedactLevel returns the level required to redact what others have sent.
func (p *PowerLevels) RedactLevel() int64 {
	return p.named(func(p *PowerLevels) Level { return p.Redact }, 50)
}

// InviteLevel returns the level required to invite.
func (p *PowerLevels) InviteLevel() int64 {
	return p.named(func(p *PowerLevels) Level { return p.Invite }, 0)
}

func (p *PowerLevels) named(level func(*PowerLevels) Level, standard int64) int64 {
	if p == nil {
		return standard
	}
	return level(p).or(standard)
}

func lookup(entries []Entry, key string) (int64, bool) {
	i, ok := slices.BinarySearchFunc(entries, key, func(e Entry, key string) int { return cmp.Compare(e.Key, key) })
	if !ok {
		return 0, false
	}
	return entries[i].Value, true
}

// ParsePowerLevels reads the content, a valid JSON object, of an m.room.power_levels of a room version.
// An error is a *LevelError. That the keys of users are user ids is part of the check.
// spec: rooms/v1#mroompower_levels-events-accept-values-as-strings, rooms/v10#authorisation-rules 10.1 to 10.3
func ParsePowerLevels(v *matrix.RoomVersion, content []byte) (*PowerLevels, error) {
	p := &PowerLevels{}
	for key, raw, next, ok := matrix.Member(content, 0); ok; key, raw, next, ok = matrix.Member(content, next) {
		if err := p.set(v, string(key), raw); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// set reads one property.
func (p *PowerLevels) set(v *matrix.RoomVersion, name string, raw []byte) (err error) {
	switch name {
	case "ban":
		p.Ban, err = readLevel(v, name, raw)
	case "events_default":
		p.EventsDefault, err = readLevel(v, name, raw)
	case "invite":
		p.Invite, err = readLevel(v, name, raw)
	case "kick":
		p.Kick, err = readLevel(v, name, raw)
	case "redact":
		p.Redact, err = readLevel(v, name, raw)
	case "state_default":
		p.StateDefault, err = readLevel(v, name, raw)
	case "users_default":
		p.UsersDefault, err = readLevel(v, name, raw)
	case "events":
		p.Events, err = readEntries(v, name, raw)
	case "notifications":
		p.Notifications, err = readEntries(v, name, raw)
	case "users":
		if p.Users, err = readEntries(v, name, raw); err == nil {
			err = checkUsers(p.Users)
		}
	}
	return err
}

func checkUsers(users []Entry) error {
	for _, u := range users {
		if _, err := matrix.ParseUserID(u.Key); err != nil {
			return fmt.Errorf("%w: %w", &LevelError{"users"}, err)
		}
	}
	return nil
}

func readLevel(v *matrix.RoomVersion, name string, raw []byte) (Level, error) {
	if string(raw) == "null" && !v.IntegerPowerLevels {
		return Level{}, nil // such events were accepted, as if the property were absent
	}
	n, ok := readNumber(v.PowerLevels, raw)
	if !ok {
		return Level{}, &LevelError{name}
	}
	return Level{n, true}, nil
}

// readEntries reads an object of levels.
func readEntries(v *matrix.RoomVersion, name string, raw []byte) ([]Entry, error) {
	if !matrix.IsObject(raw) {
		return nil, &LevelError{name}
	}
	n := 0
	for _, _, next, ok := matrix.Member(raw, 0); ok; _, _, next, ok = matrix.Member(raw, next) {
		n++
	}
	entries := make([]Entry, 0, n)
	var failed bool
	matrix.EachField(raw, func(key string, value []byte) bool {
		level, ok := readNumber(v.PowerLevels, value)
		entries = append(entries, Entry{key, level})
		failed = !ok
		return ok
	})
	if failed {
		return nil, &LevelError{name}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
	return entries, nil
}
