package authrules

import (
	"math"
	"strconv"
	"strings"

	"hearth/matrix"
	"hearth/matrix/event"
)

// The levels that are properties of their own in m.room.power_levels, in the order of rule 10.6.
const (
	levelUsersDefault = iota
	levelEventsDefault
	levelStateDefault
	levelBan
	levelRedact
	levelKick
	levelInvite
	levelCount
)

var levelNames = [levelCount]string{
	"users_default", "events_default", "state_default", "ban", "redact", "kick", "invite",
}

// levelDefaults hold for what a power levels event leaves out, and in rooms that have none.
// spec: client-server-api#mroompower_levels
var levelDefaults = [levelCount]int64{levelStateDefault: 50, levelBan: 50, levelRedact: 50, levelKick: 50}

const (
	infinite  = math.MaxInt64 // of creators, from room version 12 on
	saturated = 1 << 62       // of numbers too large for an int64, which versions before 10 allow
)

// rememberedLevels is how many power levels a Checker keeps.
const rememberedLevels = 4

// levels is the content of an m.room.power_levels.
type levels struct {
	scalars       [levelCount]int64
	present       [levelCount]bool
	events        map[string]int64
	notifications map[string]int64
	users         map[string]int64
}

// levelsOf returns what e holds, nil if it cannot be read.
func (c *Checker) levelsOf(e *event.Event) *levels {
	if l, ok := c.power[e.ID]; ok {
		return l
	}
	l, bad := readLevels(e.Version, e.Content)
	if bad != noneBad {
		return nil
	}
	if len(c.power) >= rememberedLevels {
		clear(c.power)
	}
	if c.power == nil {
		c.power = make(map[matrix.EventID]*levels, 1)
	}
	c.power[e.ID] = l
	return l
}

// What of a power levels event cannot be read.
type badPart int

const (
	noneBad badPart = iota
	scalarBad
	mapBad
	usersBad
)

// readLevels reads content by the lenience of v, and names the first part that cannot be read, in the order of
// rules 10.1 to 10.3.
func readLevels(v *matrix.RoomVersion, content []byte) (*levels, badPart) {
	l := &levels{scalars: levelDefaults}
	bad := noneBad
	for i, name := range levelNames {
		if raw, ok := matrix.Field(content, name); ok {
			if l.scalars[i], l.present[i] = readLevel(v, raw); !l.present[i] && bad == noneBad {
				bad = scalarBad
			}
		}
	}
	var ok [3]bool
	l.events, ok[0] = readMap(v, content, "events")
	l.notifications, ok[1] = readMap(v, content, "notifications")
	l.users, ok[2] = readMap(v, content, "users")
	switch {
	case bad != noneBad:
	case !ok[0], !ok[1] && v.NotificationsPowerAuth:
		bad = mapBad
	case !ok[2]:
		bad = usersBad
	}
	return l, bad
}

// readMap reads an object of levels; it is fine if there is none.
func readMap(v *matrix.RoomVersion, content []byte, name string) (m map[string]int64, ok bool) {
	raw, ok := matrix.Field(content, name)
	if !ok {
		return nil, true
	}
	if !matrix.IsObject(raw) {
		return nil, false
	}
	m = make(map[string]int64)
	valid := true
	matrix.EachField(raw, func(key string, raw []byte) bool {
		m[key], ok = readLevel(v, raw)
		valid = valid && ok
		return valid
	})
	return m, valid
}

// readLevel reads a number; in versions before 10 also a string of one, in those before 6 also a float.
// spec: rooms/v1#deprecated-event-content-schemas
func readLevel(v *matrix.RoomVersion, raw []byte) (int64, bool) {
	if n, ok := matrix.Int(raw); ok && -saturated < n && n < saturated {
		return n, true
	}
	if s, ok := matrix.String(raw); ok && v.PowerLevels <= matrix.PowerLevelStrings {
		return readStringLevel(s)
	}
	isNumber := len(raw) > 0 && (raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9')
	if isNumber && v.PowerLevels == matrix.PowerLevelFloats {
		return readFloat(string(raw))
	}
	return 0, false
}

// readStringLevel reads an integer of any length in base 10 with an optional sign, amid white space.
func readStringLevel(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	digits := strings.TrimPrefix(s, "-")
	if digits == s {
		digits = strings.TrimPrefix(s, "+")
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	return readFloat(s)
}

// readFloat reads a number and cuts off its fraction. What no double can hold is refused.
func readFloat(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return min(max(n, -saturated), saturated), true
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil:
		return 0, false
	case f >= saturated:
		return saturated, true
	case f <= -saturated:
		return -saturated, true
	}
	return int64(f), true
}

// named returns one of the levels that are properties of their own.
func (k *check) named(i int) int64 {
	if k.pl == nil {
		return levelDefaults[i]
	}
	return k.pl.scalars[i]
}

// level returns a user's power level.
func (k *check) level(u matrix.UserID) int64 {
	if k.v.PrivilegedCreators && k.room.isCreator(u) {
		return infinite
	}
	if k.pl == nil {
		return levelWithoutEvent(k.room, u)
	}
	if n, ok := k.pl.users[string(u)]; ok {
		return n
	}
	return k.pl.scalars[levelUsersDefault]
}

// levelWithoutEvent is a user's level in a room without power levels.
// spec: client-server-api#mroompower_levels
func levelWithoutEvent(r *room, u matrix.UserID) int64 {
	if u == r.creator {
		return 100
	}
	return 0
}

// required returns the power level that the event's type needs.
// spec: server-server-api#definitions
func (k *check) required() int64 {
	if k.pl != nil {
		if n, ok := k.pl.events[k.e.Type]; ok {
			return n
		}
	}
	if k.e.StateKey != nil {
		return k.named(levelStateDefault)
	}
	return k.named(levelEventsDefault)
}

// UserLevel returns the power level of u in a room with these create and power levels events; either may be nil.
// Creators are at math.MaxInt64 from room version 12 on. It parses no more than it needs, for callers that ask of
// many different power levels events: what cannot be read counts as absent.
func UserLevel(u matrix.UserID, create, power *event.Event) int64 {
	if create != nil && (power == nil || create.Version.PrivilegedCreators) {
		r := readRoom(create)
		switch {
		case create.Version.PrivilegedCreators && r.isCreator(u):
			return infinite
		case power == nil:
			return levelWithoutEvent(r, u)
		}
	}
	if power == nil {
		return 0
	}
	for _, path := range [][]string{{"users", string(u)}, {levelNames[levelUsersDefault]}} {
		if raw, ok := matrix.Field(power.Content, path...); ok {
			if n, ok := readLevel(power.Version, raw); ok {
				return n
			}
		}
	}
	return 0
}
