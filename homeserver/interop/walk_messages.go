package main

import "fmt"

// messageChances are the moves that say something.
func messageChances() []chance {
	return []chance{
		{14, (*walk).message},
		{5, (*walk).edit},
		{5, (*walk).react},
		{7, (*walk).reply},
		{2, (*walk).other},
		{6, (*walk).redact},
		{1, (*walk).repeat},
		{2, (*walk).learnEvent},
	}
}

// words are what is said, so that a search finds it.
const words = "zorbo quix mirel fandu"

func (w *walk) say(content object) object {
	content["body"] = fmt.Sprintf("%s %s %d", w.some(words), w.some(words), w.random.IntN(100))
	content["msgtype"] = w.some("m.text m.text m.text m.notice m.emote")
	if w.one(6) {
		content["m.mentions"] = object{"user_ids": []any{"$" + w.person()}}
	} else if w.one(10) {
		content["m.mentions"] = object{"room": true}
	}
	if w.one(10) {
		content["url"] = "mxc://$server/picture"
	}
	return content
}

// puts is a move that sends an event with a transaction id of its own.
func (w *walk) puts(p *place, kind string, content object) move {
	actor := w.device(w.speaker(p))
	m := w.sends(p, kind, actor, "PUT", fmt.Sprintf("/rooms/$%s/send/%s/%s", p.name, kind, w.fresh("t")), content)
	learn := m.learn
	m.learn = func(a *answer) {
		learn(a)
		w.spoken = append(w.spoken, spoken{p, m.line})
	}
	return m
}

func (w *walk) message() move { return w.puts(w.place(), "m.room.message", w.say(object{})) }

func relates(kind string, to happening) object {
	return object{"rel_type": kind, "event_id": "$" + to.name}
}

func (w *walk) edit() move {
	p := w.place()
	target, ok := p.event(w, "m.room.message m.room.message m.room.encrypted org.example.event")
	if !ok {
		return w.message()
	}
	p.hidden = true
	content := w.say(object{"m.relates_to": relates("m.replace", target)})
	content["m.new_content"] = w.say(object{})
	actor := target.sender
	if w.one(5) {
		actor = w.speaker(p) // who may not
	}
	return w.sends(p, "edit", actor, "PUT", fmt.Sprintf("/rooms/$%s/send/%s/%s", p.name, target.kind, w.fresh("t")), content)
}

func (w *walk) react() move {
	p := w.place()
	target, ok := p.event(w, "")
	if !ok {
		return w.message()
	}
	relation := relates("m.annotation", target)
	relation["key"] = w.some("👍 👎 x")
	return w.puts(p, "m.reaction", object{"m.relates_to": relation})
}

// reply says something in a thread, or with a reference.
func (w *walk) reply() move {
	p := w.place()
	target, ok := p.event(w, "m.room.message m.room.encrypted org.example.event")
	if len(p.threads) > 0 && w.one(2) {
		target, ok = happening{name: pick(w, p.threads)}, true
	}
	if !ok {
		return w.message()
	}
	if w.one(4) {
		return w.puts(p, "m.room.message", w.say(object{"m.relates_to": relates("m.reference", target)}))
	}
	relation := relates("m.thread", target)
	if w.one(3) {
		relation["is_falling_back"] = true
		relation["m.in_reply_to"] = object{"event_id": "$" + target.name}
	}
	m := w.puts(p, "m.room.message", w.say(object{"m.relates_to": relation}))
	learn := m.learn
	m.learn = func(a *answer) {
		learn(a)
		p.threads = append(p.threads, target.name)
	}
	return m
}

func (w *walk) other() move {
	p := w.place()
	if w.one(2) {
		return w.puts(p, "m.room.encrypted", object{"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "session_id": "y"})
	}
	return w.puts(p, "org.example.event", w.say(object{}))
}

func (w *walk) redact() move {
	p := w.place()
	target, ok := p.event(w, "")
	if !ok {
		return w.message()
	}
	actor := w.speaker(p)
	if w.one(2) && target.sender != reader {
		actor = target.sender
	}
	body := object{}
	if w.one(2) {
		body["reason"] = "Because"
	}
	m := w.sends(p, "m.room.redaction", actor, "PUT", fmt.Sprintf("/rooms/$%s/redact/$%s/%s", p.name, target.name, w.fresh("t")), body)
	learn := m.learn
	m.learn = func(a *answer) {
		learn(a)
		p.turn(target.name, "redacted")
	}
	return m
}

// repeat sends again what was sent.
func (w *walk) repeat() move {
	if len(w.spoken) == 0 {
		return w.message()
	}
	return move{line: pick(w, w.spoken).line}
}

// learnEvent learns the id of an event that a server made: a membership, or of those that a room begins with.
func (w *walk) learnEvent() move {
	p, name := w.place(), w.fresh("e")
	kind, key, sender := "m.room.member", w.person(), ""
	sender = key
	path := "m.room.member/$" + key
	if w.one(3) {
		kind = w.some("m.room.create m.room.power_levels m.room.join_rules m.room.history_visibility")
		path, sender = kind+"/", people()[0]
	}
	return move{fmt.Sprintf("%s GET /rooms/$%s/state/%s?format=event -> %s?=event_id", w.member(p), p.name, path, name), func(*answer) {
		if w.knows(name) {
			p.events = append(p.events, happening{name, kind, sender})
		}
	}}
}
