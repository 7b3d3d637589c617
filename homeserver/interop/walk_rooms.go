package main

import (
	"fmt"
	"strings"
)

// roomChances are the moves that make and publish rooms.
func roomChances() []chance {
	return []chance{
		{2, (*walk).maybeRoom},
		{2, (*walk).upgrade},
		{2, (*walk).putAlias},
		{1, (*walk).deleteAlias},
		{1, (*walk).publish},
		{2, (*walk).lookAround},
		{2, (*walk).hierarchy},
		{1, (*walk).summary},
	}
}

const mostRooms = 6 // in a walk

func (w *walk) maybeRoom() move {
	if len(w.rooms) >= mostRooms {
		return w.summary()
	}
	return w.createRoom()
}

// levels are power levels of a new room. Which events need which is said, since servers have defaults of their own.
func (w *walk) levels() object {
	levels := object{"events": object{"m.room.power_levels": 100, "m.room.tombstone": 150}}
	if w.one(2) {
		levels["state_default"] = 0
	}
	if w.one(4) {
		levels["users_default"] = 10 * w.random.IntN(6)
	}
	if w.one(4) {
		levels["invite"] = 50
	}
	if w.one(6) {
		levels["events_default"] = 10 * w.random.IntN(6)
	}
	return levels
}

func (w *walk) createRoom() move {
	name, creator := w.fresh(w.some("room secret")), pick(w, people()[:2])
	p := newPlace(name, w.some("12 12 12 11 10 10 9 7 5 3 1"), creator)
	body := object{
		"preset": w.some("public_chat public_chat private_chat trusted_private_chat"), "room_version": p.version,
		"name": fmt.Sprintf("Walk $walk %d", len(w.rooms)), "power_level_content_override": w.levels(),
	}
	initial := []any{object{"type": "m.room.guest_access", "content": object{"guest_access": "can_join"}}}
	if w.one(4) {
		p.hidden = true
		initial = append(initial, object{"type": "m.room.encryption", "content": object{"algorithm": "m.megolm.v1.aes-sha2"}})
	}
	if w.one(3) {
		initial = append(initial, object{"type": "m.room.history_visibility", "content": object{"history_visibility": w.visibility(p)}})
	}
	body["initial_state"] = initial
	if w.one(4) {
		body["creation_content"] = object{"type": "m.space"}
	}
	if w.one(3) {
		body["topic"] = "About $walk"
	}
	if w.one(3) {
		body["room_alias_name"] = fmt.Sprintf("$walk-%s", name)
		w.aliases = append(w.aliases, fmt.Sprintf("%%23$walk-%s:$server", name))
	}
	if w.one(4) {
		body["visibility"] = "public"
	}
	if w.one(3) {
		guest := w.talker()
		if guest != creator {
			body["invite"] = []any{"$" + guest}
			p.members[guest] = "invite"
		}
		if w.one(2) {
			body["is_direct"] = true
		}
	}
	return move{fmt.Sprintf("%s POST /createRoom %s -> %s?=room_id", w.device(creator), encode(body), name), func(*answer) {
		w.rooms = append(w.rooms, p)
	}}
}

// visibility picks a history visibility. Only rooms that are called secret hide their history: from syncs of these,
// Synapse does not leave out what is state yet.
func (w *walk) visibility(p *place) string {
	if p.secret() {
		return w.some("shared invited joined world_readable nonsense invited joined")
	}
	return w.some("shared world_readable")
}

func (p *place) secret() bool { return !strings.HasPrefix(p.name, "room") }

func (w *walk) upgrade() move {
	p := w.place()
	if len(w.rooms) >= mostRooms || p.over {
		return w.summary()
	}
	name, actor := w.fresh("new"), w.speaker(p)
	version := w.some("12 12 11 10")
	if p.version == "12" {
		version = "12" // in older versions Synapse forgets the creator's power
	}
	return move{fmt.Sprintf("%s POST /rooms/$%s/upgrade %s -> %s?=replacement_room", actor, p.name, encode(object{"new_version": version}), name), func(*answer) {
		w.rooms = append(w.rooms, newPlace(name, version, actor))
		w.rooms[len(w.rooms)-1].hidden = p.hidden
		p.over = true
	}}
}

func (w *walk) putAlias() move {
	p, alias := w.place(), w.fresh("alias")
	path := fmt.Sprintf("%%23$walk-%s:$server", alias)
	return move{fmt.Sprintf("%s PUT /directory/room/%s %s", w.member(p), path, encode(object{"room_id": "$" + p.name})), func(*answer) {
		w.aliases = append(w.aliases, path)
	}}
}

func (w *walk) deleteAlias() move {
	if len(w.aliases) == 0 {
		return w.putAlias()
	}
	return move{line: fmt.Sprintf("%s DELETE /directory/room/%s", w.person(), pick(w, w.aliases))}
}

func (w *walk) publish() move {
	p := w.place()
	return move{line: fmt.Sprintf("%s PUT /directory/list/room/$%s %s", w.member(p), p.name, encode(object{"visibility": w.some("public private")}))}
}

// lookAround reads the directories.
func (w *walk) lookAround() move {
	p := w.place()
	switch w.random.IntN(5) {
	case 0:
		body := object{"filter": object{"generic_search_term": "Walk $walk"}, "limit": 1 + w.random.IntN(4)}
		return move{line: fmt.Sprintf("%s POST /publicRooms %s", w.person(), encode(body))}
	case 1:
		return move{line: fmt.Sprintf("%s GET /directory/list/room/$%s", w.person(), p.name)}
	case 2:
		return move{line: fmt.Sprintf("%s GET /rooms/$%s/aliases -> unordered aliases", w.member(p), p.name)}
	case 3:
		if len(w.aliases) > 0 {
			return move{line: fmt.Sprintf("%s GET /directory/room/%s", w.person(), pick(w, w.aliases))}
		}
	}
	return move{line: fmt.Sprintf("%s GET /joined_rooms", w.person())}
}

func (w *walk) hierarchy() move {
	p := w.place()
	query := ""
	switch w.random.IntN(4) {
	case 0:
		query = "?max_depth=1"
	case 1:
		query = "?suggested_only=true"
	}
	return move{line: fmt.Sprintf("%s GET /v1/rooms/$%s/hierarchy%s", w.member(p), p.name, query)}
}

func (w *walk) summary() move {
	if len(w.aliases) > 0 && w.one(4) {
		return move{line: fmt.Sprintf("%s GET /v1/room_summary/%s", w.person(), pick(w, w.aliases))}
	}
	return move{line: fmt.Sprintf("%s GET /v1/room_summary/$%s", w.person(), w.place().name)}
}
