package authrules

import (
	"fmt"
	"slices"

	"hearth/matrix"
	"hearth/matrix/event"
)

// Needed returns the keys of the state events that an event of this type, sender, state key (nil for a message)
// and content must cite in its auth_events, as far as the room has them. These are also the keys that [Check]
// asks a [State] for, besides the create event, which versions from 12 on do not cite.
// spec: server-server-api#auth-events-selection
func Needed(v *matrix.RoomVersion, typ string, sender matrix.UserID, stateKey *string, content []byte) []event.Key {
	if typ == event.TypeCreate {
		return nil
	}
	keys := make([]event.Key, 0, 6)
	add := func(typ, stateKey string) {
		if k := (event.Key{Type: typ, StateKey: stateKey}); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	if !v.RoomIDIsCreateHash {
		add(event.TypeCreate, "")
	}
	add(event.TypePowerLevels, "")
	add(event.TypeMember, string(sender))
	if typ != event.TypeMember || stateKey == nil {
		return keys
	}
	add(event.TypeMember, *stateKey)
	membership, _ := matrix.StringField(content, "membership")
	if membership == "join" || membership == "invite" || membership == "knock" {
		add(event.TypeJoinRules, "")
	}
	if membership == "invite" {
		if token, ok := matrix.StringField(content, "third_party_invite", "signed", "token"); ok {
			add(event.TypeThirdPartyInvite, token)
		}
	}
	if membership == "join" && v.Restricted {
		if user, ok := matrix.StringField(content, "join_authorised_via_users_server"); ok {
			add(event.TypeMember, user)
		}
	}
	return keys
}

// CheckAuthEvents returns nil if e may cite auth in its auth_events, an *[Error] if a rule refuses that, and
// another error if auth lacks an event that e cites. The order of auth is of no importance. The function rejected
// says which events were rejected themselves.
// spec: rooms/v12#authorization-rules 3
func CheckAuthEvents(e *event.Event, auth []*event.Event, rejected func(matrix.EventID) bool) error {
	if e.Type == event.TypeCreate {
		return nil // allowed by 1.5
	}
	cited, err := citedEvents(e, auth)
	if err != nil {
		return err
	}
	n := numbersOf(e.Version)
	needed := Needed(e.Version, e.Type, e.Sender, e.StateKey, e.Content)
	seen := make([]event.Key, 0, len(cited))
	for _, a := range cited {
		if a.StateKey == nil { // 3.2
			return refusal(e.Version, "an auth event is not a state event", n.auth, "2")
		}
		k := event.Key{Type: a.Type, StateKey: *a.StateKey}
		if slices.Contains(seen, k) { // 3.1
			return refusal(e.Version, "two auth events for one key", n.auth, "1")
		}
		seen = append(seen, k)
	}
	for _, k := range seen {
		if !slices.Contains(needed, k) { // 3.2
			return refusal(e.Version, "an auth event that the event does not need", n.auth, "2")
		}
	}
	for _, a := range cited {
		if rejected(a.ID) { // 3.3
			return refusal(e.Version, "an auth event was rejected", n.auth, "3")
		}
	}
	create := event.Key{Type: event.TypeCreate}
	if !e.Version.RoomIDIsCreateHash && !slices.Contains(seen, create) { // room versions 1 to 11: 2.4
		return refusal(e.Version, "no create event among the auth events", n.auth, "4")
	}
	for _, a := range cited {
		if a.RoomID != e.RoomID { // 3.5
			return refusal(e.Version, "an auth event is of another room", n.auth, n.authRoom)
		}
	}
	return nil
}

// citedEvents returns those of auth that e cites, once for each time that it cites them.
func citedEvents(e *event.Event, auth []*event.Event) ([]*event.Event, error) {
	cited := make([]*event.Event, 0, len(e.AuthEvents))
	for _, id := range e.AuthEvents {
		i := slices.IndexFunc(auth, func(a *event.Event) bool { return a != nil && a.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("checking the auth events of %s: %s is not given", e.ID, id)
		}
		cited = append(cited, auth[i])
	}
	return cited, nil
}
