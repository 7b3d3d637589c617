package main

import (
	"fmt"
	"strings"
)

// pageChances are the moves that read a room.
func pageChances() []chance {
	return []chance{
		{12, (*walk).messages},
		{5, (*walk).context},
		{6, (*walk).relations},
		{4, (*walk).threadList},
		{5, (*walk).membersAt},
		{5, (*walk).readState},
		{4, (*walk).readEvent},
		{3, (*walk).nearest},
		{3, (*walk).search},
		{1, (*walk).initial},
	}
}

// guest picks a member, and more often than otherwise somebody who was one.
func (w *walk) guest(p *place) string {
	if name := w.person(); w.one(2) && p.been[name] {
		return name
	}
	return w.member(p)
}

// as is a part of a query that tells, to who judges the answers, that the user is not in the room. Servers do not know it.
func (p *place) as(user string) string {
	if p.members[user] == "join" {
		return ""
	}
	return "as=guest"
}

// eventFilter makes up a filter of events.
func (w *walk) eventFilter(lazy bool) object {
	f := object{}
	if w.one(5) {
		f["types"] = []any{w.some("m.room.message m.room.* m.reaction org.example.* m.room.member *")}
	}
	if w.one(8) {
		f["not_types"] = []any{w.some("m.room.message m.room.* m.reaction m.room.member")}
	}
	if w.one(8) {
		f["senders"] = []any{"$" + w.person()}
	}
	if w.one(8) {
		f["not_senders"] = []any{"$" + w.person()}
	}
	if w.one(12) {
		f["contains_url"] = w.one(2)
	}
	if w.one(12) {
		f[w.some("rooms not_rooms")] = []any{"$" + w.place().name}
	}
	if lazy && w.one(3) {
		f["lazy_load_members"] = true
	}
	return f
}

// query joins the parts of a query that are not empty.
func query(parts ...string) string {
	var given []string
	for _, p := range parts {
		if p != "" {
			given = append(given, p)
		}
	}
	if given == nil {
		return ""
	}
	return "?" + strings.Join(given, "&")
}

// maybe makes a part of a query, with a value, in one of n cases.
func (w *walk) maybe(n int, name, value string) string {
	if value == "" || !w.one(n) {
		return ""
	}
	return name + "=" + value
}

// token picks the name of a variable with a position, "" if none is known.
func (w *walk) token(p *place) string {
	var all []string
	for _, t := range p.tokens {
		if w.knows(t) {
			all = append(all, "$"+t)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return pick(w, all)
}

// turned notes where a page began and ended, but not pages of who ignores others: Synapse's are shorter.
func (p *place) turned(user, start, end string) {
	if user != ignorer {
		p.tokens = append(p.tokens, start, end)
	}
}

func (w *walk) messages() move {
	p := w.place()
	user := w.guest(p)
	start, end := w.fresh("p"), w.fresh("p")
	filter := w.eventFilter(true)
	if w.one(8) {
		filter["related_by_rel_types"] = []any{w.some("m.thread m.annotation m.replace m.reference")}
	}
	if w.one(12) {
		filter["related_by_senders"] = []any{"$" + w.person()}
	}
	limit := w.maybe(2, "limit", fmt.Sprint(1+w.random.IntN(12)))
	if p.secret() {
		limit = "limit=100" // pages of what may be seen partly are as long as a server likes
	}
	q := query("dir="+w.some("b b f"), w.maybe(2, "from", w.token(p)), w.maybe(6, "to", w.token(p)), limit, w.maybe(2, "filter", encode(filter)), p.as(user))
	return move{fmt.Sprintf("%s GET /rooms/$%s/messages%s -> %s?=start %s?=end", user, p.name, q, start, end), func(*answer) {
		p.turned(user, start, end)
	}}
}

func (w *walk) context() move {
	p := w.place()
	e, ok := p.event(w, "")
	if !ok {
		return w.messages()
	}
	user, start, end := w.guest(p), w.fresh("p"), w.fresh("p")
	q := query(w.maybe(2, "limit", fmt.Sprint(w.random.IntN(9))), w.maybe(4, "filter", encode(w.eventFilter(true))), p.as(user))
	return move{fmt.Sprintf("%s GET /rooms/$%s/context/$%s%s -> %s?=start %s?=end", user, p.name, e.name, q, start, end), func(*answer) {
		p.turned(user, start, end)
	}}
}

func (w *walk) relations() move {
	p := w.place()
	e, ok := p.event(w, "m.room.message m.room.encrypted org.example.event")
	if !ok {
		return w.messages()
	}
	path := ""
	if w.one(2) {
		path = "/" + w.some("m.thread m.annotation m.replace m.reference")
		if w.one(3) {
			path += "/" + w.some("m.room.message m.reaction")
		}
	}
	user, next := w.guest(p), w.fresh("p")
	q := query(w.maybe(2, "limit", fmt.Sprint(1+w.random.IntN(4))), w.maybe(3, "dir", w.some("b f")), w.maybe(3, "recurse", "true"), w.maybe(4, "from", w.token(p)), p.as(user))
	return move{fmt.Sprintf("%s GET /v1/rooms/$%s/relations/$%s%s%s -> %s?=next_batch", user, p.name, e.name, path, q, next), nil}
}

func (w *walk) threadList() move {
	p := w.place()
	user := w.guest(p)
	q := query(w.maybe(2, "limit", fmt.Sprint(1+w.random.IntN(3))), w.maybe(2, "include", w.some("all participated")), p.as(user))
	return move{line: fmt.Sprintf("%s GET /v1/rooms/$%s/threads%s", user, p.name, q)}
}

func (w *walk) membersAt() move {
	p := w.place()
	if w.one(3) {
		return move{line: fmt.Sprintf("%s GET /rooms/$%s/joined_members", w.guest(p), p.name)}
	}
	at := w.token(p)
	which := w.some("membership not_membership")
	user := w.guest(p)
	q := query(w.maybe(2, "at", at), w.maybe(2, which, w.some("join leave invite ban knock")), p.as(user))
	return move{line: fmt.Sprintf("%s GET /rooms/$%s/members%s -> unordered chunk", user, p.name, q)}
}

func (w *walk) readState() move {
	p := w.place()
	user := w.guest(p)
	if w.one(2) {
		return move{line: fmt.Sprintf("%s GET /rooms/$%s/state%s", user, p.name, query(p.as(user)))}
	}
	kind := w.some("m.room.name m.room.topic m.room.power_levels m.room.join_rules m.room.history_visibility org.example.state m.room.canonical_alias m.room.member/$alice m.room.member/$bob m.room.tombstone m.room.create")
	return move{line: fmt.Sprintf("%s GET /rooms/$%s/state/%s%s", user, p.name, kind, query(p.as(user)))}
}

func (w *walk) readEvent() move {
	p := w.place()
	e, ok := p.event(w, "")
	if !ok {
		return w.messages()
	}
	room := p.name
	if w.one(10) {
		room = w.place().name
	}
	user, stamp := w.guest(p), w.fresh("ts")
	return move{fmt.Sprintf("%s GET /rooms/$%s/event/$%s%s -> %s?=origin_server_ts", user, room, e.name, query(p.as(user)), stamp), func(*answer) {
		if e.kind == "m.room.message" {
			p.times = append(p.times, stamp)
		}
	}}
}

func (w *walk) nearest() move {
	p := w.place()
	ts := w.some("1 9999999999999")
	if len(p.times) > 0 && !w.one(6) {
		ts = "$" + pick(w, p.times)
	}
	user := w.guest(p)
	return move{line: fmt.Sprintf("%s GET /v1/rooms/$%s/timestamp_to_event%s", user, p.name, query("ts="+ts, "dir="+w.some("b f"), p.as(user)))}
}

// search searches a room in which nothing is encrypted or edited: there it depends on the server what is found.
func (w *walk) search() move {
	p := w.place()
	if p.hidden || strings.HasPrefix(p.name, "new") { // which is searched together with the room before it
		return w.readState()
	}
	criteria := object{"search_term": w.some(words), "order_by": "recent"}
	filter := object{"rooms": []any{"$" + p.name}}
	if w.one(3) {
		filter["senders"] = []any{"$" + w.person()}
	}
	if w.one(3) {
		filter["limit"] = 1 + w.random.IntN(4)
	}
	criteria["filter"] = filter
	if w.one(3) {
		criteria["event_context"] = object{"before_limit": 1, "after_limit": 1, "include_profile": w.one(2)}
	}
	if w.one(3) {
		criteria["keys"] = []any{w.some("content.body content.topic content.name")}
	}
	return move{line: fmt.Sprintf("%s POST /search %s", w.insider(p), encode(object{"search_categories": object{"room_events": criteria}}))}
}

func (w *walk) initial() move {
	p, limit := w.place(), 3
	if p.secret() {
		limit = 100
	}
	user := w.guest(p)
	return move{line: fmt.Sprintf("%s GET /rooms/$%s/initialSync%s", user, p.name, query(fmt.Sprint("limit=", limit), p.as(user)))}
}
