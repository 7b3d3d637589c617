package room

import (
	"context"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/authrules"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

const memberType = "m.room.member"

// membershipOf returns what a member event says, "leave" if there is none.
func membershipOf(e *store.Event) string {
	if e == nil {
		return "leave"
	}
	m, ok := matrix.StringField(e.Content, "membership")
	if !ok {
		return "leave"
	}
	return m
}

// setMember follows a member event: counts, and the record of a local user.
func (st *stage) setMember(ctx context.Context, e, old *store.Event) error {
	was, is := membershipOf(old), membershipOf(e)
	st.info.Joined += count(is == "join") - count(was == "join")
	st.info.Invited += count(is == "invite") - count(was == "invite")
	user := matrix.UserID(*e.StateKey)
	if user.Server() != st.rooms.o.Signer.Server {
		return nil
	}
	before, err := st.membership(ctx, user)
	if err != nil {
		return err
	}
	m := &store.Membership{Room: st.info.Num, Membership: is, Order: e.Order, Since: e.Order}
	if before != nil {
		m.Previous, m.Ended, m.Left = before.Membership, before.Ended, before.Left
		if is == before.Membership {
			m.Since, m.Previous, m.Forgotten = before.Since, before.Previous, before.Forgotten
		}
	}
	switch {
	case is == "join":
		m.Ended, m.Left = 0, blob.Hash{}
	case was == "join":
		m.Ended, m.Left = e.Order, e.After
	}
	if st.members == nil {
		st.members = make(map[matrix.UserID]*store.Membership)
	}
	st.members[user] = m
	st.joins = append(st.joins, &memberChange{user, m, e})
	return nil
}

func count(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// membership returns the record of a local user as of the stage.
func (st *stage) membership(ctx context.Context, user matrix.UserID) (*store.Membership, error) {
	if m, ok := st.members[user]; ok {
		return m, nil
	}
	if st.info.Num == 0 {
		return nil, nil
	}
	if m, ok := st.h.members[user]; ok {
		return m, nil
	}
	m, err := st.rooms.store.Membership(ctx, user, st.info.Num)
	if err != nil {
		return nil, err
	}
	if len(st.h.members) >= maxMembers {
		clear(st.h.members)
	}
	st.h.members[user] = m
	return m, nil
}

// Change is a change of membership that a user asks for.
type Change struct {
	Sender     matrix.UserID
	Target     matrix.UserID
	Membership string // "join", "invite", "knock", "leave", "ban"
	Reason     string
	Extra      []byte // further content, an object; may be nil
	// Was, if not empty, are the memberships that Target may have now; otherwise the answer is M_FORBIDDEN
	// with WasMessage.
	Was        []string
	WasMessage string
}

// SetMembership makes a member event and returns once it is durable. A change to what is already so is answered
// with the event that says so.
// spec: client-server-api#room-membership
func (rs *Rooms) SetMembership(ctx context.Context, room *store.Room, c Change) (matrix.EventID, error) {
	return rs.write(ctx, room.Num, func(st *stage) (*store.Event, error) {
		return st.change(ctx, c)
	})
}

func (st *stage) change(ctx context.Context, c Change) (*store.Event, error) {
	old, err := st.current(ctx, memberType, string(c.Target))
	if err != nil {
		return nil, err
	}
	was := membershipOf(old)
	if err := c.allowed(was); err != nil {
		return nil, err
	}
	if old != nil && c.Membership == was && (was == "join" && c.Sender == c.Target || was == "ban") && c.Extra == nil {
		return old, nil // already so
	}
	content, err := st.memberContent(ctx, c)
	if err != nil {
		return nil, err
	}
	target := string(c.Target)
	return st.add(ctx, draftEvent{sender: c.Sender, typ: memberType, stateKey: &target, content: content})
}

func (c *Change) allowed(was string) error {
	if len(c.Was) == 0 {
		return nil
	}
	for _, w := range c.Was {
		if w == was {
			return nil
		}
	}
	return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "%s", c.WasMessage)
}

// memberContent builds the content of a member event.
// spec: client-server-api#mroommember
func (st *stage) memberContent(ctx context.Context, c Change) ([]byte, error) {
	content := []byte("{}")
	if c.Extra != nil {
		content = matrix.Without(nil, c.Extra, "membership", "reason", "displayname", "avatar_url", "join_authorised_via_users_server", "third_party_invite")
	}
	set := func(name, value string) {
		content = matrix.With(nil, content, name, matrix.AppendString(nil, value))
	}
	set("membership", c.Membership)
	if c.Reason != "" {
		set("reason", c.Reason)
	}
	if c.Membership == "join" || c.Membership == "invite" || c.Membership == "knock" {
		if err := st.addProfile(ctx, c.Target, set); err != nil {
			return nil, err
		}
	}
	if c.Membership == "join" && c.Sender == c.Target {
		via, err := st.authoriser(ctx, c.Target)
		if err != nil {
			return nil, err
		}
		if via != "" {
			set("join_authorised_via_users_server", string(via))
		}
	}
	return content, nil
}

func (st *stage) addProfile(ctx context.Context, user matrix.UserID, set func(name, value string)) error {
	if user.Server() != st.rooms.o.Signer.Server {
		return nil
	}
	p, err := st.rooms.accounts.Profile(ctx, user)
	if err != nil {
		return err
	}
	if p.DisplayName != "" {
		set("displayname", p.DisplayName)
	}
	if p.AvatarURL != "" {
		set("avatar_url", p.AvatarURL)
	}
	return nil
}

// ProfileChanged writes a user's new name and picture into the rooms that the user has joined, one after the
// other. A room that refuses is left as it is.
// spec: client-server-api#events-on-change-of-profile-information
func (rs *Rooms) ProfileChanged(ctx context.Context, user matrix.UserID, displayName, avatarURL string) error {
	var rooms []store.RoomNum
	for m, err := range rs.store.Memberships(ctx, user) {
		if err != nil {
			return err
		}
		if m.Membership == "join" {
			rooms = append(rooms, m.Room)
		}
	}
	var last *store.Ticket
	for _, num := range rooms {
		t, err := rs.profileIn(ctx, num, user, displayName, avatarURL)
		if err != nil {
			return err
		}
		if t != nil {
			last = t
		}
	}
	if last == nil {
		return nil
	}
	return last.Wait(ctx)
}

func (rs *Rooms) profileIn(ctx context.Context, num store.RoomNum, user matrix.UserID, displayName, avatarURL string) (*store.Ticket, error) {
	w, err := rs.take(ctx, num)
	if err != nil {
		return nil, err
	}
	defer w.give()
	st := w.stage()
	old, err := st.current(ctx, memberType, string(user))
	if err != nil || membershipOf(old) != "join" {
		return nil, err
	}
	content := matrix.Without(nil, old.Content, "displayname", "avatar_url", "reason", "third_party_invite")
	if displayName != "" {
		content = matrix.With(nil, content, "displayname", matrix.AppendString(nil, displayName))
	}
	if avatarURL != "" {
		content = matrix.With(nil, content, "avatar_url", matrix.AppendString(nil, avatarURL))
	}
	target := string(user)
	_, err = st.add(ctx, draftEvent{sender: user, typ: memberType, stateKey: &target, content: content})
	if isRefusal(err) || err == nil && len(st.events) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return st.commit(ctx)
}

// Forget hides a room that the user has left.
// spec: client-server-api#leaving-rooms
func (rs *Rooms) Forget(ctx context.Context, room *store.Room, user matrix.UserID) error {
	w, err := rs.take(ctx, room.Num)
	if err != nil {
		return err
	}
	st := w.stage()
	m, err := st.membership(ctx, user)
	if err == nil && m != nil && m.Membership != "leave" && m.Membership != "ban" {
		err = matrix.Errorf(http.StatusBadRequest, matrix.MUnknown, "Leave the room before you forget it")
	}
	if err != nil || m == nil || m.Forgotten {
		w.give()
		return err
	}
	changed := *m
	changed.Forgotten = true
	t, err := rs.store.AppendIf(ctx, st.h.generation, func(tx *store.Tx) {
		changed.Pos = tx.Note(store.Note{Kind: store.KindForgotten, Room: room.Num, User: user})
		tx.PutMembership(user, &changed)
	})
	if err == nil {
		st.h.members[user] = &changed
	}
	w.give()
	if err != nil {
		return err
	}
	return t.Wait(ctx)
}

// authoriser finds the user whose server vouches for a join to a restricted room; "" if none is needed.
// spec: client-server-api#restricted-rooms
func (st *stage) authoriser(ctx context.Context, user matrix.UserID) (matrix.UserID, error) {
	if !st.info.Version.Restricted {
		return "", nil
	}
	rules, err := st.current(ctx, "m.room.join_rules", "")
	if err != nil || rules == nil {
		return "", err
	}
	rule, _ := matrix.StringField(rules.Content, "join_rule")
	if rule != "restricted" && (rule != "knock_restricted" || !st.info.Version.KnockRestricted) {
		return "", nil
	}
	own, err := st.current(ctx, memberType, string(user))
	if err != nil {
		return "", err
	}
	if was := membershipOf(own); was == "invite" || was == "join" {
		return "", nil
	}
	if ok, err := st.inAllowedRoom(ctx, user, rules.Content); err != nil || !ok {
		if err == nil {
			err = matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are in none of the rooms whose members may join this one")
		}
		return "", err
	}
	return st.inviter(ctx)
}

func (st *stage) inAllowedRoom(ctx context.Context, user matrix.UserID, rules []byte) (bool, error) {
	allow, _ := matrix.Field(rules, "allow")
	var ids []matrix.RoomID
	matrix.EachElement(allow, func(raw []byte) bool {
		typ, _ := matrix.StringField(raw, "type")
		id, _ := matrix.StringField(raw, "room_id")
		if typ == "m.room_membership" && id != "" {
			ids = append(ids, matrix.RoomID(id))
		}
		return len(ids) < 64
	})
	for _, id := range ids {
		r, err := st.rooms.store.RoomByID(ctx, id)
		if err != nil {
			return false, err
		}
		if r == nil {
			continue
		}
		m, err := st.rooms.store.Membership(ctx, user, r.Num)
		if err != nil {
			return false, err
		}
		if m != nil && m.Membership == "join" {
			return true, nil
		}
	}
	return false, nil
}

// inviter returns a joined local user who may invite.
func (st *stage) inviter(ctx context.Context) (matrix.UserID, error) {
	create, err := st.current(ctx, "m.room.create", "")
	if err != nil {
		return "", err
	}
	power, err := st.current(ctx, "m.room.power_levels", "")
	if err != nil {
		return "", err
	}
	level := func(u matrix.UserID) int64 { return authrules.UserLevel(u, plain(create), plain(power)) }
	var needed int64
	if power != nil {
		needed, _ = matrix.IntField(power.Content, "invite")
	}
	typ := memberType
	for entry, err := range st.rooms.store.ScanState(ctx, st.h.info.State, &typ) {
		if err != nil {
			return "", err
		}
		user := matrix.UserID(entry.Key.StateKey)
		if user.Server() != st.rooms.o.Signer.Server || level(user) < needed {
			continue
		}
		member, err := st.current(ctx, memberType, string(user))
		if err != nil {
			return "", err
		}
		if membershipOf(member) == "join" {
			return user, nil
		}
	}
	return "", matrix.Errorf(http.StatusBadRequest, matrix.MUnableToGrantJoin, "Nobody on this server may invite to the room")
}

// plain returns the event without its place, nil for nil.
func plain(e *store.Event) *event.Event {
	if e == nil {
		return nil
	}
	return e.Event
}
