package room

import (
	"context"
	"net/http"
	"slices"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// maxAllowedRooms bounds how many rooms of a join rule are looked at.
const maxAllowedRooms = 64

// authoriser finds the user whose server vouches for a join to a restricted room; "" if none is needed.
// spec: client-server-api#restricted-rooms
func (st *stage) authoriser(ctx context.Context, user matrix.UserID) (matrix.UserID, error) {
	rules, err := st.current(ctx, event.TypeJoinRules, "")
	if err != nil || rules == nil {
		return "", err
	}
	v := st.info.Version
	rule := rules.JoinRule()
	if !(rule == event.JoinRestricted && v.Restricted) && !(rule == event.JoinKnockRestricted && v.KnockRestricted) {
		return "", nil
	}
	own, err := st.current(ctx, memberType, string(user))
	if err != nil {
		return "", err
	}
	switch membershipOf(own) {
	case event.Invite, event.Join:
		return "", nil
	case event.Ban:
		return "", matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are banned from the room")
	}
	ok, err := st.inAllowedRoom(ctx, user, rules)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are in none of the rooms whose members may join this one")
	}
	return st.inviter(ctx)
}

func (st *stage) inAllowedRoom(ctx context.Context, user matrix.UserID, rules *store.Event) (bool, error) {
	ids := rules.AllowedRooms()
	for _, id := range ids[:min(len(ids), maxAllowedRooms)] {
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
		if m != nil && m.Membership == event.Join {
			return true, nil
		}
	}
	return false, nil
}

// inviter returns a joined local user who may invite.
func (st *stage) inviter(ctx context.Context) (matrix.UserID, error) {
	p, err := st.powers(ctx)
	if err != nil {
		return "", err
	}
	needed := p.levels.InviteLevel()
	// Creators and those with a level of their own first, so that not all members are read to find one.
	for _, user := range slices.Concat([]matrix.UserID{p.creation.Creator}, p.creation.Additional, p.named()) {
		if ok, err := st.mayVouch(ctx, user, p, needed); err != nil || ok {
			return user, err
		}
	}
	typ := memberType
	for entry, err := range st.rooms.store.ScanState(ctx, st.info.State, &typ) {
		if err != nil {
			return "", err
		}
		user := matrix.UserID(entry.Key.StateKey)
		if ok, err := st.mayVouch(ctx, user, p, needed); err != nil || ok {
			return user, err
		}
	}
	return "", matrix.Errorf(http.StatusBadRequest, matrix.MUnableToGrantJoin, "Nobody on this server may invite to the room")
}

func (st *stage) mayVouch(ctx context.Context, user matrix.UserID, p *powers, needed int64) (bool, error) {
	if user.Server() != st.rooms.o.Signer.Server || p.of(user) < needed {
		return false, nil
	}
	member, err := st.rooms.store.Ahead().StateEvents(ctx, st.info.Num, st.info.State, event.Key{Type: memberType, StateKey: string(user)})
	if err != nil {
		return false, err
	}
	return membershipOf(member[0]) == event.Join, nil
}

// powers is who may do what in a room.
type powers struct {
	creation *event.Creation
	levels   *event.PowerLevels // nil if the room has none
}

// powers reads the room's create event and power levels.
func (st *stage) powers(ctx context.Context) (*powers, error) {
	create, err := st.current(ctx, event.TypeCreate, "")
	if err != nil {
		return nil, err
	}
	if create == nil {
		return nil, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "The room has no create event")
	}
	p := &powers{creation: event.ReadCreation(create.Event)}
	levels, err := st.current(ctx, event.TypePowerLevels, "")
	if err != nil || levels == nil {
		return p, err
	}
	p.levels, err = event.ParsePowerLevels(st.info.Version, levels.Content)
	return p, err
}

// of returns a user's power level.
func (p *powers) of(user matrix.UserID) int64 { return p.creation.Power(p.levels, user) }

// named returns the users who have a level of their own.
func (p *powers) named() []matrix.UserID {
	if p.levels == nil {
		return nil
	}
	users := make([]matrix.UserID, len(p.levels.Users))
	for i, u := range p.levels.Users {
		users[i] = matrix.UserID(u.Key)
	}
	return users
}
