package clientsync

import (
	"context"
	"slices"

	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
)

// history is a section as it is written: the members summary, state or state_after, and timeline of a room. Once
// made it is not changed.
type history struct {
	json    []byte
	holes   []timeline.Hole
	members []toldMember // that a client which loads members lazily is told of
	long    *longState
	scratch *[]byte // where json comes from; nil if the history is kept
}

// noHistory is the history of a room of which only other things are new.
func noHistory(stateAfter bool) *history {
	if stateAfter {
		return &history{json: []byte(`"state_after":{"events":[]},"timeline":{"events":[],"limited":false}`)}
	}
	return &history{json: []byte(`"timeline":{"events":[],"limited":false}`)}
}

// maxState is how many state events of a room are held in memory at a time; more are read while they are written.
const maxState = 512

// history makes a section's history. full asks for the whole state, summary for a summary of the room. It is nil if
// there is nothing new, unless the whole state is asked for.
func (r *round) history(ctx context.Context, room *store.Room, s *section, full, summary bool) (*history, error) {
	entries, err := r.delta(ctx, room, s, full)
	if err != nil {
		return nil, err
	}
	h := r.newHistory()
	if r.filter.Room.lazy() {
		if entries, h.members, err = r.lazily(ctx, room, s, entries, full); err != nil {
			return nil, err
		}
	}
	if !full && !s.limited && len(s.events)+len(entries) == 0 {
		return nil, nil
	}
	if summary {
		if h.json, err = r.appendSummary(ctx, h.json, room, s); err != nil {
			return nil, err
		}
	}
	r.tell(room.Num, h.members)
	return h, r.render(ctx, h, room, s, entries)
}

// newHistory returns an empty history; one that is not kept is written into memory that is used again.
func (r *round) newHistory() *history {
	if r.initial {
		return &history{}
	}
	scratch, _ := r.y.scratch.Get().(*[]byte)
	if scratch == nil {
		scratch = new([]byte)
	}
	return &history{scratch: scratch, json: (*scratch)[:0]}
}

// maxScratch is the most memory that is used again for another room, in bytes.
const maxScratch = 32 << 10

// release gives the memory of a history that was written back.
func (r *round) release(h *history) {
	if h.scratch == nil || cap(h.json) > maxScratch {
		return
	}
	*h.scratch = h.json[:0]
	r.y.scratch.Put(h.scratch)
	h.scratch, h.json = nil, nil
}

// render writes the state and the timeline.
func (r *round) render(ctx context.Context, h *history, room *store.Room, s *section, entries []store.StateEntry) error {
	name := "state"
	if r.req.StateAfter {
		name = "state_after"
	}
	var state []*store.Event
	var err error
	if len(entries) > maxState {
		h.long = &longState{room, name, entries}
	} else if state, err = r.stateEvents(ctx, room, entries); err != nil {
		return err
	}
	all := make([]*store.Event, 0, len(s.events)+len(state))
	for _, e := range s.events {
		all = append(all, e.Event)
	}
	all = append(all, state...)
	h.json = slices.Grow(h.json, about(all))
	var holes *[]timeline.Hole
	if r.initial && len(r.filter.fields) == 0 {
		holes = &h.holes
	}
	view := r.view(holes)
	view.Eyes = s.eyes
	if err := r.y.timeline.Prepare(ctx, &view, all); err != nil {
		return err
	}
	if h.long == nil && (len(state) > 0 || r.req.StateAfter) {
		h.json = append(appendName(h.json, 0, name), `{"events":[`...)
		start := len(h.json)
		for _, e := range state {
			h.json = r.appendEvent(appendComma(h.json, start), &view, e, "")
		}
		h.json = append(h.json, `]}`...)
	}
	h.json = r.appendTimeline(h.json, &view, s)
	return nil
}

// about guesses how many bytes these events have when they are written.
func about(events []*store.Event) int {
	n := 200
	for _, e := range events {
		n += len(e.Content) + 320
	}
	return n
}

func (r *round) appendTimeline(dst []byte, view *timeline.View, s *section) []byte {
	dst = append(appendName(dst, 0, "timeline"), `{"events":[`...)
	start := len(dst)
	for _, e := range s.events {
		dst = r.appendEvent(appendComma(dst, start), view, e.Event, e.Membership)
	}
	dst = appendBool(append(dst, `],"limited":`...), s.limited)
	if s.prev != 0 && (s.limited || len(s.events) > 0) {
		dst = append(append(dst, `,"prev_batch":"`...), timeline.Token(s.prev)...)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}
