package room

import (
	"context"
	"net/http"
	"slices"

	"hearth/homeserver/store"
	"hearth/matrix"
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
			m.Since, m.Previous = before.Since, before.Previous
		}
	}
	switch {
	case is == "join":
		m.Ended, m.Left = 0, blob.Hash{}
	case was == "join":
		m.Ended, m.Left = e.Order, e.After
	}
	if is == event.Leave || is == event.Ban {
		m.Forgotten = st.rooms.o.ForgetOnLeave || before != nil && before.Forgotten // a ban or its end reminds nobody
	}
	st.putMember(user, m)
	st.joins = append(st.joins, &memberChange{user, m, e})
	return nil
}

func (st *stage) putMember(user matrix.UserID, m *store.Membership) {
	if st.members == nil {
		st.members = make(map[matrix.UserID]*store.Membership)
	}
	st.members[user] = m
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
	st.h.keepMember(user, m)
	return m, nil
}

// Change is a change of membership that a user asks for.
type Change struct {
	Sender     matrix.UserID
	Target     matrix.UserID
	Membership string // "join", "invite", "knock", "leave", "ban"
	Reason     string
	// Extra is further content, an object; may be nil. A display name or avatar in it is for this room only;
	// otherwise those of the target's profile are taken where the specification wants them.
	Extra []byte
	// Was, if not empty, are the memberships that Target may have now; otherwise the answer is 403 with WasMessage:
	// M_BAD_STATE to a member if it is about a ban, else M_FORBIDDEN.
	Was        []string
	WasMessage string
}

// SetMembership makes a member event and returns its id once it is durable. A change to what is already so is
// answered with the event that says so. Refusals by the room's rules are M_FORBIDDEN (403).
// spec: client-server-api#room-membership
func (rs *Rooms) SetMembership(ctx context.Context, room *store.Room, c Change) (matrix.EventID, error) {
	if err := rs.mayJoin(ctx, room, &c); err != nil {
		return "", err
	}
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
	if c.alreadySo(was, old) {
		return old, nil
	}
	if len(c.Was) > 0 && !slices.Contains(c.Was, was) {
		return nil, st.wrongState(ctx, c, was)
	}
	content, err := st.memberContent(ctx, c)
	if err != nil {
		return nil, err
	}
	target := string(c.Target)
	e, err := st.add(ctx, draftEvent{sender: c.Sender, typ: memberType, stateKey: &target, content: content})
	if err != nil {
		return nil, err
	}
	if err := st.mayEnter(ctx, &c); err != nil {
		return nil, err
	}
	return e, st.mayInvite(ctx, &c)
}

// mayEnter refuses to let in who has been deactivated meanwhile: nobody would take such a user out again.
func (st *stage) mayEnter(ctx context.Context, c *Change) error {
	if c.Sender != c.Target || c.Membership != event.Join && c.Membership != event.Knock {
		return nil
	}
	u, err := st.rooms.accounts.User(ctx, c.Target)
	if err != nil {
		return err
	}
	if u != nil && u.Deactivated {
		return matrix.Errorf(http.StatusForbidden, matrix.MUserDeactivated, "This account has been deactivated")
	}
	return nil
}

// alreadySo reports whether a user asks to join or leave who has done just that: clients repeat such requests when
// they did not get the answer.
func (c *Change) alreadySo(was string, old *store.Event) bool {
	if old == nil || c.Sender != c.Target || c.Membership != was || c.Extra != nil {
		return false
	}
	return was == event.Join || was == event.Leave && old.Sender == c.Sender
}

// mayInvite refuses to invite those who do not want to be invited.
// spec: client-server-api#invite-permission
func (st *stage) mayInvite(ctx context.Context, c *Change) error {
	if c.Membership != event.Invite || c.Target.Server() != st.rooms.o.Signer.Server {
		return nil
	}
	if blocked, err := st.rooms.accounts.BlocksInvites(ctx, c.Target); err != nil {
		return err
	} else if blocked {
		return matrix.Errorf(http.StatusForbidden, matrix.MInviteBlocked, "%s does not accept invites", c.Target)
	}
	return nil
}

// wrongState refuses a change because of what the target is now.
// spec: client-server-api#other-error-codes
func (st *stage) wrongState(ctx context.Context, c Change, was string) error {
	aboutBan := was == event.Ban || slices.Contains(c.Was, event.Ban)
	if c.Sender == c.Target || !aboutBan {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "%s", c.WasMessage)
	}
	sender, err := st.current(ctx, memberType, string(c.Sender))
	if err != nil {
		return err
	}
	if membershipOf(sender) != event.Join {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are not in the room")
	}
	return matrix.Errorf(http.StatusForbidden, matrix.MBadState, "%s", c.WasMessage)
}

// memberContent builds the content of a member event. What the server vouches for is never taken from a client: who
// authorises a join is decided here.
// spec: client-server-api#mroommember
func (st *stage) memberContent(ctx context.Context, c Change) ([]byte, error) {
	content := []byte("{}")
	if c.Extra != nil {
		content = matrix.Without(nil, c.Extra, "membership", "join_authorised_via_users_server")
	}
	set := func(name, value string) {
		content = matrix.With(nil, content, name, matrix.AppendString(nil, value))
	}
	set("membership", c.Membership)
	if c.Reason != "" {
		set("reason", c.Reason)
	}
	if c.Membership == event.Join || c.Membership == event.Invite || c.Membership == event.Knock {
		if err := st.addProfile(ctx, c.Target, content, set); err != nil {
			return nil, err
		}
	}
	if c.Membership == event.Join && c.Sender == c.Target {
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

// addProfile sets the name and picture of a local user's profile where content has none.
func (st *stage) addProfile(ctx context.Context, user matrix.UserID, content []byte, set func(name, value string)) error {
	if user.Server() != st.rooms.o.Signer.Server {
		return nil
	}
	p, err := st.rooms.accounts.Profile(ctx, user)
	if err != nil {
		return err
	}
	for _, f := range [2][2]string{{"displayname", p.DisplayName}, {"avatar_url", p.AvatarURL}} {
		if _, given := matrix.Field(content, f[0]); !given && f[1] != "" {
			set(f[0], f[1])
		}
	}
	return nil
}
