package main

import (
	"fmt"
	"slices"
	"strings"
)

// syncChances are the moves that synchronise.
func syncChances() []chance {
	return []chance{{8, (*walk).firstSync}, {24, (*walk).nextSync}, {5, (*walk).oldSync}}
}

// syncFilter makes up a filter of syncs, always one without presence, which comes when it likes.
func (w *walk) syncFilter() object {
	f := object{"presence": object{"not_types": []any{"*"}}}
	if w.one(2) {
		f["account_data"] = object{"not_types": []any{"*"}}
	}
	room := object{}
	if w.one(2) {
		timeline := w.eventFilter(false)
		if !w.one(4) {
			timeline["limit"] = 1 + w.random.IntN(12)
		}
		if w.one(2) {
			timeline["unread_thread_notifications"] = true
		}
		room["timeline"] = timeline
	}
	if w.one(2) {
		state := object{}
		if w.one(4) {
			state = w.eventFilter(false)
		}
		if w.one(2) {
			state["lazy_load_members"], state["include_redundant_members"] = true, true
		}
		room["state"] = state
	}
	if w.one(4) {
		room["ephemeral"] = object{w.some("types not_types"): []any{w.some("m.receipt m.typing")}}
	}
	if w.one(6) {
		room["account_data"] = object{w.some("types not_types"): []any{w.some("m.tag m.fully_read org.example.*")}}
	}
	room["include_leave"] = w.one(3)
	if w.one(10) {
		room[w.some("rooms not_rooms")] = []any{"$" + w.place().name}
	}
	f["room"] = room
	if w.one(30) {
		f["event_fields"] = []any{"type", "content.body", "sender"}
	}
	return f
}

// filterOf is a filter's part of a query for a user.
func (w *walk) filterOf(user string) string {
	var own []string
	for _, f := range w.filters {
		if f.user == user {
			own = append(own, f.name)
		}
	}
	if len(own) > 0 && w.one(2) {
		return "filter=$" + pick(w, own)
	}
	return "filter=" + encode(w.syncFilter())
}

// sync is a move that synchronises, and learns where that ended and began in the rooms.
func (w *walk) sync(actor, filter, from string) move {
	next := w.fresh("s")
	keep := next + "?=next_batch"
	tokens := make(map[*place]string)
	for _, p := range w.rooms {
		if w.one(3) && !p.secret() && !strings.Contains(filter, "$narrow") && !strings.Contains(filter, "$leftnarrow") && !strings.Contains(filter, `"timeline":{`) {
			tokens[p] = w.fresh("p") // with a filter, what stands before the timeline is anybody's guess
			keep += fmt.Sprintf(" %s?=rooms.join.$%s.timeline.prev_batch", tokens[p], p.name)
		}
	}
	full := w.maybe(12, "full_state", "true")
	q := query(from, filter, full)
	return move{fmt.Sprintf("%s GET /sync%s -> %s", actor, q, keep), func(a *answer) {
		w.syncs = append(w.syncs, since{actor, next, filter})
		for _, p := range w.rooms {
			limited, _ := lookup(a.body, "rooms.join.$"+p.name+".timeline.limited", w.known[0])
			if t, ok := tokens[p]; ok && limited == true {
				p.tokens = append(p.tokens, t)
			}
		}
		if w.one(3) {
			p := w.place()
			p.tokens = append(p.tokens, next)
		}
	}}
}

// syncer picks who synchronises, who only reads more often than others.
func (w *walk) syncer() string {
	if w.one(3) {
		return w.device(reader)
	}
	return w.device(w.person())
}

func (w *walk) firstSync() move {
	actor := w.syncer()
	return w.sync(actor, w.filterOf(userOf(actor)), "")
}

// nextSync goes on where the last sync of a device ended, mostly with the same filter.
func (w *walk) nextSync() move {
	actor := w.syncer()
	i := -1
	for j, s := range w.syncs {
		if s.actor == actor {
			i = j
		}
	}
	if i < 0 {
		return w.firstSync()
	}
	last := w.syncs[i]
	if w.one(5) {
		last.query = w.filterOf(userOf(actor))
	}
	return w.sync(actor, last.query, "since=$"+last.name)
}

// oldSync begins where any sync of the user ended.
func (w *walk) oldSync() move {
	actor := w.syncer()
	own := slices.DeleteFunc(slices.Clone(w.syncs), func(s since) bool { return userOf(s.actor) != userOf(actor) })
	if len(own) == 0 {
		return w.firstSync()
	}
	return w.sync(actor, w.filterOf(userOf(actor)), "since=$"+pick(w, own).name)
}
