package clientsync

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"hearth/homeserver/account"
	"hearth/homeserver/push"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
)

// joined makes the part of a room that the user is in; nil if there is nothing to say of it.
// spec: client-server-api#get_matrixclientv3sync (Joined Room)
func (r *round) joined(ctx context.Context, c *call) (*part, error) {
	fresh, err := r.fresh(ctx, c.m)
	if err != nil {
		return nil, err
	}
	if fresh && !r.initial {
		if c.data, err = r.roomData(ctx, c.room); err != nil {
			return nil, err
		}
	}
	h, err := r.joinedHistory(ctx, c, fresh)
	if err != nil {
		return nil, err
	}
	if h == nil && len(c.data) == 0 && !c.typing && !c.receipts && !c.counts {
		return nil, nil
	}
	ephemeral, read, err := r.ephemeral(ctx, c, fresh)
	if err != nil {
		return nil, err
	}
	if h == nil && len(c.data) == 0 && ephemeral == nil && !read {
		if !c.counts {
			return nil, nil
		}
		if unread, err := r.y.push.Unread(ctx, r.session.User, c.room.Num, c.m.Since); err != nil || !unread {
			return nil, err
		}
	}
	return r.assemble(ctx, c, h, ephemeral)
}

// roomData reads all account data of a room that the client does not know: what was set while the user was not in it,
// the client was not told if its syncs left out such rooms.
func (r *round) roomData(ctx context.Context, room *store.Room) ([]account.Datum, error) {
	f := &r.filter.Room.AccountData
	if !f.Room(room.ID) || !f.Sender(r.session.User) {
		return nil, nil
	}
	var data []account.Datum
	for d, err := range r.y.accounts.RoomData(ctx, r.session.User, room.Num) {
		if err != nil {
			return nil, err
		}
		if d.Pos <= r.now.pos && f.Type(d.Type) {
			data = append(data, d)
		}
	}
	return data, nil
}

// assemble puts together what was found of a joined room.
func (r *round) assemble(ctx context.Context, c *call, h *history, ephemeral []byte) (*part, error) {
	if h == nil {
		h = noHistory(r.req.StateAfter)
	}
	p := &part{history: h}
	if ephemeral != nil {
		p.json = append(append(appendName(p.json, 0, "ephemeral"), `{"events":[`...), ephemeral...)
		p.json = append(p.json, `]}`...)
	}
	if len(c.data) > 0 {
		p.json = appendData(appendName(p.json, 0, "account_data"), c.data)
	}
	counts, err := r.y.push.Counts(ctx, r.session.User, c.room, c.m.Since)
	if err != nil {
		return nil, err
	}
	p.json = appendCounts(p.json, &counts, r.filter.Room.Timeline.UnreadThreads)
	return p, nil
}

// fresh reports whether the client does not know the room: its present stay began after the client's token.
func (r *round) fresh(ctx context.Context, m *store.Membership) (bool, error) {
	if r.initial || m.Pos <= r.since.pos {
		return r.initial, nil
	}
	if m.Order == m.Since {
		return true, nil
	}
	// The newest member event is not the one with which the stay began.
	events, err := r.y.store.EventsAt(ctx, m.Room, m.Since)
	if err != nil {
		return false, err
	}
	return events[0] == nil || events[0].Pos > r.since.pos, nil
}

// joinedHistory makes the history of a joined room, nil if there is nothing new in it. That of an initial sync is
// kept, for the next one.
func (r *round) joinedHistory(ctx context.Context, c *call, fresh bool) (*history, error) {
	if !c.events && !fresh {
		return nil, nil
	}
	if !r.initial || len(r.filter.fields) > 0 {
		return r.readJoined(ctx, c, fresh)
	}
	key := historyKey{r.session.User, c.room.Num, r.filter, r.req.StateAfter, r.ignored.Pos}
	if h, pos, ok := r.y.pages.get(key); ok && !r.y.hub.eventsSince(c.room.Num, pos) {
		r.tell(c.room.Num, h.members)
		return h, nil
	}
	h, err := r.readJoined(ctx, c, fresh)
	if err == nil && h.long == nil {
		r.y.pages.put(key, h, r.now.pos, h.size())
	}
	return h, err
}

func (r *round) readJoined(ctx context.Context, c *call, fresh bool) (*history, error) {
	a := timeline.Access{Membership: c.m, Joined: true, State: c.room.State, End: store.MaxOrder}
	since := r.since.pos
	if fresh {
		since = 0
	}
	s, err := r.section(ctx, c.room, a, since)
	if err != nil {
		return nil, err
	}
	if fresh && !r.initial && len(s.events) > 0 && s.events[0].Pos <= r.since.pos {
		s.limited = true // what the client may have is not continued by this timeline
	}
	if err := r.joinedDevices(ctx, c.room, s, fresh); err != nil {
		return nil, err
	}
	full := fresh || r.req.FullState
	if full && s.end.IsZero() { // nothing happened
		s.start, s.end = c.room.State, c.room.State
	}
	return r.history(ctx, c.room, s, full, full || s.limited || s.members)
}

// joinedDevices finds who came and went of a joined room.
func (r *round) joinedDevices(ctx context.Context, room *store.Room, s *section, fresh bool) error {
	switch {
	case fresh:
		return r.newFellows(ctx, room)
	case s.members:
		return r.devicesIn(ctx, room, s.since, s.end)
	}
	return nil
}

// ephemeral makes the room's receipts and who types, parted by commas, nil if there is nothing new. read reports
// whether the user has read on, so that the counts have changed.
func (r *round) ephemeral(ctx context.Context, c *call, fresh bool) (out []byte, read bool, err error) {
	since := r.since
	if fresh {
		since = token{}
	}
	f := &r.filter.Room.Ephemeral
	wanted := f.Room(c.room.ID)
	if c.receipts || fresh {
		receipts, err := r.receipts(ctx, c.room.Num, since.pos)
		if err != nil {
			return nil, false, err
		}
		receipts = r.heeded(receipts)
		read = slices.ContainsFunc(receipts, func(rec push.Receipt) bool { return rec.User == r.session.User })
		if wanted && f.Type("m.receipt") {
			out = push.AppendReceipts(out, receipts)
		}
	}
	if !wanted || !f.Type("m.typing") || !c.typing && !fresh {
		return out, read, nil
	}
	users, changed := r.y.hub.typingSince(c.room.Num, since.typing, r.ignored)
	if changed && (len(users) > 0 || !fresh) {
		out = appendTyping(appendComma(out, 0), users)
	}
	return out, read, nil
}

// receipts reads the room's receipts after a position. All receipts of a room are kept for the next initial sync.
func (r *round) receipts(ctx context.Context, room store.RoomNum, since store.Pos) ([]push.Receipt, error) {
	if since > 0 {
		return r.y.push.Receipts(ctx, room, since, r.now.pos, r.session.User)
	}
	key := receiptsKey{r.session.User, room}
	if kept, pos, ok := r.y.receipts.get(key); ok && !r.y.hub.receiptsSince(room, pos) {
		return kept, nil
	}
	read, err := r.y.push.Receipts(ctx, room, 0, r.now.pos, r.session.User)
	if err == nil {
		r.y.receipts.put(key, read, r.now.pos, receiptsSize(read))
	}
	return read, err
}

// heeded returns the receipts of those whom the user does not ignore.
func (r *round) heeded(receipts []push.Receipt) []push.Receipt {
	ignored := func(rec push.Receipt) bool { return r.ignored.Has(rec.User) }
	if r.ignored.Len() == 0 || !slices.ContainsFunc(receipts, ignored) {
		return receipts
	}
	return slices.DeleteFunc(slices.Clone(receipts), ignored) // they may be kept for the next sync
}

// spec: client-server-api#mtyping
func appendTyping(dst []byte, users []matrix.UserID) []byte {
	dst = append(dst, `{"content":{"user_ids":[`...)
	start := len(dst)
	for _, u := range users {
		dst = matrix.AppendString(appendComma(dst, start), string(u))
	}
	return append(dst, `]},"type":"m.typing"}`...)
}

// appendCounts writes the unread counts: with threads those of the main timeline and of each thread apart.
// spec: client-server-api#receiving-notifications
func appendCounts(dst []byte, c *push.Counts, threads bool) []byte {
	if !threads {
		return appendCount(appendName(dst, 0, "unread_notifications"), c.Total())
	}
	dst = appendCount(appendName(dst, 0, "unread_notifications"), c.Main)
	if len(c.Threads) == 0 {
		return dst
	}
	dst = append(appendName(dst, 0, "unread_thread_notifications"), '{')
	start := len(dst)
	for _, root := range slices.Sorted(maps.Keys(c.Threads)) {
		dst = append(matrix.AppendString(appendComma(dst, start), string(root)), ':')
		dst = appendCount(dst, c.Threads[root])
	}
	return append(dst, '}')
}

func appendCount(dst []byte, c push.Count) []byte {
	dst = strconv.AppendInt(append(dst, `{"highlight_count":`...), c.Highlights, 10)
	dst = strconv.AppendInt(append(dst, `,"notification_count":`...), c.Notifications, 10)
	return append(dst, '}')
}
