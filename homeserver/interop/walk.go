package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A walk makes up a conversation step by step, by chance: by a seed, and by what the reference server answered so far.
// What it knows of the rooms is only as good as that it mostly asks for what is there; now and then it does not.
type walk struct {
	random  *rand.Rand
	known   [2]variables // of both servers
	rooms   []*place
	serial  int // of the last variable
	syncs   []since
	filters []owned // ids of filters
	aliases []string
	spoken  []spoken
	pending []string // steps that come next
}

// A place is a room as a walk knows it.
type place struct {
	name    string // the variable with its id
	version string
	members map[string]string // memberships by the user's name
	been    map[string]bool   // who was ever in it
	came    map[string]int    // how many events were known when somebody came
	over    bool              // it was upgraded
	hidden  bool              // what is said there is not found by all servers alike: encrypted, or edited
	events  []happening
	tokens  []string // variables with positions in it
	times   []string // variables with times of its events
	threads []string // variables with the roots of threads
}

func newPlace(name, version, creator string) *place {
	p := &place{name: name, version: version, members: make(map[string]string), been: make(map[string]bool), came: make(map[string]int)}
	p.become(creator, "join")
	return p
}

// become notes that a user has a membership.
func (p *place) become(user, membership string) {
	if membership == "join" && p.members[user] != "join" {
		p.been[user], p.came[user] = true, len(p.events)
	}
	p.members[user] = membership
}

// turn changes the kind of an event.
func (p *place) turn(name, kind string) {
	for i := range p.events {
		if p.events[i].name == name {
			p.events[i].kind = kind
		}
	}
}

// seen is the room with the events only that a user surely may see.
func (p *place) seen(user string) *place {
	if !p.secret() && user != reader { // to Synapse, receipts for what was before one came make that unread
		return p
	}
	return &place{name: p.name, events: p.events[p.came[user]:]}
}

// empty reports whether nobody is in the room.
func (p *place) empty() bool {
	for _, m := range p.members {
		if m == "join" {
			return false
		}
	}
	return true
}

// A happening is an event whose id a variable holds. Its kind is its type, or "edit" or "redacted".
type happening struct{ name, kind, sender string }

// An owned is what belongs to a user.
type owned struct{ user, name string }

// A since is where a sync of a device ended.
type since struct{ actor, name, query string }

// A spoken is a message that was sent, so that the transaction can be repeated.
type spoken struct {
	place *place
	line  string
}

// people are who walks. The last is who only reads: that user sends nothing, so that what is unread has one answer.
func people() []string { return strings.Fields("alice bob carol dave") }

const reader = "dave"

func newWalk(seed uint64, known [2]variables) *walk {
	return &walk{random: rand.New(rand.NewPCG(seed, 0)), known: known}
}

// A move is a step as it is written, and what the walk learns from an answer of status 200.
type move struct {
	line  string
	learn func(*answer)
}

// A chance is a kind of move, and how often it is made beside others.
type chance struct {
	weight int
	make   func(*walk) move
}

// next makes up the next step.
func (w *walk) next() move {
	if len(w.pending) > 0 {
		line := w.pending[0]
		w.pending = w.pending[1:]
		return move{line: line}
	}
	w.rooms = slices.DeleteFunc(w.rooms, (*place).empty) // Synapse gives up rooms that everybody has left
	if len(w.rooms) < 2 {
		return w.createRoom()
	}
	all := chances()
	total := 0
	for _, c := range all {
		total += c.weight
	}
	n := w.random.IntN(total)
	for _, c := range all {
		if n -= c.weight; n < 0 {
			return c.make(w)
		}
	}
	return w.createRoom()
}

// chances lists all kinds of moves.
func chances() []chance {
	return slices.Concat(roomChances(), memberChances(), messageChances(), stateChances(), privateChances(), pageChances(), syncChances())
}

// object is a JSON object as it is sent.
type object = map[string]any

func encode(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is made of strings, numbers, lists and objects
	}
	return string(encoded)
}

// fresh returns a name for a new variable.
func (w *walk) fresh(kind string) string {
	w.serial++
	return fmt.Sprintf("%s%d", kind, w.serial)
}

// one reports true in one of n cases.
func (w *walk) one(n int) bool { return w.random.IntN(n) == 0 }

// some picks one of the words.
func (w *walk) some(words string) string { return pick(w, strings.Fields(words)) }

func pick[T any](w *walk, all []T) T { return all[w.random.IntN(len(all))] }

func (w *walk) place() *place { return pick(w, w.rooms) }

func (w *walk) person() string { return pick(w, people()) }

// member picks somebody who is in a room, as far as is known, and sometimes somebody else.
func (w *walk) member(p *place) string {
	if name := w.person(); w.one(10) && (p.been[name] || p.members[name] == "") {
		return name // but not who was invited and never came, whom Synapse takes for somebody who left
	}
	return w.insider(p)
}

// insider picks somebody who is in a room, as far as is known.
func (w *walk) insider(p *place) string {
	return pick(w, slices.DeleteFunc(people(), func(name string) bool { return p.members[name] != "join" }))
}

// speaker picks a member who may say something.
func (w *walk) speaker(p *place) string {
	for {
		if name := w.member(p); name != reader {
			return name
		}
		if w.one(4) {
			return people()[0]
		}
	}
}

// device makes an actor of a user: now and then another device acts.
func (w *walk) device(user string) string {
	if (user == "alice" || user == reader) && w.one(5) {
		return user + "/phone"
	}
	return user
}

// userOf is the user of an actor.
func userOf(actor string) string {
	name, _, _ := strings.Cut(actor, "/")
	return name
}

// event picks an event of a room, nothing if none is known.
func (p *place) event(w *walk, kinds string) (happening, bool) {
	var fitting []happening
	for _, e := range p.events {
		if kinds == "" || slices.Contains(strings.Fields(kinds), e.kind) {
			fitting = append(fitting, e)
		}
	}
	if len(fitting) == 0 {
		return happening{}, false
	}
	if w.one(2) { // those of now more often than those of old
		fitting = fitting[max(0, len(fitting)-5):]
	}
	return pick(w, fitting), true
}

// sends is a move after which an event's id is known.
func (w *walk) sends(p *place, kind, actor, method, path string, body any) move {
	name := w.fresh("e")
	line := fmt.Sprintf("%s %s %s %s -> %s?=event_id", actor, method, path, encode(body), name)
	return move{line, func(*answer) {
		if w.knows(name) {
			p.events = append(p.events, happening{name, kind, userOf(actor)})
		}
	}}
}

// knows reports whether a variable has a value on both servers.
func (w *walk) knows(name string) bool {
	_, theirs := w.known[0][name]
	_, ours := w.known[1][name]
	return theirs && ours
}

// acquainted picks somebody who has to do with a room.
func (w *walk) acquainted(p *place) string {
	return pick(w, slices.DeleteFunc(people(), func(name string) bool { return p.members[name] == "" }))
}
