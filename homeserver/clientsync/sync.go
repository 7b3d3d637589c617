package clientsync

import (
	"context"
	"net/http"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// MaxTimeout is the longest time that a sync waits.
const MaxTimeout = 5 * time.Minute

// Request is what a client asks of /sync.
// spec: client-server-api#get_matrixclientv3sync
type Request struct {
	Since      string
	Filter     []byte // JSON; nil is none
	FullState  bool
	StateAfter bool // use_state_after
	Timeout    time.Duration
}

const (
	defaultLimit  = 10   // events in a room's timeline
	maxLimit      = 1000 // of the filter's limit
	toDeviceLimit = 100  // messages to the device in one answer
)

// round is one answer to one client.
type round struct {
	y       *Syncer
	session account.Session
	req     Request
	filter  *filter
	since   token
	initial bool
	now     token
	view    timeline.View
	watch   *watch
	members []*store.Membership
	sent    *sentSet
	out     *wire.Stream
	buf     []byte
}

// Sync answers a client: at once if there is something new since its token, otherwise when there is or the timeout
// is over.
func (y *Syncer) Sync(ctx context.Context, w http.ResponseWriter, s account.Session, q Request) error {
	r := &round{y: y, session: s, req: q, initial: q.Since == ""}
	var err error
	if r.filter, err = parseFilter(q.Filter); err != nil {
		return err
	}
	if !r.initial {
		if r.since, err = parseToken(q.Since); err != nil {
			return err
		}
		if err := y.e2ee.Acknowledge(ctx, s.User, s.Device, r.since.device); err != nil {
			return err
		}
	}
	if err := y.catchUp(ctx); err != nil {
		return err
	}
	plan, err := r.await(ctx)
	if err != nil {
		return err
	}
	return r.answer(ctx, w, plan)
}

// catchUp waits until the hub has seen what was durable when it was called, so that a client which was told that
// something is done finds it in its next sync.
func (y *Syncer) catchUp(ctx context.Context) error {
	durable := y.store.Durable()
	for {
		pos, moved := y.hub.at()
		if pos >= durable {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// await plans an answer until one has something to say or the timeout is over.
func (r *round) await(ctx context.Context) (*plan, error) {
	deadline := time.NewTimer(min(r.req.Timeout, MaxTimeout))
	defer deadline.Stop()
	for {
		p, err := r.plan(ctx)
		if err != nil || r.initial || r.req.FullState || r.req.Timeout <= 0 || !p.empty() {
			return p, err
		}
		wake, done := r.y.hub.await(r.watch, r.now.pos, r.now.typing)
		select {
		case <-wake:
			done()
		case <-deadline.C:
			done()
			return p, nil
		case <-ctx.Done():
			done()
			return nil, ctx.Err()
		}
		if r.y.hub.isClosed() {
			return p, nil
		}
	}
}

// plan is what an answer will hold, as far as it must be known before the first byte is written.
type plan struct {
	joined   []*store.Membership
	invited  []*store.Membership
	left     []*store.Membership
	data     []account.Datum
	toDevice []toDevice
	rooms    map[store.RoomNum]*store.Room
	roomData map[store.RoomNum][]account.Datum
}

type toDevice struct {
	pos  store.Pos
	json []byte
}

func (p *plan) empty() bool {
	return len(p.joined)+len(p.invited)+len(p.left)+len(p.data)+len(p.toDevice) == 0
}

// plan finds what changed between since and the hub's position.
func (r *round) plan(ctx context.Context) (*plan, error) {
	y := r.y
	r.now.typing = y.hub.typingSeq()
	r.now.pos = y.hub.position()
	r.now.device = r.now.pos
	if r.since.pos > r.now.pos { // a token from a future that was lost cannot be: positions are announced once durable
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "since is from the future")
	}
	if err := r.memberships(ctx); err != nil {
		return nil, err
	}
	p := &plan{roomData: make(map[store.RoomNum][]account.Datum)}
	if err := r.planData(ctx, p); err != nil {
		return nil, err
	}
	if err := r.planToDevice(ctx, p); err != nil {
		return nil, err
	}
	return p, r.planRooms(ctx, p)
}

// memberships reads the rooms of the user, from memory if they have not changed.
func (r *round) memberships(ctx context.Context) error {
	h := r.y.hub
	w, members, _ := h.watched(r.session.User)
	if w != nil && members != nil {
		r.watch, r.members = w, members
		return nil
	}
	w, changed := h.watch(r.session.User)
	members = []*store.Membership{}
	for m, err := range r.y.store.Memberships(ctx, r.session.User) {
		if err != nil {
			return err
		}
		members = append(members, m)
	}
	h.keep(w, members, changed)
	r.watch, r.members = w, members
	return nil
}

// planData finds account data.
func (r *round) planData(ctx context.Context, p *plan) error {
	if !r.initial && !r.y.hub.userSince(r.session.User, r.since.pos) {
		return nil
	}
	for d, err := range r.y.accounts.DataSince(ctx, r.session.User, r.since.pos) {
		if err != nil {
			return err
		}
		if d.Pos > r.now.pos {
			continue
		}
		if d.Room != 0 {
			p.roomData[d.Room] = append(p.roomData[d.Room], d)
		} else if r.filter.AccountData.Type(d.Type) && r.filter.AccountData.Sender(r.session.User) {
			p.data = append(p.data, d)
		}
	}
	return r.planPushRules(ctx, p)
}

// planPushRules adds the push rules, which clients read as account data.
// spec: client-server-api#push-rules-events
func (r *round) planPushRules(ctx context.Context, p *plan) error {
	if !r.filter.AccountData.Type("m.push_rules") {
		return nil
	}
	content, pos, err := r.y.push.RulesContent(ctx, r.session.User)
	if err != nil {
		return err
	}
	if r.initial || pos > r.since.pos && pos <= r.now.pos {
		p.data = append(p.data, account.Datum{Type: "m.push_rules", Content: content, Pos: pos})
	}
	return nil
}

func (r *round) planToDevice(ctx context.Context, p *plan) error {
	if !r.initial && r.since.device == r.since.pos && !r.y.hub.userSince(r.session.User, r.since.pos) {
		return nil
	}
	messages, err := r.y.e2ee.ToDevice(ctx, r.session.User, r.session.Device, r.since.device, r.now.pos, toDeviceLimit)
	if err != nil {
		return err
	}
	for _, m := range messages {
		p.toDevice = append(p.toDevice, toDevice{m.Pos, m.JSON})
	}
	if len(messages) == toDeviceLimit {
		r.now.device = messages[len(messages)-1].Pos
	}
	return nil
}

// planRooms finds the rooms of which there is something to say.
func (r *round) planRooms(ctx context.Context, p *plan) error {
	var candidates []*store.Membership
	for _, m := range r.members {
		if m.Pos <= r.now.pos && r.mentions(m, p) {
			candidates = append(candidates, m)
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	nums := make([]store.RoomNum, len(candidates))
	for i, m := range candidates {
		nums[i] = m.Room
	}
	rooms, err := r.y.store.RoomsByNum(ctx, nums...)
	if err != nil {
		return err
	}
	p.rooms = make(map[store.RoomNum]*store.Room, len(rooms))
	for i, room := range rooms {
		if room == nil || room.Deleted || !r.filter.Room.selects(room.ID) {
			continue
		}
		p.rooms[room.Num] = room
		switch m := candidates[i]; m.Membership {
		case "join":
			p.joined = append(p.joined, m)
		case "invite":
			p.invited = append(p.invited, m)
		case "leave", "ban":
			p.left = append(p.left, m)
		}
	}
	return nil
}

// mentions reports whether there may be something to say of the room of a membership.
func (r *round) mentions(m *store.Membership, p *plan) bool {
	changed := r.initial || m.Pos > r.since.pos
	switch m.Membership {
	case "join":
		return changed || r.req.FullState || p.roomData[m.Room] != nil || r.y.hub.roomSince(m.Room, r.since.pos) ||
			r.typed(m.Room)
	case "invite":
		return changed
	case "leave", "ban":
		if m.Forgotten || m.Ended == 0 && m.Previous != "invite" && m.Previous != "knock" && m.Membership != "ban" {
			return false
		}
		if r.initial {
			return r.filter.Room.IncludeLeave && m.Ended != 0
		}
		return changed
	}
	return false
}

func (r *round) typed(room store.RoomNum) bool {
	_, changed := r.y.hub.typingSince(room, r.since.typing)
	return changed
}

// answer writes the answer that was planned.
func (r *round) answer(ctx context.Context, w http.ResponseWriter, p *plan) error {
	r.view = timeline.View{
		User: r.session.User, Device: r.session.Device, Now: r.y.o.Now().UnixMilli(), InSync: true,
		Federation: r.filter.EventFormat == "federation",
	}
	r.sent = r.y.sent.of(r.session, r.initial)
	r.out = wire.NewStream(w)
	r.out.Open('{')
	r.out.Name("next_batch")
	r.out.String(r.now.String())
	if len(p.data) > 0 {
		r.out.Name("account_data")
		r.writeData(p.data)
	}
	if len(p.toDevice) > 0 {
		r.out.Name("to_device")
		r.out.Open('{')
		r.out.Name("events")
		r.out.Open('[')
		for _, m := range p.toDevice {
			r.out.Raw(m.json)
		}
		r.out.Close(']')
		r.out.Close('}')
	}
	if len(p.joined)+len(p.invited)+len(p.left) > 0 {
		if err := r.writeRooms(ctx, p); err != nil {
			return r.out.Fail(err)
		}
	}
	r.out.Close('}')
	return r.out.End()
}

func (r *round) writeData(data []account.Datum) {
	r.out.Open('{')
	r.out.Name("events")
	r.out.Open('[')
	for _, d := range data {
		r.buf = append(r.buf[:0], `{"content":`...)
		r.buf = append(r.buf, d.Content...)
		r.buf = append(r.buf, `,"type":`...)
		r.buf = matrix.AppendString(r.buf, d.Type)
		r.out.Raw(append(r.buf, '}'))
	}
	r.out.Close(']')
	r.out.Close('}')
}

func (r *round) writeRooms(ctx context.Context, p *plan) error {
	r.out.Name("rooms")
	r.out.Open('{')
	for _, part := range []struct {
		name    string
		members []*store.Membership
		write   func(context.Context, *plan, *store.Membership, *store.Room) error
	}{
		{"invite", p.invited, r.writeInvite},
		{"join", p.joined, r.writeJoined},
		{"leave", p.left, r.writeLeft},
	} {
		if len(part.members) == 0 {
			continue
		}
		r.out.Name(part.name)
		r.out.Open('{')
		for _, m := range part.members {
			if err := part.write(ctx, p, m, p.rooms[m.Room]); err != nil {
				return err
			}
		}
		r.out.Close('}')
	}
	r.out.Close('}')
	return nil
}

// strippedTypes is the state that an invited user gets to know.
// spec: client-server-api#stripped-state
func strippedTypes() []string {
	return []string{
		"m.room.create", "m.room.name", "m.room.avatar", "m.room.topic", "m.room.join_rules",
		"m.room.canonical_alias", "m.room.encryption",
	}
}

func (h *hub) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}
