package main

import "fmt"

// privateChances are the moves that touch what belongs to one user, or only passes by.
func privateChances() []chance {
	return []chance{
		{8, (*walk).receipt},
		{2, (*walk).readMarkers},
		{2, (*walk).typing},
		{3, (*walk).accountData},
		{2, (*walk).tag},
		{1, (*walk).ignore},
		{2, (*walk).putFilter},
		{2, (*walk).readPrivate},
		{1, (*walk).mutual},
	}
}

func (w *walk) receipt() move {
	p := w.place()
	user := w.listener(p)
	e, ok := p.seen(user).event(w, "")
	if !ok {
		return w.message()
	}
	body := object{}
	switch w.random.IntN(4) {
	case 0:
		body["thread_id"] = "main"
	case 1:
		if len(p.threads) > 0 {
			body["thread_id"] = "$" + pick(w, p.threads)
		}
	}
	kind := w.some("m.read m.read m.read.private m.fully_read")
	if kind == "m.fully_read" || e.kind == "redacted" { // of which is not known any more to which thread it belonged
		body = object{}
	}
	return move{line: fmt.Sprintf("%s POST /rooms/$%s/receipt/%s/$%s %s", w.device(user), p.name, kind, e.name, encode(body))}
}

// listener picks a member, who only reads more often than others.
func (w *walk) listener(p *place) string {
	if p.members[reader] == "join" && w.one(2) {
		return reader
	}
	return w.insider(p)
}

func (w *walk) readMarkers() move {
	p := w.place()
	user, body := w.listener(p), object{}
	for _, kind := range []string{"m.fully_read", "m.read", "m.read.private"} {
		if e, ok := p.seen(user).event(w, ""); ok && w.one(2) {
			body[kind] = "$" + e.name
		}
	}
	return move{line: fmt.Sprintf("%s POST /rooms/$%s/read_markers %s", user, p.name, encode(body))}
}

func (w *walk) typing() move {
	p := w.place()
	user := w.member(p)
	body := object{"typing": true, "timeout": 600000}
	if w.one(3) {
		body = object{"typing": false}
	}
	return move{line: fmt.Sprintf("%s PUT /rooms/$%s/typing/$%s %s", user, p.name, user, encode(body))}
}

func (w *walk) accountData() move {
	p := w.place()
	user := w.acquainted(p)
	where := fmt.Sprintf("rooms/$%s/", p.name)
	kind, content := w.some("org.example.data m.marked_unread"), object{"n": w.random.IntN(3)}
	if w.one(3) {
		where = ""
	}
	return move{line: fmt.Sprintf("%s PUT /user/$%s/%saccount_data/%s %s", user, user, where, kind, encode(content))}
}

func (w *walk) tag() move {
	p := w.place()
	user := w.acquainted(p)
	path := fmt.Sprintf("/user/$%s/rooms/$%s/tags/%s", user, p.name, w.some("m.favourite u.work"))
	if w.one(3) {
		return move{line: fmt.Sprintf("%s DELETE %s", user, path)}
	}
	return move{line: fmt.Sprintf("%s PUT %s %s", user, path, encode(object{"order": 0.5}))}
}

// ignorer is who ignores others.
const ignorer = "carol"

func (w *walk) ignore() move {
	user, list := ignorer, object{}
	if other := w.person(); other != user && !w.one(2) {
		list["$"+other] = object{}
	}
	return move{line: fmt.Sprintf("%s PUT /user/$%s/account_data/m.ignored_user_list %s", user, user, encode(object{"ignored_users": list}))}
}

func (w *walk) putFilter() move {
	user, name, filter := w.person(), w.fresh("f"), w.syncFilter()
	delete(filter, "event_fields") // what differs because of these is told by the steps that have them
	room := filter["room"].(object)
	delete(room, "rooms")
	delete(room, "not_rooms")
	if t, ok := room["timeline"].(object); ok && narrow(t) {
		name = w.fresh("narrow")
	}
	if room["include_leave"] == true {
		name = "left" + name
	}
	return move{fmt.Sprintf("%s POST /user/$%s/filter %s -> %s?=filter_id", user, user, encode(filter), name), func(*answer) {
		w.filters = append(w.filters, owned{user, name})
	}}
}

// narrow reports whether a filter leaves out events, whatever their number.
func narrow(timeline object) bool {
	for name := range timeline {
		if name != "limit" && name != "unread_thread_notifications" {
			return true
		}
	}
	return false
}

// readPrivate reads what a user keeps.
func (w *walk) readPrivate() move {
	user, p := w.person(), w.place()
	switch w.random.IntN(6) {
	case 0:
		return move{line: fmt.Sprintf("%s GET /user/$%s/rooms/$%s/account_data/%s", user, user, p.name, w.some("org.example.data m.fully_read m.tag"))}
	case 1:
		return move{line: fmt.Sprintf("%s GET /user/$%s/account_data/%s", user, user, w.some("org.example.data m.ignored_user_list"))}
	case 2:
		return move{line: fmt.Sprintf("%s GET /user/$%s/rooms/$%s/tags", user, user, p.name)}
	case 3:
		return move{line: fmt.Sprintf("%s GET /profile/$%s", user, w.person())}
	case 4:
		if len(w.filters) > 0 {
			f := pick(w, w.filters)
			return move{line: fmt.Sprintf("%s GET /user/$%s/filter/$%s", f.user, f.user, f.name)}
		}
	}
	query := ""
	if w.one(3) {
		query = "?only=highlight"
	} else if w.one(2) {
		query = "?limit=3"
	}
	for _, p := range w.rooms {
		if p.been[user] && p.members[user] != "join" {
			return w.mutual() // of what was left, Synapse still tells for a while
		}
	}
	return move{line: fmt.Sprintf("%s GET /notifications%s", user, query)}
}

func (w *walk) mutual() move {
	return move{line: fmt.Sprintf("%s GET /v1/mutual_rooms?user_id=$%s -> unordered joined", w.person(), w.person())}
}
