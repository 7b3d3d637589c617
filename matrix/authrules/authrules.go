// Package authrules decides whether an event is allowed, by the numbered authorisation rules of its room version.
//
// The rules are the numbered branches of the specification, in its order (spec: rooms/v1 to rooms/v12,
// #authorization-rules). Comments give the numbers of room version 12. The other versions have the same rules
// under other numbers, or lack some; the table in numbers.go says which, and a refusal carries the number that the
// event's own version uses.
//
// Three questions are asked of the rules, at different times:
//
//   - [Needed]: which state must an event cite in its auth_events?
//   - [CheckAuthEvents]: are the auth_events that it cites the right ones? (rule 3)
//   - [Check]: does a given state of the room allow it? (all other rules)
//
// On receipt of an event, Check is asked three times: with its auth events as the state, with the state before it,
// and with the room's current state (spec: server-server-api#checks-performed-on-receipt-of-a-pdu).
//
// # Invariants
//
//   - A state that lacks a create event allows nothing but a create event.
//   - An event that [Check] allows can be read by every later Check: power levels that cannot be read are refused,
//     also in the old versions that have no rule for it.
//   - The same event and state give the same answer on every server and at any time. So whether a signature is
//     valid is not decided here: rule 5.2.1 asks whether the authorising server's signature is there, and whoever
//     receives the event verifies it with the others.
package authrules

import (
	"fmt"

	"hearth/matrix"
	"hearth/matrix/event"
)

// State is the state of a room as far as the rules look at it. Check asks only for the keys of [Needed] and for
// the create event, so an implementation may fetch them one at a time.
type State interface {
	// Event returns the state event at k, nil if there is none. An error means that it could not be read.
	Event(k event.Key) (*event.Event, error)
}

// Error is a refusal by a rule.
type Error struct {
	Version matrix.Version
	Rule    string // "5.3.2", as the specification of Version numbers it
	Msg     string // what is wrong, without anything of the event's content
}

func (e *Error) Error() string {
	return fmt.Sprintf("room version %s, rule %s: %s", e.Version, e.Rule, e.Msg)
}

// Check returns nil if state allows e, an *[Error] if a rule refuses it, and another error if state could not be
// read. Whoever checks many events of a room uses a [Checker].
func Check(e *event.Event, state State) error {
	var c Checker
	return c.Check(e, state)
}

// Checker checks events of one room and remembers what it has parsed of the create event and of the last few
// power levels, so that checking a message parses nothing. The zero value is ready. A Checker is for one goroutine.
type Checker struct {
	room  *room
	power map[matrix.EventID]*levels
}

// Check is the function [Check], with memory.
func (c *Checker) Check(e *event.Event, state State) error {
	k := check{c: c, e: e, v: e.Version, n: numbersOf(e.Version), state: state}
	return k.event()
}

// check is the decision about one event.
type check struct {
	c     *Checker
	e     *event.Event
	v     *matrix.RoomVersion
	n     *numbers
	state State
	room  *room
	pl    *levels // nil if the room has no power levels
}

// event goes through the rules from 1 to 11.
// spec: rooms/v12#authorization-rules
func (k *check) event() error {
	if k.e.Type == event.TypeCreate { // 1
		return k.create()
	}
	if err := k.load(); err != nil { // 2
		return err
	}
	// 3 is CheckAuthEvents.
	if !k.room.federate && k.e.Sender.Server() != k.room.server { // 4
		return k.refuse("the room is not federated", k.n.federate)
	}
	if k.e.Type == event.TypeAliases && k.v.SpecialAliasAuth { // room versions 1 to 5: 4
		return k.aliases()
	}
	if k.e.Type == event.TypeMember { // 5
		return k.member()
	}
	joined, err := k.hasMembership(k.e.Sender, "join")
	switch {
	case err != nil:
		return err
	case !joined: // 6
		return k.refuse("the sender is not joined", k.n.joined)
	}
	return k.joinedSender()
}

// joinedSender is rules 7 to 11: what a member of the room may send.
func (k *check) joinedSender() error {
	sender := k.level(k.e.Sender)
	if k.e.Type == event.TypeThirdPartyInvite { // 7
		if sender < k.named(levelInvite) {
			return k.refuse("the sender may not invite", k.n.invite3p, "1")
		}
		return nil
	}
	if k.required() > sender { // 8
		return k.refuse("the sender's power level is too low for this type", k.n.required)
	}
	if key := k.e.StateKey; key != nil && len(*key) > 0 && (*key)[0] == '@' && *key != string(k.e.Sender) { // 9
		return k.refuse("the state key is another user", k.n.stateKey)
	}
	if k.e.Type == event.TypePowerLevels { // 10
		return k.powerLevels(sender)
	}
	if k.e.Type == event.TypeRedaction && k.v.RedactionAuth { // room versions 1 and 2: 11
		return k.redaction(sender)
	}
	return nil // 11
}

// load reads the create event and the power levels.
func (k *check) load() error {
	create, err := k.get(event.TypeCreate, "")
	if err != nil {
		return err
	}
	// NOTSPEC: before version 12 no rule says that the state holds a create event; 2.4 says it of the auth_events.
	if create == nil {
		return k.refuse("the room has no create event", k.n.room)
	}
	if k.v.RoomIDIsCreateHash && !createsRoom(create.ID, k.e.RoomID) { // 2
		return k.refuse("the room id is not that of the create event", k.n.room)
	}
	k.room = k.c.roomOf(create)
	power, err := k.get(event.TypePowerLevels, "")
	if err != nil || power == nil {
		return err
	}
	if k.pl = k.c.levelsOf(power); k.pl == nil {
		return k.refuse("the room's power levels cannot be read", k.n.power, "1")
	}
	return nil
}

// createsRoom reports whether room is the id with another sigil.
func createsRoom(id matrix.EventID, room matrix.RoomID) bool {
	return len(id) > 1 && len(room) > 1 && room[0] == '!' && string(id[1:]) == string(room[1:])
}

func (k *check) get(typ, stateKey string) (*event.Event, error) {
	e, err := k.state.Event(event.Key{Type: typ, StateKey: stateKey})
	if err != nil {
		return nil, fmt.Errorf("reading state %s: %w", typ, err)
	}
	return e, nil
}

// refuse returns the refusal by the rule whose number the parts make.
func (k *check) refuse(msg string, rule ...string) error { return refusal(k.v, msg, rule...) }

func refusal(v *matrix.RoomVersion, msg string, rule ...string) error {
	number := rule[0]
	for _, part := range rule[1:] {
		number += "." + part
	}
	return &Error{Version: v.Version, Rule: number, Msg: msg}
}

// aliases is rule 4 of room versions 1 to 5.
// spec: rooms/v1#authorization-rules 4
func (k *check) aliases() error {
	switch {
	case k.e.StateKey == nil:
		return k.refuse("no state key", k.n.aliases, "1")
	case *k.e.StateKey != string(k.e.Sender.Server()):
		return k.refuse("the state key is not the sender's server", k.n.aliases, "2")
	}
	return nil // 4.3
}

// redaction is rule 11 of room versions 1 and 2.
// spec: rooms/v1#authorization-rules 11
func (k *check) redaction(sender int64) error {
	if sender >= k.named(levelRedact) { // 11.1
		return nil
	}
	if s := k.e.ID.Server(); s != "" && s == k.e.Redacts.Server() { // 11.2
		return nil
	}
	return k.refuse("the sender may not redact this event", k.n.redaction, "3")
}
