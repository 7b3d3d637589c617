package primary

import (
	"errors"
	"slices"
	"time"

	"hearth/dnsprimary/zone"
)

// Publish makes a zone follow the version that is served: it gets a new serial number, if it has none, and is signed.
// It is for changes that come in no message: the server's own records, a zone file read again, an undo. Without a
// difference there is no change, and the state stays. Like the change of an UPDATE, this one is to be stored before the
// state takes effect.
func (s *State) Publish(now time.Time, next *zone.Zone, who zone.Name) (*State, *Change, error) {
	h := s.zones[next.Origin()]
	if h == nil {
		return nil, nil, errors.New("the zone " + next.Origin().String() + " is not served")
	}
	change, err := h.follow(now, next, who)
	if change == nil || err != nil {
		return s, nil, err
	}
	return s.Serve(change.New), change, nil
}

// Serve returns the state that serves a version of a zone as it is, and has the one before in its history. It is for
// versions that are made already: by Publish, or by the signer when signatures were made anew.
func (s *State) Serve(next *zone.Zone) *State {
	h := *s.zones[next.Origin()]
	h.History = append(slices.Clip(h.History), h.Zone)
	h.Zone = next
	return s.With(h)
}

// follow makes next a version that follows the one served (RFC 2136 §3.6); nil if it does not differ.
func (h *Hosted) follow(now time.Time, next *zone.Zone, who zone.Name) (*Change, error) {
	if zone.Diff(h.Zone, next).Empty() {
		return nil, nil
	}
	if next.Records() > maxRecords {
		return nil, refused
	}
	if old := h.Zone.Serial(); !SerialLess(old, next.Serial()) {
		e := next.Edit()
		if err := e.Replace(next.Origin(), zone.WithSerial(next.SOA(), h.Serial.Next(old, now))); err != nil {
			return nil, err
		}
		next = e.Zone()
	}
	if h.Signer != nil {
		signed, err := h.Signer.Sign(now, h.Zone, next)
		if err != nil {
			return nil, err
		}
		next = signed
	}
	return &Change{Old: h.Zone, New: next, Key: who, Notify: h.Notify}, nil
}
