package main

import (
	"fmt"
	"slices"
)

// memberChances are the moves that change who is in a room, and who somebody is.
func memberChances() []chance {
	return []chance{
		{12, (*walk).join},
		{4, (*walk).leave},
		{8, (*walk).invite},
		{6, (*walk).remove},
		{2, (*walk).knock},
		{2, (*walk).forget},
		{2, (*walk).putMembership},
		{2, (*walk).rename},
	}
}

// talker picks anybody but the reader, who only ever joins: Synapse's counts of what is unread begin anew with each member
// event, and now and then tell of what was before.
func (w *walk) talker() string { return pick(w, people()[:len(people())-1]) }

// becomes is a move after which a user has a membership.
func becomes(p *place, user, membership, line string) move {
	return move{line, func(*answer) { p.become(user, membership) }}
}

// outsider picks somebody who is not in a room, as far as is known, and sometimes somebody else.
func (w *walk) outsider(p *place, membership string) string {
	var out []string
	for _, name := range people() {
		if m := p.members[name]; m != "join" && (membership == "" || m == membership) {
			out = append(out, name)
		}
	}
	if len(out) == 0 || w.one(8) {
		return w.person()
	}
	return pick(w, out)
}

// reason is a body that may say why.
func (w *walk) reason(body object) string {
	if w.one(3) {
		body["reason"] = "Because"
	}
	return encode(body)
}

func (w *walk) join() move {
	p := w.place()
	user := w.outsider(p, "")
	if w.one(2) {
		user = w.outsider(p, "invite")
	}
	if p.members[user] == "join" {
		return w.invite() // who joins again gets another event from Synapse
	}
	path := "/join/$" + p.name
	if w.one(2) {
		path = fmt.Sprintf("/rooms/$%s/join", p.name)
	}
	return becomes(p, user, "join", fmt.Sprintf("%s POST %s %s", w.device(user), path, w.reason(object{})))
}

func (w *walk) leave() move {
	p := w.place()
	user := w.member(p)
	if w.one(3) {
		user = w.outsider(p, "invite")
	}
	if user == reader {
		return w.invite()
	}
	return becomes(p, user, "leave", fmt.Sprintf("%s POST /rooms/$%s/leave %s", user, p.name, w.reason(object{})))
}

func (w *walk) invite() move {
	p := w.place()
	guest := w.outsider(p, "")
	if guest == reader {
		guest = w.talker()
	}
	body := w.reason(object{"user_id": "$" + guest})
	return becomes(p, guest, "invite", fmt.Sprintf("%s POST /rooms/$%s/invite %s", w.speaker(p), p.name, body))
}

// remove kicks, bans or pardons.
func (w *walk) remove() move {
	p := w.place()
	user, action := w.talker(), w.some("kick ban unban")
	if banned := w.banned(p); action == "unban" && banned != "" {
		user = banned
	} else if action == "unban" {
		action = "ban"
	}
	if action == "ban" && !p.been[user] {
		action = "kick" // who was never there and is banned, gets from Synapse what others saw
	}
	becoming := "leave"
	if action == "ban" {
		becoming = "ban"
	}
	return becomes(p, user, becoming, fmt.Sprintf("%s POST /rooms/$%s/%s %s", w.speaker(p), p.name, action, w.reason(object{"user_id": "$" + user})))
}

// banned picks somebody who is banned, "" if nobody is known to be.
func (w *walk) banned(p *place) string {
	all := slices.DeleteFunc(people(), func(name string) bool { return p.members[name] != "ban" })
	if len(all) == 0 {
		return ""
	}
	return pick(w, all)
}

func (w *walk) knock() move {
	p := w.place()
	user := w.talker()
	return becomes(p, user, "knock", fmt.Sprintf("%s POST /knock/$%s %s", user, p.name, w.reason(object{})))
}

// forgetter is who forgets rooms.
const forgetter = "alice"

func (w *walk) forget() move {
	p, user := w.place(), forgetter
	if p.members[user] == "join" {
		return w.invite()
	}
	return becomes(p, user, "", fmt.Sprintf("%s POST /rooms/$%s/forget {}", user, p.name))
}

// putMembership sets a member event as any other state.
func (w *walk) putMembership() move {
	p := w.place()
	actor, user, membership := w.speaker(p), w.talker(), w.some("join leave invite ban knock")
	if w.one(2) {
		user = actor
	}
	content := object{"membership": membership}
	if w.one(2) {
		content["displayname"] = "Called"
	}
	if w.one(3) {
		content["org.example.more"] = 1
	}
	m := w.sends(p, "m.room.member", actor, "PUT", fmt.Sprintf("/rooms/$%s/state/m.room.member/$%s", p.name, user), content)
	learn := m.learn
	m.learn = func(a *answer) {
		learn(a)
		p.become(user, membership)
	}
	return m
}

// rename changes a profile. Synapse brings it into the rooms when it finds the time, and so each is waited for.
func (w *walk) rename() move {
	user, name := w.talker(), w.fresh("Name")
	field := w.some("displayname avatar_url")
	if field == "avatar_url" {
		name = "mxc://$server/" + name
	}
	return move{fmt.Sprintf("%s PUT /profile/$%s/%s %s", user, user, field, encode(object{field: name})), func(*answer) {
		for _, p := range w.rooms {
			if p.members[user] == "join" {
				w.pending = append(w.pending, fmt.Sprintf("%s GET /rooms/$%s/state/m.room.member/$%s -> until %s==%s",
					user, p.name, user, field, w.expanded(name)))
			}
		}
	}}
}

// expanded is a text with the variables' values.
func (w *walk) expanded(text string) string {
	expanded, err := w.known[0].expand(text, unescaped)
	if err != nil {
		return text
	}
	return expanded
}
