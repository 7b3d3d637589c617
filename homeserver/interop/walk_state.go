package main

import (
	"fmt"
	"slices"
	"strings"
)

// stateChances are the moves that change the state of a room.
func stateChances() []chance {
	return []chance{{14, (*walk).putState}, {3, (*walk).powerLevels}, {2, (*walk).child}}
}

func (w *walk) putState() move {
	p := w.place()
	kind, content := w.state(p)
	key := ""
	if kind == "org.example.state" && w.one(2) {
		key = w.some("a b $alice $bob")
	}
	return w.sends(p, kind, w.speaker(p), "PUT", fmt.Sprintf("/rooms/$%s/state/%s/%s", p.name, kind, key), content)
}

// state makes up the type and the content of a state event.
func (w *walk) state(p *place) (kind string, content object) {
	switch w.random.IntN(12) {
	case 0:
		return "m.room.name", object{"name": w.some("${walk} Other${walk}") + w.some("1 2 3")}
	case 1:
		return "m.room.topic", object{"topic": w.some(words)}
	case 2:
		return "m.room.avatar", object{"url": "mxc://$server/" + w.some("a b c")}
	case 3, 4:
		return "m.room.history_visibility", object{"history_visibility": w.visibility(p)}
	case 5, 6:
		return "m.room.join_rules", w.joinRule()
	case 7:
		return "m.room.canonical_alias", w.canonicalAlias()
	case 8:
		return "m.room.guest_access", object{"guest_access": w.some("can_join forbidden")}
	case 9:
		if e, ok := p.event(w, ""); ok {
			return "m.room.pinned_events", object{"pinned": []any{"$" + e.name}}
		}
	}
	return "org.example.state", object{"n": w.random.IntN(4)}
}

func (w *walk) joinRule() object {
	rule := w.some("public public invite knock restricted knock_restricted private nonsense")
	content := object{"join_rule": rule}
	if rule == "restricted" || rule == "knock_restricted" {
		content["allow"] = []any{object{"type": "m.room_membership", "room_id": "$" + w.place().name}}
	}
	return content
}

func (w *walk) canonicalAlias() object {
	content := object{}
	if len(w.aliases) > 0 && !w.one(5) {
		content["alias"] = "#" + pick(w, w.aliases)[3:]
	}
	if len(w.aliases) > 0 && w.one(3) {
		content["alt_aliases"] = []any{"#" + pick(w, w.aliases)[3:]}
	}
	if w.one(6) {
		content["alias"] = "#$walk-none:$server"
	}
	return content
}

// powerLevels sets levels, some of which are none.
func (w *walk) powerLevels() move {
	p := w.place()
	users := object{}
	if p.version != "12" || w.one(6) {
		users["$alice"], users["$bob"] = 100, 100
	}
	for _, name := range people()[1:] {
		if w.one(3) {
			users["$"+name] = w.random.IntN(4) * 25
		}
	}
	content := object{"users": users, "events": object{"m.room.power_levels": 100, "m.room.tombstone": 150}, "state_default": w.random.IntN(2) * 50}
	strict := slices.Contains(strings.Fields("10 11 12"), p.version) // in older ones levels may be texts, and Synapse never lets them
	switch w.random.IntN(14) {
	case 0:
		if strict {
			content["users_default"] = "50"
		}
	case 1:
		content["ban"] = -1
	case 2:
		content["events"] = object{"m.room.message": 50, "m.reaction": 0}
	case 3:
		if strict {
			content["redact"] = 1.5
		}
	case 4:
		content["users_default"] = 50
	case 5:
		content["notifications"] = object{"room": 0}
	case 6:
		content["invite"] = 0
	case 7:
		content["events"] = object{"org.example.state": w.random.IntN(120)}
	case 8:
		if strict {
			content["users"] = []any{}
		}
	}
	return w.sends(p, "m.room.power_levels", w.speaker(p), "PUT", fmt.Sprintf("/rooms/$%s/state/m.room.power_levels", p.name), content)
}

// child puts a room into a space, or takes it out.
func (w *walk) child() move {
	p, other := w.place(), w.place()
	content := object{"via": []any{"$server"}}
	switch w.random.IntN(5) {
	case 0:
		content = object{}
	case 1:
		content["suggested"] = true
	case 2:
		content["order"] = w.some("a b c")
	}
	return w.sends(p, "m.space.child", w.speaker(p), "PUT", fmt.Sprintf("/rooms/$%s/state/m.space.child/$%s", p.name, other.name), content)
}
