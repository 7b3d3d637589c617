package clientsync

import (
	"context"
	"fmt"

	"hearth/homeserver/account"
	"hearth/homeserver/e2ee"
	"hearth/homeserver/store"
)

// plan is what an answer may hold: what belongs to no room, and the rooms that may have something new.
type plan struct {
	data     []account.Datum
	toDevice []e2ee.Message
	roomData map[store.RoomNum][]account.Datum
	recount  bool // the user's push rules have changed
	joined   []*call
	invited  []*call
	knocked  []*call
	left     []*call
	fresh    []store.RoomNum // joined since the client's token
	presence []present
	loud     bool // presence is worth an answer
}

// call is a visit to a room that the filter selects.
type call struct {
	visit
	room *store.Room
	data []account.Datum
}

// locate finds the position up to which the answer reaches, and the user's memberships as of that position: not from
// before it, and not from after it.
func (r *round) locate(ctx context.Context) error {
	for {
		s := r.y.hub.standing(r.watch)
		switch {
		case !s.known:
			if err := r.y.readMemberships(ctx, r.watch, s.changed); err != nil {
				return err
			}
		case s.newest > s.pos && !r.y.hub.isClosed():
			if err := r.y.catchUp(ctx, s.newest); err != nil {
				return err
			}
		default:
			r.now = token{s.pos, s.typing, s.pos}
			r.members = s.memberships
			r.stamp = r.y.o.Now().UnixMilli()
			if r.since.typing > s.typing {
				r.since.typing, r.heard = 0, 0
			}
			return nil
		}
	}
}

// readMemberships reads the memberships of a watched user for the hub.
func (y *Syncer) readMemberships(ctx context.Context, w *watch, changed uint64) error {
	members := []*store.Membership{}
	for m, err := range y.store.Memberships(ctx, w.user) {
		if err != nil {
			return err
		}
		members = append(members, m)
	}
	y.hub.keep(w, members, changed)
	return nil
}

// plan finds what may be new between since and now.
func (r *round) plan(ctx context.Context) (*plan, error) {
	p := &plan{}
	var err error
	if r.ignored, err = r.y.accounts.Ignored(ctx, r.session.User); err != nil {
		return nil, err
	}
	if r.initial || r.y.hub.userSince(r.session.User, r.since.pos) {
		if err := r.planData(ctx, p); err != nil {
			return nil, err
		}
	}
	if err := r.planToDevice(ctx, p); err != nil {
		return nil, err
	}
	if err := r.planDevices(ctx); err != nil {
		return nil, err
	}
	if err := r.planRooms(ctx, p); err != nil {
		return nil, err
	}
	return p, r.planPresence(ctx, p)
}

// planData finds account data.
func (r *round) planData(ctx context.Context, p *plan) error {
	for d, err := range r.y.accounts.DataSince(ctx, r.session.User, r.since.pos) {
		if err != nil {
			return err
		}
		if d.Pos > r.now.pos {
			continue
		}
		if d.Room == 0 {
			if r.filter.AccountData.Type(d.Type) && r.filter.AccountData.Sender(r.session.User) {
				p.data = append(p.data, d)
			}
			continue
		}
		if f := &r.filter.Room.AccountData; f.Type(d.Type) && f.Sender(r.session.User) {
			if p.roomData == nil {
				p.roomData = make(map[store.RoomNum][]account.Datum)
			}
			p.roomData[d.Room] = append(p.roomData[d.Room], d)
		}
	}
	return r.planPushRules(ctx, p)
}

const pushRules = "m.push_rules"

// planPushRules adds the push rules, which clients read as account data. Changed rules change the counts of what is
// unread in any room.
// spec: client-server-api#push-rules-events
func (r *round) planPushRules(ctx context.Context, p *plan) error {
	rs, err := r.y.push.Rules(ctx, r.session.User)
	if err != nil {
		return err
	}
	changed := rs.Pos > r.since.pos && rs.Pos <= r.now.pos
	p.recount = changed && !r.initial
	if f := &r.filter.AccountData; !r.initial && !changed || !f.Type(pushRules) || !f.Sender(r.session.User) {
		return nil
	}
	content, err := rs.JSON()
	if err != nil {
		return fmt.Errorf("encoding push rules: %w", err)
	}
	p.data = append(p.data, account.Datum{Type: pushRules, Content: content, Pos: rs.Pos})
	return nil
}

// planToDevice finds messages to the device.
// spec: client-server-api#send-to-device-messaging
func (r *round) planToDevice(ctx context.Context, p *plan) error {
	if !r.initial && r.since.device == r.since.pos && !r.y.hub.userSince(r.session.User, r.since.pos) {
		return nil
	}
	var more bool
	var err error
	p.toDevice, more, err = r.y.e2ee.ToDevice(ctx, r.session.User, r.session.Device, r.since.device, r.now.pos, toDeviceLimit)
	if more {
		r.now.device = p.toDevice[len(p.toDevice)-1].Pos
	}
	return err
}

// planRooms finds the rooms of which there may be something to say.
func (r *round) planRooms(ctx context.Context, p *plan) error {
	visits := r.visits(p)
	if len(visits) == 0 {
		return nil
	}
	nums := make([]store.RoomNum, len(visits))
	for i := range visits {
		nums[i] = visits[i].m.Room
	}
	rooms, err := r.y.store.RoomsByNum(ctx, nums...)
	if err != nil {
		return err
	}
	for i, room := range rooms {
		if room == nil || !r.filter.Room.selects(room.ID) {
			continue
		}
		if room.Deleted && (r.initial || visits[i].m.Pos <= r.since.pos) {
			continue // who knows the room is told once that it was left
		}
		c := &call{visit: visits[i], room: room}
		if r.filter.Room.AccountData.Room(room.ID) {
			c.data = p.roomData[room.Num]
		}
		p.add(c, r.since.pos)
	}
	return r.heedPermission(ctx, p)
}

// heedPermission drops the invites of who does not want any.
// spec: client-server-api#invite-permission
func (r *round) heedPermission(ctx context.Context, p *plan) error {
	if len(p.invited) == 0 {
		return nil
	}
	blocked, err := r.y.accounts.BlocksInvites(ctx, r.session.User)
	if blocked {
		p.invited = nil
	}
	return err
}

func (p *plan) add(c *call, since store.Pos) {
	switch c.m.Membership {
	case "join":
		p.joined = append(p.joined, c)
		if c.m.Pos > since {
			p.fresh = append(p.fresh, c.room.Num)
		}
	case "invite":
		p.invited = append(p.invited, c)
	case "knock":
		p.knocked = append(p.knocked, c)
	case "leave", "ban":
		p.left = append(p.left, c)
	}
}

// visits lists the rooms that may have something new.
func (r *round) visits(p *plan) []visit {
	var out []visit
	if r.initial || r.req.FullState {
		for _, m := range r.members {
			out = append(out, visit{m: m, events: true, receipts: true, typing: true})
		}
	} else {
		out = r.y.hub.visits(r.members, r.since)
		if len(p.roomData) > 0 {
			out = withData(out, r.members, p.roomData)
		}
		if p.recount {
			out = withCounts(out, r.members)
		}
	}
	kept := out[:0]
	for _, v := range out {
		if r.mentions(v.m) {
			kept = append(kept, v)
		}
	}
	return kept
}

// withData adds the rooms that have new account data and nothing else.
func withData(visits []visit, memberships []*store.Membership, data map[store.RoomNum][]account.Datum) []visit {
	there := make(map[store.RoomNum]bool, len(visits))
	for _, v := range visits {
		there[v.m.Room] = true
	}
	for _, m := range memberships {
		if data[m.Room] != nil && !there[m.Room] {
			visits = append(visits, visit{m: m})
		}
	}
	return visits
}

// withCounts asks for the counts of all rooms that the user is in.
func withCounts(visits []visit, memberships []*store.Membership) []visit {
	there := make(map[store.RoomNum]bool, len(visits))
	for i := range visits {
		there[visits[i].m.Room] = true
		visits[i].counts = true
	}
	for _, m := range memberships {
		if m.Membership == "join" && !there[m.Room] {
			visits = append(visits, visit{m: m, counts: true})
		}
	}
	return visits
}

// mentions reports whether an answer mentions a room of this membership, if there is something new in it.
func (r *round) mentions(m *store.Membership) bool {
	changed := m.Pos > r.since.pos
	switch m.Membership {
	case "join":
		return true
	case "invite", "knock":
		return changed || r.req.FullState
	case "leave", "ban":
		switch {
		case m.Forgotten:
			return changed && !r.initial // see left
		case r.initial || r.req.FullState && !changed:
			return r.filter.Room.IncludeLeave && m.Ended != 0
		}
		// Whoever was banned without having been there learns of it; whose ban ended does not.
		return changed && (m.Membership == "ban" || m.Previous != "ban")
	}
	return false
}
