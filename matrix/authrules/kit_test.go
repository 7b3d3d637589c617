package authrules

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
)

// plain is a state as a map.
type plain map[event.Key]*event.Event

func (s plain) Event(k event.Key) (*event.Event, error) { return s[k], nil }

// newEvent reads "sender type state_key content", where the state key - is none and "" is the empty one.
func newEvent(v *matrix.RoomVersion, notation string) *event.Event {
	fields := strings.SplitN(notation, " ", 4)
	e := &event.Event{
		Version: v, RoomID: "!room:x", Sender: matrix.UserID(fields[0]), Type: fields[1],
		Content: []byte(fields[3]), PrevEvents: []matrix.EventID{"$previous:x"},
	}
	if v.RoomIDIsCreateHash {
		e.RoomID = "!create"
	}
	if key := strings.Trim(fields[2], `"`); key != "-" {
		e.StateKey = &key
	}
	e.ID = matrix.EventID("$" + fields[1] + fields[2])
	e.JSON = fmt.Appendf(nil, `{"content":%s,"signatures":{%q:{"ed25519:1":"x"}}}`, fields[3], e.Sender.Server())
	return e
}

func newCreate(v *matrix.RoomVersion, content string) *event.Event {
	e := newEvent(v, `@creator:x m.room.create "" `+content)
	e.ID, e.PrevEvents = "$create", nil
	if !v.RoomIDIsCreateHash {
		e.JSON = []byte(`{"room_id":"!room:x"}`)
	}
	return e
}

// usual is a public room with users of all kinds.
const usual = `
@creator:x m.room.member @creator:x {"membership":"join"}
@admin:x m.room.member @admin:x {"membership":"join"}
@mod:x m.room.member @mod:x {"membership":"join"}
@mod2:x m.room.member @mod2:x {"membership":"join"}
@user:x m.room.member @user:x {"membership":"join"}
@far:y m.room.member @far:y {"membership":"join"}
@mod:x m.room.member @invited:y {"membership":"invite"}
@mod:x m.room.member @banned:y {"membership":"ban"}
@left:y m.room.member @left:y {"membership":"leave"}
@knocker:y m.room.member @knocker:y {"membership":"knock"}
@creator:x m.room.join_rules "" {"join_rule":"public"}
@creator:x m.room.power_levels "" {"events":{"special":75,"mine":50},"invite":20,"notifications":{"room":50},"users":{USERS}}`

// usualUsers are the users of the usual power levels; versions before 12 name the creator too.
func usualUsers(v *matrix.RoomVersion) string {
	users := `"@admin:x":100,"@mod:x":50,"@mod2:x":50,"@helper:x":25`
	if !v.PrivilegedCreators {
		users += `,"@creator:x":100`
	}
	return users
}

// newState is the usual state with changes, one a line; "!type state_key" takes an event away.
func newState(v *matrix.RoomVersion, changes string) plain {
	s := plain{{Type: event.TypeCreate}: newCreate(v, `{"creator":"@creator:x"}`)}
	for line := range strings.Lines(usual + "\n" + changes) {
		line = strings.ReplaceAll(strings.TrimSpace(line), "USERS", usualUsers(v))
		if line == "" {
			continue
		}
		if removed, ok := strings.CutPrefix(line, "!"); ok {
			typ, key, _ := strings.Cut(removed, " ")
			delete(s, event.Key{Type: typ, StateKey: strings.Trim(key, `"`)})
			continue
		}
		e := newEvent(v, line)
		if e.Type == event.TypeCreate {
			e = newCreate(v, string(e.Content))
		}
		k, _ := e.Key()
		s[k] = e
	}
	return s
}

// ruleOf returns the rule that refuses, "ok" if none does.
func ruleOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return "ok"
	}
	refused, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("no decision: %v", err)
	}
	return refused.Rule
}

// columns are the room versions that number their rules alike, as in the tables' wants.
var columns = [][]matrix.Version{{"1", "2"}, {"3", "4", "5"}, {"6"}, {"7"}, {"8", "9"}, {"10", "11"}, {"12"}}

// eachVersion calls do for every room version with its column of wants, except those of "-".
func eachVersion(t *testing.T, wants string, do func(v *matrix.RoomVersion, want string)) {
	t.Helper()
	list := strings.Fields(wants)
	for len(list) > 0 && len(list) < len(columns) {
		list = append(list, list[len(list)-1])
	}
	for i, versions := range columns {
		for _, version := range versions {
			if v, _ := matrix.LookupVersion(version); list[i] != "-" {
				do(v, list[i])
			}
		}
	}
}
