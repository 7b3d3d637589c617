package presence

import (
	"time"

	"hearth/matrix"
)

// user is what is known of one user. The tracker's lock guards it.
type user struct {
	message string
	active  time.Time // of the last action
	written time.Time // active as it is on the disk
	devices map[string]*device
	told    told
	timer   *time.Timer // nil until there is something to wait for
	due     time.Time   // when the timer is up; zero if it is not running
}

// told is what of a status is worth telling when it changes.
type told struct {
	state, message string
	active         bool
}

// device is one of a user's devices that is connected.
type device struct {
	state  string // what it says of itself
	syncs  int    // that are under way
	seen   time.Time
	active time.Time // of its last action
}

// at returns how present a device is, and when that changes by itself; zero if it does not.
func (d *device) at(now time.Time) (state string, until time.Time) {
	if d.syncs == 0 {
		until = d.seen.Add(OfflineAfter)
		if !now.Before(until) {
			return Offline, time.Time{}
		}
	}
	if d.state != Online {
		return d.state, until
	}
	idle := d.active.Add(IdleAfter)
	if !now.Before(idle) {
		return Unavailable, until
	}
	return Online, earlier(until, idle)
}

// earlier returns the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// status returns how present a user is, and when that changes by itself; zero if it does not. Devices that are gone
// are forgotten.
func (u *user) status(now time.Time) (s Status, until time.Time) {
	s = Status{State: Offline, Message: u.message, Active: u.active}
	for id, d := range u.devices {
		state, end := d.at(now)
		if state == Offline && d.syncs == 0 && !now.Before(d.seen.Add(OfflineAfter)) {
			delete(u.devices, id)
			continue
		}
		until = earlier(until, end)
		if rank(state) > rank(s.State) {
			s.State = state
		}
	}
	if s.State != Online {
		return s, until
	}
	if end := u.active.Add(ActiveFor); now.Before(end) {
		s.CurrentlyActive = true
		until = earlier(until, end)
	}
	return s, until
}

func rank(state string) int {
	switch state {
	case Online:
		return 2
	case Unavailable:
		return 1
	}
	return 0
}

// maxDevices is of how many of a user's devices is known that they are connected.
const maxDevices = 100

// device returns one of the user's devices, nil if there are too many.
func (u *user) device(id string) *device {
	d := u.devices[id]
	if d == nil {
		if len(u.devices) >= maxDevices {
			return nil
		}
		d = &device{state: Offline}
		u.devices[id] = d
	}
	return d
}

// act notes that the user did something with a device.
func (u *user) act(d *device, now time.Time) {
	d.active, u.active = now, now
}

// settle finds out whether something changed that is worth telling, and sets the user's clock. Called with the lock
// held; the caller calls tell without it.
func (t *Tracker) settle(id matrix.UserID, u *user, now time.Time) news {
	s, until := u.status(now)
	is := told{s.State, s.Message, s.CurrentlyActive}
	n := news{user: id, changed: is != u.told, loud: is.state != u.told.state || is.message != u.told.message}
	n.save = n.changed && s.State == Offline && u.active.Sub(u.written) > saveAfter
	u.told = is
	t.wait(id, u, now, until)
	return n
}

// saveAfter is by how much the written time of a user's last action may be wrong.
const saveAfter = time.Hour

// wait sets a user's clock, unless it is up early enough: then it looks again.
func (t *Tracker) wait(id matrix.UserID, u *user, now, until time.Time) {
	if until.IsZero() || t.closed || !u.due.IsZero() && !until.Before(u.due) {
		return
	}
	u.due = until
	after := max(until.Sub(now), time.Millisecond)
	if u.timer != nil {
		u.timer.Reset(after)
		return
	}
	u.timer = time.AfterFunc(after, func() { t.expire(id, u) })
}

// expire is called when a user's clock is up.
func (t *Tracker) expire(id matrix.UserID, u *user) {
	t.mu.Lock()
	if t.closed || t.users[id] != u {
		t.mu.Unlock()
		return
	}
	u.due = time.Time{}
	n := t.settle(id, u, t.now())
	t.mu.Unlock()
	t.tell(n)
}
