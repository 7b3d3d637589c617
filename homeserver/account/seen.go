package account

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// seenPause is how often it is written down when devices were last seen: the most that is forgotten when the program
// is killed. maxSeen is how many devices are remembered until then, and makes it happen sooner.
const (
	seenPause = 15 * time.Minute
	maxSeen   = 4096
)

// sightings remembers when devices were last seen and from where, so that no request waits for a disk.
type sightings struct {
	mu   sync.Mutex // guards last
	last map[deviceID]sighting
	full chan struct{} // capacity 1: there is no room for more
}

type deviceID struct {
	user   matrix.UserID
	device string
}

type sighting struct {
	at   time.Time
	from netip.Addr
}

func newSightings() sightings {
	return sightings{last: make(map[deviceID]sighting), full: make(chan struct{}, 1)}
}

func (s *sightings) add(id deviceID, seen sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.last[id]; !known && len(s.last) >= maxSeen {
		select {
		case s.full <- struct{}{}:
		default:
		}
		return
	}
	s.last[id] = seen
}

// take returns all sightings and forgets them.
func (s *sightings) take() map[deviceID]sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.last
	s.last = make(map[deviceID]sighting)
	return all
}

// update completes what the disk says of a device.
func (s *sightings) update(d *Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seen, ok := s.last[deviceID{d.User, d.ID}]; ok {
		seen.update(d)
	}
}

func (s sighting) update(d *Device) {
	if s.at.Before(d.Seen) {
		return
	}
	d.Seen = s.at
	if s.from.IsValid() {
		d.Address = s.from.String()
	}
}

// Saw notes that a session was used just now. It neither waits nor, usually, allocates.
func (a *Accounts) Saw(s Session, from netip.Addr) {
	a.seen.add(deviceID{s.User, s.Device}, sighting{a.now(), from})
}

// lastWrite is how long KeepSeen may take when it ends.
const lastWrite = 5 * time.Second

// KeepSeen writes down now and then when devices were last seen, and once more when ctx ends.
func (a *Accounts) KeepSeen(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(seenPause)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-a.seen.full:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
			defer cancel()
			if err := a.WriteSeen(last); err != nil {
				failed(err)
			}
			return
		}
		if err := a.WriteSeen(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

// WriteSeen writes down when devices were last seen. What is not written because of an error is forgotten.
func (a *Accounts) WriteSeen(ctx context.Context) error {
	var newest *store.Ticket
	for id, seen := range a.seen.take() {
		t, err := a.writeSeen(ctx, id, seen)
		if err != nil {
			return fmt.Errorf("writing when devices were last seen: %w", err)
		}
		if t != nil {
			newest = t
		}
	}
	if newest == nil {
		return nil
	}
	if err := newest.Wait(ctx); err != nil {
		return fmt.Errorf("writing when devices were last seen: %w", err)
	}
	return nil
}

// writeSeen queues the change of one device. It does not keep the user's lock until that is durable: who changes the
// device meanwhile may write over this sighting, and over nothing else.
func (a *Accounts) writeSeen(ctx context.Context, id deviceID, seen sighting) (*store.Ticket, error) {
	unlock, err := a.lock(ctx, id.user)
	if err != nil {
		return nil, err
	}
	defer unlock()
	d, err := a.storedDevice(ctx, id.user, id.device)
	if err != nil || d == nil { // nil: the device is gone since
		return nil, err
	}
	seen.update(d)
	return a.store.Append(ctx, func(tx *store.Tx) { tx.Set(tableDevices, key(d.User, d.ID), appendDevice(nil, d)) })
}
