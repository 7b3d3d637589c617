package authrules

import (
	"hearth/matrix"
	"hearth/matrix/event"
)

// member is the rule for m.room.member.
// spec: rooms/v12#authorization-rules 5
func (k *check) member() error {
	if k.e.StateKey == nil { // 5.1
		return k.refuse("no state key", k.n.member, "1")
	}
	membership, ok := matrix.StringField(k.e.Content, "membership")
	if !ok {
		return k.refuse("no membership", k.n.member, "1")
	}
	if k.v.Restricted { // 5.2
		if raw, ok := matrix.Field(k.e.Content, "join_authorised_via_users_server"); ok && !k.signedBy(raw) {
			return k.refuse("not signed by the authorising user's server", k.n.member, k.n.authorised, "1")
		}
	}
	target := matrix.UserID(*k.e.StateKey)
	switch {
	case membership == "join": // 5.3
		return k.join(target)
	case membership == "invite": // 5.4
		return k.invite(target)
	case membership == "leave": // 5.5
		return k.leave(target)
	case membership == "ban": // 5.6
		return k.ban(target)
	case membership == "knock" && k.v.Knocking: // 5.7
		return k.knock(target)
	}
	return k.refuse("unknown membership", k.n.member, k.n.unknown) // 5.8
}

// signedBy reports whether the event has a signature of the server of the user whom raw names. Whoever received
// the event has verified all the signatures that it needs.
func (k *check) signedBy(raw []byte) bool {
	user, _ := matrix.String(raw)
	if !isUserID(user) {
		return false
	}
	for server := range k.e.Signatures() {
		if server == matrix.UserID(user).Server() {
			return true
		}
	}
	return false
}

// join is rule 5.3.
func (k *check) join(target matrix.UserID) error {
	if k.isFirstJoin() && target == k.room.creator { // 5.3.1
		return nil
	}
	if k.e.Sender != target { // 5.3.2
		return k.refuse("the sender joins somebody else", k.n.member, k.n.join, "2")
	}
	membership, err := k.membership(target)
	if err != nil {
		return err
	}
	if membership == "ban" { // 5.3.3
		return k.refuse("the sender is banned", k.n.member, k.n.join, "3")
	}
	rule, err := k.joinRule()
	if err != nil {
		return err
	}
	inside := membership == "join" || membership == "invite"
	switch {
	case rule == "invite" || rule == "knock" && k.v.Knocking: // 5.3.4
		if inside {
			return nil
		}
	case k.isRestricted(rule): // 5.3.5
		if inside { // 5.3.5.1
			return nil
		}
		return k.authorisedJoin()
	case rule == "public": // 5.3.6
		return nil
	}
	return k.refuse("the join rule does not let the sender in", k.n.member, k.n.join, k.n.otherJoin) // 5.3.7
}

// isFirstJoin reports whether the event directly and only follows the create event.
func (k *check) isFirstJoin() bool {
	return len(k.e.PrevEvents) == 1 && k.e.PrevEvents[0] == k.room.id
}

func (k *check) isRestricted(rule string) bool {
	return rule == "restricted" && k.v.Restricted || rule == "knock_restricted" && k.v.KnockRestricted
}

// authorisedJoin is rule 5.3.5.2: a joined user with the power to invite vouches for the sender.
func (k *check) authorisedJoin() error {
	if name, ok := matrix.StringField(k.e.Content, "join_authorised_via_users_server"); ok {
		user := matrix.UserID(name)
		joined, err := k.hasMembership(user, "join")
		if err != nil {
			return err
		}
		if joined && k.level(user) >= k.named(levelInvite) {
			return nil // 5.3.5.3
		}
	}
	return k.refuse("nobody with the power to invite authorises the join", k.n.member, k.n.join, k.n.restricted, "2")
}

// invite is rule 5.4.
func (k *check) invite(target matrix.UserID) error {
	if raw, ok := matrix.Field(k.e.Content, "third_party_invite"); ok { // 5.4.1
		return k.thirdPartyInvite(target, raw)
	}
	joined, err := k.hasMembership(k.e.Sender, "join")
	if err != nil {
		return err
	}
	if !joined { // 5.4.2
		return k.refuse("the sender is not joined", k.n.member, k.n.invite, "2")
	}
	membership, err := k.membership(target)
	if err != nil {
		return err
	}
	if membership == "join" || membership == "ban" { // 5.4.3
		return k.refuse("the invited user is joined or banned", k.n.member, k.n.invite, "3")
	}
	if k.level(k.e.Sender) >= k.named(levelInvite) { // 5.4.4
		return nil
	}
	return k.refuse("the sender may not invite", k.n.member, k.n.invite, "5") // 5.4.5
}

// leave is rule 5.5.
func (k *check) leave(target matrix.UserID) error {
	membership, err := k.membership(target)
	if err != nil {
		return err
	}
	if k.e.Sender == target { // 5.5.1
		if membership == "invite" || membership == "join" || membership == "knock" && k.v.Knocking {
			return nil
		}
		return k.refuse("the sender is not in the room", k.n.member, k.n.leave, "1")
	}
	joined, err := k.hasMembership(k.e.Sender, "join")
	if err != nil {
		return err
	}
	if !joined { // 5.5.2
		return k.refuse("the sender is not joined", k.n.member, k.n.leave, "2")
	}
	sender := k.level(k.e.Sender)
	if membership == "ban" && sender < k.named(levelBan) { // 5.5.3
		return k.refuse("the sender may not unban", k.n.member, k.n.leave, "3")
	}
	if sender >= k.named(levelKick) && k.level(target) < sender { // 5.5.4
		return nil
	}
	return k.refuse("the sender may not kick this user", k.n.member, k.n.leave, "5") // 5.5.5
}

// ban is rule 5.6.
func (k *check) ban(target matrix.UserID) error {
	joined, err := k.hasMembership(k.e.Sender, "join")
	if err != nil {
		return err
	}
	if !joined { // 5.6.1
		return k.refuse("the sender is not joined", k.n.member, k.n.ban, "1")
	}
	sender := k.level(k.e.Sender)
	if sender >= k.named(levelBan) && k.level(target) < sender { // 5.6.2
		return nil
	}
	return k.refuse("the sender may not ban this user", k.n.member, k.n.ban, "3") // 5.6.3
}

// knock is rule 5.7.
func (k *check) knock(target matrix.UserID) error {
	rule, err := k.joinRule()
	if err != nil {
		return err
	}
	if rule != "knock" && !(rule == "knock_restricted" && k.v.KnockRestricted) { // 5.7.1
		return k.refuse("the join rule does not let anybody knock", k.n.member, k.n.knock, "1")
	}
	if k.e.Sender != target { // 5.7.2
		return k.refuse("the sender knocks for somebody else", k.n.member, k.n.knock, "2")
	}
	membership, err := k.membership(target)
	if err != nil {
		return err
	}
	if membership != "ban" && membership != "invite" && membership != "join" { // 5.7.3
		return nil
	}
	return k.refuse("the sender is banned, invited or joined", k.n.member, k.n.knock, "4") // 5.7.4
}

// membership returns a user's membership in the state, "" if there is none.
func (k *check) membership(u matrix.UserID) (string, error) {
	e, err := k.get(event.TypeMember, string(u))
	if err != nil || e == nil {
		return "", err
	}
	membership, _ := matrix.StringField(e.Content, "membership")
	return membership, nil
}

// hasMembership is membership for one answer, without making a string of it.
func (k *check) hasMembership(u matrix.UserID, want string) (bool, error) {
	e, err := k.get(event.TypeMember, string(u))
	if err != nil || e == nil {
		return false, err
	}
	return isMembership(e, want), nil
}

func isMembership(e *event.Event, want string) bool {
	raw, ok := matrix.Field(e.Content, "membership")
	return ok && len(raw) == len(want)+2 && string(raw[1:len(raw)-1]) == want
}

// joinRule returns the room's join rule; without one, users must be invited.
func (k *check) joinRule() (string, error) {
	e, err := k.get(event.TypeJoinRules, "")
	if err != nil || e == nil {
		return "invite", err
	}
	if rule, ok := matrix.StringField(e.Content, "join_rule"); ok {
		return rule, nil
	}
	return "invite", nil
}
