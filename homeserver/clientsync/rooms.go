package clientsync

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
)

// part is what an answer says of one room, ready to be written.
type part struct {
	history *history // may be nil
	json    []byte   // further members of the room's object, parted by commas
}

// longState is state that is read while it is written.
type longState struct {
	room    *store.Room
	name    string // of the member
	entries []store.StateEntry
}

// ahead is how many rooms are prepared at the same time.
const ahead = 4

// writeRooms writes the rooms of a plan.
func (r *round) writeRooms(ctx context.Context, w http.ResponseWriter, p *plan) error {
	begun := false
	for _, section := range []struct {
		name  string
		calls []*call
		make  func(context.Context, *call) (*part, error)
	}{
		{"invite", p.invited, r.invite},
		{"knock", p.knocked, r.knock},
		{"join", p.joined, r.joined},
		{"leave", p.left, r.left},
	} {
		opened := false
		err := r.each(ctx, section.calls, section.make, func(c *call, made *part) error {
			r.open(w, p)
			if !begun {
				r.out.Name("rooms")
				r.out.Open('{')
			}
			if !opened {
				r.out.Name(section.name)
				r.out.Open('{')
			}
			begun, opened = true, true
			return r.writePart(ctx, c, made)
		})
		if err != nil {
			return err
		}
		if opened {
			r.out.Close('}')
		}
	}
	if begun {
		r.out.Close('}')
	}
	return nil
}

// prepared is what became of a call.
type prepared struct {
	part *part
	err  error
}

// prepare makes the part of one room. A panic becomes an error, so that one bad room costs one room.
func prepare(ctx context.Context, c *call, do func(context.Context, *call) (*part, error)) (out prepared) {
	defer func() {
		if p := recover(); p != nil {
			out = prepared{err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	made, err := do(ctx, c)
	return prepared{made, err}
}

// each prepares calls, a few at the same time, and writes in order those that have something to say. A room whose
// data is damaged is left out: one room must not keep a user from all others.
func (r *round) each(ctx context.Context, calls []*call, do func(context.Context, *call) (*part, error), write func(*call, *part) error) error {
	switch len(calls) {
	case 0:
		return nil
	case 1:
		return r.take(calls[0], prepare(ctx, calls[0], do), write)
	}
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	due := make(chan int, ahead)
	defer close(due)
	coming := make([]chan prepared, len(calls))
	for i := range coming {
		coming[i] = make(chan prepared, 1)
	}
	for i := range min(ahead, len(calls)) {
		due <- i
		workers.Go(func() {
			for i := range due {
				coming[i] <- prepare(ctx, calls[i], do)
			}
		})
	}
	for i, c := range calls {
		got := <-coming[i]
		if i+ahead < len(calls) {
			due <- i + ahead
		}
		if err := r.take(c, got, write); err != nil {
			return err
		}
	}
	return nil
}

func (r *round) take(c *call, got prepared, write func(*call, *part) error) error {
	switch {
	case got.err != nil && damaged(got.err):
		r.y.o.Log.Error("a room is left out of a sync", "room", string(c.room.ID), "err", got.err)
		return nil
	case got.err != nil || got.part == nil:
		return got.err
	}
	return write(c, got.part)
}

func (r *round) writePart(ctx context.Context, c *call, p *part) error {
	r.out.Name(string(c.room.ID))
	r.out.Open('{')
	if h := p.history; h != nil {
		if len(h.holes) == 0 {
			r.out.Raw(h.json)
		} else {
			r.buf = timeline.Fill(r.buf[:0], h.json, h.holes, r.stamp, r.session.Device)
			r.out.Raw(r.buf)
		}
		r.release(h)
		if h.long != nil {
			if err := r.writeLong(ctx, h.long); err != nil {
				return err
			}
		}
	}
	if len(p.json) > 0 {
		r.out.Raw(p.json)
	}
	r.out.Close('}')
	return nil
}

// statePage is how many state events are read at once.
const statePage = 256

// writeLong reads and writes state, page by page.
func (r *round) writeLong(ctx context.Context, long *longState) error {
	r.out.Name(long.name)
	r.out.Open('{')
	r.out.Name("events")
	r.out.Open('[')
	for entries := long.entries; len(entries) > 0; {
		page := entries[:min(statePage, len(entries))]
		entries = entries[len(page):]
		events, err := r.stateEvents(ctx, long.room, page)
		if err != nil {
			return err
		}
		view := r.view(nil)
		if err := r.y.timeline.Prepare(ctx, &view, events); err != nil {
			return err
		}
		for _, e := range events {
			r.buf = r.appendEvent(r.buf[:0], &view, e, "")
			r.out.Raw(r.buf)
		}
	}
	r.out.Close(']')
	r.out.Close('}')
	return nil
}

// view returns how events are rendered for the client.
func (r *round) view(holes *[]timeline.Hole) timeline.View {
	return timeline.View{
		User: r.session.User, Device: r.session.Device, Now: r.stamp, InSync: true,
		Federation: r.filter.EventFormat == "federation", Ignored: r.ignored, Holes: holes,
	}
}

func (r *round) appendEvent(dst []byte, view *timeline.View, e *store.Event, membership string) []byte {
	if len(r.filter.fields) > 0 {
		return pick(dst, view.Append(nil, e, membership), r.filter.fields)
	}
	return view.Append(dst, e, membership)
}

// appendName writes a member's name, after a comma unless it is the first since start.
func appendName(dst []byte, start int, name string) []byte {
	dst = appendComma(dst, start)
	return append(append(append(dst, '"'), name...), '"', ':')
}

// appendComma writes a comma unless nothing was written since start.
func appendComma(dst []byte, start int) []byte {
	if len(dst) > start {
		return append(dst, ',')
	}
	return dst
}

// appendData writes account data as a list of events.
func appendData(dst []byte, data []account.Datum) []byte {
	dst = append(dst, `{"events":[`...)
	start := len(dst)
	for _, d := range data {
		dst = append(appendComma(dst, start), `{"content":`...)
		dst = append(dst, d.Content...)
		dst = append(dst, `,"type":`...)
		dst = append(matrix.AppendString(dst, d.Type), '}')
	}
	return append(dst, `]}`...)
}

func appendBool(dst []byte, b bool) []byte { return strconv.AppendBool(dst, b) }
