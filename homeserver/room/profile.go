package room

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

const tableShown = "shown"

func shownKey(user matrix.UserID, pos store.Pos) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(user), 0), uint64(pos))
}

// MarkProfile adds to a change of a user's profile, which is at a position of the log, that the user's rooms do not
// show it yet. ProfileChanged takes that back, and ShowProfiles finds it if the server was killed before.
func MarkProfile(tx *store.Tx, user matrix.UserID, pos store.Pos) {
	tx.Set(tableShown, shownKey(user, pos), []byte{})
}

// spread is the spreading of one user's profile. The lock of Rooms guards its fields but turn.
type spread struct {
	turn         chan struct{} // capacity 1: who is in it goes through the rooms, one at a time
	use          int           // how many have or wait for the turn
	asked, shown uint64        // calls so far, and those whose change all rooms show
}

// ProfileChanged writes the name and picture of a user's profile, as they are at that moment, into the rooms that
// the user has joined, and returns once all of that is durable. A room that refuses is left as it is. However many
// calls there are at once, the rooms are gone through twice at most: for the first, and for all others together.
// spec: client-server-api#events-on-change-of-profile-information
func (rs *Rooms) ProfileChanged(ctx context.Context, user matrix.UserID) error {
	rs.mu.Lock()
	s := rs.spreads[user]
	if s == nil {
		s = &spread{turn: make(chan struct{}, 1)}
		rs.spreads[user] = s
	}
	s.use++
	s.asked++
	mine := s.asked
	rs.mu.Unlock()
	defer func() {
		rs.mu.Lock()
		defer rs.mu.Unlock()
		if s.use--; s.use == 0 {
			delete(rs.spreads, user)
		}
	}()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	rs.mu.Lock()
	done, all := s.shown >= mine, s.asked
	rs.mu.Unlock()
	if done {
		return nil
	}
	if err := rs.spreadProfile(ctx, user); err != nil {
		return err
	}
	rs.mu.Lock()
	s.shown = all
	rs.mu.Unlock()
	return nil
}

// spreaders is how many rooms a profile is written into at the same time.
const spreaders = 8

// spreadProfile goes through the user's rooms.
func (rs *Rooms) spreadProfile(ctx context.Context, user matrix.UserID) error {
	marks, err := rs.marks(ctx, user)
	if err != nil {
		return err
	}
	var rooms []store.RoomNum
	for m, err := range rs.store.Memberships(ctx, user) {
		if err != nil {
			return err
		}
		if m.Membership == event.Join {
			rooms = append(rooms, m.Room)
		}
	}
	if err := rs.showIn(ctx, user, rooms); err != nil {
		return err
	}
	if len(marks) == 0 {
		return nil
	}
	// If this is lost the rooms are gone through once more, and nothing changes.
	_, err = rs.store.Append(ctx, func(tx *store.Tx) {
		for _, k := range marks {
			tx.Delete(tableShown, k)
		}
	})
	return err
}

// marks returns the keys of the changes of a user's profile that rooms may not show.
func (rs *Rooms) marks(ctx context.Context, user matrix.UserID) ([][]byte, error) {
	var keys [][]byte
	for row, err := range rs.store.Scan(ctx, blob.Prefix(tableShown, append([]byte(user), 0))) {
		if err != nil {
			return nil, fmt.Errorf("reading what of the profile of %s is not shown: %w", user, err)
		}
		keys = append(keys, row.Key)
	}
	return keys, nil
}

// showIn writes a user's profile into rooms, several at a time, and waits until all of it is durable. The first error
// ends it.
func (rs *Rooms) showIn(ctx context.Context, user matrix.UserID, rooms []store.RoomNum) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	due := make(chan store.RoomNum)
	var workers sync.WaitGroup
	for range min(spreaders, len(rooms)) {
		workers.Go(func() {
			for num := range due {
				t, err := rs.turn(ctx, num, func(st *stage) error { return st.showProfile(ctx, user) })
				if err == nil {
					err = t.Wait(ctx)
				}
				if err = unlessRefused(err); err != nil && !errors.Is(err, errUnchanged) {
					cancel(err)
				}
			}
		})
	}
	for _, num := range rooms {
		select {
		case due <- num:
		case <-ctx.Done():
		}
	}
	close(due)
	workers.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// ShowProfiles goes through the rooms of all users whose profile has changed without all rooms having shown it, since
// the server was killed or a write failed, and returns how many users those were.
func (rs *Rooms) ShowProfiles(ctx context.Context) (int, error) {
	var users []matrix.UserID
	for row, err := range rs.store.Scan(ctx, blob.Range{Table: tableShown}) {
		if err != nil {
			return 0, fmt.Errorf("reading whose profile is not shown: %w", err)
		}
		name, _, _ := bytes.Cut(row.Key, []byte{0})
		if n := len(users); n == 0 || users[n-1] != matrix.UserID(name) {
			users = append(users, matrix.UserID(name))
		}
	}
	var failed error
	for _, user := range users {
		failed = errors.Join(failed, rs.ProfileChanged(ctx, user))
	}
	return len(users), failed
}

// showProfile stages the member event that shows a joined user's profile. Who asks for the newest one gets it: the
// profile is read while the room's turn is held.
func (st *stage) showProfile(ctx context.Context, user matrix.UserID) error {
	old, err := st.current(ctx, memberType, string(user))
	if err != nil {
		return err
	}
	if membershipOf(old) != event.Join {
		return errUnchanged
	}
	content := matrix.Without(nil, old.Content, "displayname", "avatar_url", "reason", "third_party_invite", "join_authorised_via_users_server")
	set := func(name, value string) {
		content = matrix.With(nil, content, name, matrix.AppendString(nil, value))
	}
	if err := st.addProfile(ctx, user, content, set); err != nil {
		return err
	}
	target := string(user)
	_, err = st.add(ctx, draftEvent{sender: user, typ: memberType, stateKey: &target, content: content})
	if err == nil && len(st.events) == 0 {
		return errUnchanged
	}
	return err
}
