package primary

import (
	"slices"
	"time"

	"hearth/dnsprimary/zone"
)

// serve returns the state that serves a version of a zone, and has the one before in its history.
func (s *State) serve(next *zone.Zone) *State {
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
