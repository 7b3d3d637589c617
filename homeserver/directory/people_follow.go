package directory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

// How the index is written: peoplePage users at a time when it is made, and its place in the log alone after so many
// notes that changed nothing.
const (
	peoplePage  = 200
	savedBehind = 4096
)

// followPause is the time after which is tried again what failed.
const followPause = time.Second

// follow keeps the index up to date until ctx ends or the store closes.
func (p *People) follow(ctx context.Context) {
	defer close(p.done)
	for {
		err := p.run(ctx)
		if ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
			return
		}
		p.log.Warn("following the log for the search of users", "err", err)
		select {
		case <-time.After(followPause):
		case <-ctx.Done():
			return
		}
	}
}

// run reads where the index is and goes on from there, until something fails.
func (p *People) run(ctx context.Context) error {
	pos, err := p.place(ctx)
	if err != nil {
		return err
	}
	p.move(pos)
	saved := pos
	for {
		notes, err := p.store.Follow(ctx, pos)
		if err != nil {
			return err
		}
		e, err := p.learnWhole(ctx, notes)
		if err != nil {
			return err
		}
		pos = notes[len(notes)-1].Pos
		if len(e) > 0 || pos-saved >= savedBehind {
			if err := p.write(ctx, append(e, savePlace(pos))); err != nil {
				return err
			}
			saved = pos
		}
		p.move(pos)
		p.leisure.Rest(ctx)
	}
}

// place returns up to where the index knows the log, after it was made if it was not yet.
func (p *People) place(ctx context.Context) (store.Pos, error) {
	row, err := p.store.Row(ctx, tableFollowers, []byte(tablePeople))
	if err != nil {
		return 0, err
	}
	if len(row) == 8 {
		return store.Pos(binary.BigEndian.Uint64(row)), nil
	}
	pos := p.store.Durable()
	if err := p.fill(ctx); err != nil {
		return 0, err
	}
	return pos, p.write(ctx, edit{savePlace(pos)})
}

func savePlace(pos store.Pos) func(tx *store.Tx) {
	return func(tx *store.Tx) {
		tx.Set(tableFollowers, []byte(tablePeople), binary.BigEndian.AppendUint64(nil, uint64(pos)))
	}
}

func (p *People) write(ctx context.Context, e edit) error {
	_, err := p.store.Apply(ctx, func(tx *store.Tx) {
		for _, change := range e {
			change(tx)
		}
	})
	return err
}

// move says up to where the index knows the log now.
func (p *People) move(pos store.Pos) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pos = pos
	close(p.moved)
	p.moved = make(chan struct{})
}

// wait waits until the index knows what is in the log now.
func (p *People) wait(ctx context.Context) error {
	now := p.store.Durable()
	for {
		p.mu.Lock()
		pos, moved := p.pos, p.moved
		p.mu.Unlock()
		if pos >= now {
			return nil
		}
		p.leisure.Hurry()
		select {
		case <-moved:
		case <-p.done:
			return store.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fill makes the index: of all users of this server, and the members of all rooms who are of others.
func (p *People) fill(ctx context.Context) error {
	var e edit
	flush := func(most int) error {
		if len(e) <= most {
			return nil
		}
		full := e
		e = nil
		return p.write(ctx, full)
	}
	for u, err := range p.accounts.Users(ctx, "") {
		if err != nil {
			return err
		}
		if err := p.learnLocal(ctx, &e, u.ID); err != nil {
			return err
		}
		if err := flush(peoplePage); err != nil {
			return err
		}
	}
	for room, err := range p.store.Rooms(ctx, 0) {
		if err != nil {
			return err
		}
		if room.Deleted {
			continue
		}
		if err := p.fillRoom(ctx, room); blob.KindOf(err) == blob.Corrupt {
			p.log.Error("the search of users leaves out what is damaged", "room", room.Num, "err", err)
		} else if err != nil {
			return err
		}
	}
	return flush(0)
}

// fillRoom puts the members of a room who are of other servers into the index.
func (p *People) fillRoom(ctx context.Context, room *store.Room) error {
	typ := event.TypeMember
	var page []store.StateEntry
	write := func() error {
		events, err := p.store.EntryEvents(ctx, room.Num, page)
		if err != nil {
			return err
		}
		page = page[:0]
		e, err := p.learnMembers(ctx, events)
		if err != nil || len(e) == 0 {
			return err
		}
		return p.write(ctx, e)
	}
	for entry, err := range p.store.ScanState(ctx, room.State, &typ) {
		if err != nil {
			return err
		}
		if p.isRemote(matrix.UserID(entry.Key.StateKey)) {
			page = append(page, entry)
		}
		if len(page) == peoplePage {
			if err := write(); err != nil {
				return err
			}
		}
	}
	return write()
}

// isRemote reports whether an id is that of a user of another server who may be shown.
func (p *People) isRemote(id matrix.UserID) bool {
	user, err := matrix.ParseUserID(string(id))
	return err == nil && user.IsCompliant() && user.Server() != p.accounts.Server()
}

// learnWhole is learn without the notes that are about damaged data: they must not stop those behind them.
func (p *People) learnWhole(ctx context.Context, notes []store.Note) (edit, error) {
	e, err := p.learn(ctx, notes)
	if blob.KindOf(err) != blob.Corrupt {
		return e, err
	}
	for i := range notes {
		one, err := p.learn(ctx, notes[i:i+1])
		switch {
		case blob.KindOf(err) == blob.Corrupt:
			p.log.Error("the search of users leaves out what is damaged", "room", notes[i].Room, "order", notes[i].Order, "err", err)
		case err != nil:
			return nil, err
		default:
			// Alone, since the next note may be about the same user.
			if err := p.write(ctx, append(one, savePlace(notes[i].Pos))); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// learn returns what these notes change.
func (p *People) learn(ctx context.Context, notes []store.Note) (edit, error) {
	members, err := p.members(ctx, notes)
	if err != nil {
		return nil, err
	}
	e, err := p.learnMembers(ctx, members)
	if err != nil {
		return nil, err
	}
	seen := make(map[matrix.UserID]bool)
	for i := range notes {
		if n := &notes[i]; n.Kind == store.KindProfile && !seen[n.User] {
			seen[n.User] = true
			if err := p.learnLocal(ctx, &e, n.User); err != nil {
				return nil, err
			}
		}
	}
	return e, nil
}

// members returns the member events of users of other servers among what these notes are about.
func (p *People) members(ctx context.Context, notes []store.Note) ([]*store.Event, error) {
	var events []*store.Event
	orders := make(map[store.RoomNum][]store.Order) // of events that the log has not in memory any more
	for i := range notes {
		switch n := &notes[i]; {
		case n.Kind != store.KindEvent:
		case n.Event != nil:
			events = append(events, n.Event)
		default:
			orders[n.Room] = append(orders[n.Room], n.Order)
		}
	}
	for room, at := range orders {
		more, err := p.store.EventsAt(ctx, room, at...)
		if err != nil {
			return nil, err
		}
		events = append(events, more...)
	}
	return slices.DeleteFunc(events, func(e *store.Event) bool {
		return e == nil || e.Type != event.TypeMember || !e.IsState() || e.Before == e.After || !p.isRemote(matrix.UserID(*e.StateKey))
	}), nil
}

// learnLocal puts a user of this server into the index as the account is now.
func (p *People) learnLocal(ctx context.Context, e *edit, id matrix.UserID) error {
	u, err := p.accounts.User(ctx, id)
	if err != nil {
		return err
	}
	was, err := p.known(ctx, id)
	if err != nil {
		return err
	}
	if u == nil || u.Deactivated {
		if was[0] != nil {
			e.put(p.folder, was[0], nil)
		}
		return nil
	}
	profile, err := p.accounts.Profile(ctx, id)
	if err != nil {
		return err
	}
	e.put(p.folder, was[0], &person{id: id, name: profile.DisplayName, avatar: profile.AvatarURL})
	return nil
}

// learnMembers returns what member events change that are of users of other servers. The newest of each user and room
// counts: it is looked up in the room's state, since the events may be older than that.
func (p *People) learnMembers(ctx context.Context, members []*store.Event) (edit, error) {
	var e edit
	people := make(map[matrix.UserID]*person)
	before := make(map[matrix.UserID]*person)
	type place struct {
		user matrix.UserID
		room store.RoomNum
	}
	seen := make(map[place]bool)
	for _, m := range members {
		id := matrix.UserID(*m.StateKey)
		if seen[place{id, m.Room}] {
			continue
		}
		seen[place{id, m.Room}] = true
		if _, ok := people[id]; !ok {
			was, err := p.known(ctx, id)
			if err != nil {
				return nil, err
			}
			before[id], people[id] = was[0], &person{id: id}
			if was[0] != nil {
				*people[id] = *was[0]
			}
		}
		if err := p.learnMember(ctx, &e, people[id], m); err != nil {
			return nil, err
		}
	}
	for id, is := range people {
		if is.rooms <= 0 {
			is = nil
		}
		if before[id] != nil || is != nil {
			e.put(p.folder, before[id], is)
		}
	}
	return e, nil
}

func (p *People) learnMember(ctx context.Context, e *edit, is *person, m *store.Event) error {
	key := personRoom(is.id, m.Room)
	had, err := p.store.Row(ctx, tablePeopleRooms, key)
	if err != nil {
		return err
	}
	rooms, err := p.store.RoomsByNum(ctx, m.Room)
	if err != nil || rooms[0] == nil {
		return err
	}
	now := []*store.Event{nil}
	if !rooms[0].Deleted { // otherwise the events may be gone
		now, err = p.store.StateEvents(ctx, m.Room, rooms[0].State, event.Key{Type: event.TypeMember, StateKey: string(is.id)})
		if err != nil {
			return err
		}
	}
	in := now[0] != nil && now[0].Membership() == event.Join
	if in {
		name, _ := matrix.StringField(now[0].Content, "displayname")
		avatar, _ := matrix.StringField(now[0].Content, "avatar_url")
		is.name, is.avatar = cut(name, maxShown), cut(avatar, maxShown)
	}
	if in != (had != nil) {
		is.rooms += map[bool]int64{true: 1, false: -1}[in]
		*e = append(*e, func(tx *store.Tx) {
			if in {
				tx.Set(tablePeopleRooms, key, []byte{})
			} else {
				tx.Delete(tablePeopleRooms, key)
			}
		})
	}
	return nil
}

// maxShown bounds a display name and an avatar of another server's user, in bytes.
const maxShown = 1000

// known returns what the index knows of users, nil for each that it does not know.
func (p *People) known(ctx context.Context, ids ...matrix.UserID) ([]*person, error) {
	keys := make([]blob.RowKey, len(ids))
	for i, id := range ids {
		keys[i] = blob.RowKey{Table: tablePeople, Key: []byte(id)}
	}
	rows, err := p.store.Rows(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("reading what is known of users: %w", err)
	}
	out := make([]*person, len(ids))
	for i, row := range rows {
		if row == nil {
			continue
		}
		if out[i], err = readPerson(ids[i], row); err != nil {
			return nil, err
		}
	}
	return out, nil
}
