package clientsync

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"hearth/homeserver/presence"
	"hearth/homeserver/store"
	"hearth/matrix"
)

// The bounds of what an answer says of presence. Who is currently active, and what becomes of the user's own presence,
// is told along with other things only.
const (
	maxPresence     = 100 // events of one answer
	maxPresenceHead = 500 // events of a first answer
)

// presences are the changes of who is present, numbered together with those of who types. The hub's lock guards them.
type presences struct {
	last  map[matrix.UserID]lastPresence
	order []presenceChange // by number; outdated where last has a higher one
	floor uint64           // changes up to here were forgotten
}

// lastPresence has the numbers of a user's last change, and of the last one that is worth waking others.
type lastPresence struct{ seq, loud uint64 }

type presenceChange struct {
	user matrix.UserID
	seq  uint64
}

// presenceChanged notes that a user's status changed; loud says that it is worth waking others.
func (h *hub) presenceChanged(user matrix.UserID, loud bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notePresence(user, loud)
	if loud {
		h.callFellows(user, 0)
	}
}

// notePresence gives a change its number. Called with the lock held.
func (h *hub) notePresence(user matrix.UserID, loud bool) {
	p := &h.presences
	h.typing.seq++
	last := lastPresence{h.typing.seq, p.last[user].loud}
	if loud {
		last.loud = last.seq
	}
	p.last[user] = last
	p.order = append(p.order, presenceChange{user, h.typing.seq})
	if len(p.order) < 2*len(p.last)+64 && len(p.last) <= maxChanged {
		return
	}
	p.order = slices.DeleteFunc(p.order, func(c presenceChange) bool { return p.last[c.user].seq != c.seq })
	if len(p.last) > maxChanged {
		old := p.order[:len(p.order)/2]
		for _, c := range old {
			delete(p.last, c.user)
		}
		p.floor = old[len(old)-1].seq
		p.order = slices.Delete(p.order, 0, len(old))
	}
}

// acquaintance is a user who may share a room with another.
type acquaintance struct {
	user  matrix.UserID
	seq   uint64
	known bool // that they do
}

// presencesBetween lists whose status changed after since and up to now and may concern w, oldest change first, and
// who watches one of the rooms, which are new to w.
func (h *hub) presencesBetween(w *watch, since, now uint64, rooms []store.RoomNum) []acquaintance {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &h.presences
	var out []acquaintance
	for _, c := range slices.Backward(p.order) {
		if c.seq <= since {
			break
		}
		last := p.last[c.user]
		if c.seq > now || last.seq != c.seq {
			continue
		}
		if yes, known := h.shares(w, c.user); yes || !known {
			out = append(out, acquaintance{c.user, c.seq, known})
		}
	}
	for _, num := range rooms {
		room := h.rooms[num]
		if room == nil {
			continue
		}
		for fellow := range room.watches {
			if seq := p.last[fellow.user].seq; seq != 0 && seq <= since {
				out = append(out, acquaintance{fellow.user, seq, true})
			}
		}
	}
	slices.SortFunc(out, func(a, b acquaintance) int { return cmp.Compare(a.seq, b.seq) })
	return slices.CompactFunc(out, func(a, b acquaintance) bool { return a.user == b.user })
}

// present is what an answer says of a user.
type present struct {
	user   matrix.UserID
	status presence.Status
}

// planPresence finds whose presence is new. What does not fit into the answer is left to the next one.
// spec: client-server-api#presence
func (r *round) planPresence(ctx context.Context, p *plan) error {
	f := &r.filter.Presence
	if r.y.presence == nil || !f.Type("m.presence") || r.heard >= r.now.typing && len(p.fresh) == 0 {
		return nil
	}
	found := r.y.hub.presencesBetween(r.watch, r.heard, r.now.typing, p.fresh)
	head := r.heard < r.y.hub.presenceFloor()
	limit := f.Max(maxPresence, maxPresence)
	if head {
		limit = f.Max(maxPresenceHead, maxPresenceHead)
		slices.Reverse(found) // the newest first, as the others are never told
	}
	var users []matrix.UserID
	for i, a := range found {
		if !f.Sender(a.user) || r.ignored.Has(a.user) {
			continue
		}
		if !a.known {
			shares, err := r.shares(ctx, a.user)
			if err != nil {
				return err
			}
			if !shares {
				continue
			}
		}
		if users = append(users, a.user); len(users) < limit {
			continue
		}
		if !head && i+1 < len(found) {
			r.now.typing, p.loud = max(r.heard, a.seq), true
		}
		break
	}
	statuses, err := r.y.presence.Statuses(ctx, users...)
	if err != nil {
		return err
	}
	for i, s := range statuses {
		if !head || s.State != presence.Offline {
			p.presence = append(p.presence, present{users[i], s})
		}
	}
	p.loud = len(p.presence) > 0 && (p.loud || head || r.y.hub.calledSince(r.watch, r.heard))
	return nil
}

// calledSince reports whether w was woken because of presence after seq: only then is it worth an answer of its own, so
// that who comes back at once is not told each of many changes.
func (h *hub) calledSince(w *watch, seq uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return w.presence > seq
}

func (h *hub) presenceFloor() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.presences.floor
}

// appendPresence writes m.presence events, parted by commas.
// spec: client-server-api#mpresence
func appendPresence(dst []byte, all []present, now time.Time) []byte {
	for i, p := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"content":`...)
		dst = AppendStatus(dst, p.status, now)
		dst = append(dst, `,"sender":`...)
		dst = append(matrix.AppendString(dst, string(p.user)), `,"type":"m.presence"}`...)
	}
	return dst
}

// AppendStatus writes a status as the content of m.presence has it.
func AppendStatus(dst []byte, s presence.Status, now time.Time) []byte {
	dst = append(dst, '{')
	if s.State == presence.Online {
		dst = append(strconv.AppendBool(append(dst, `"currently_active":`...), s.CurrentlyActive), ',')
	}
	if !s.Active.IsZero() {
		ago := max(now.Sub(s.Active).Milliseconds(), 0)
		dst = append(strconv.AppendInt(append(dst, `"last_active_ago":`...), ago, 10), ',')
	}
	dst = matrix.AppendString(append(dst, `"presence":`...), s.State)
	if s.Message != "" {
		dst = matrix.AppendString(append(dst, `,"status_msg":`...), s.Message)
	}
	return append(dst, '}')
}
