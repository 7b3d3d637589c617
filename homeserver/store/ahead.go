package store

import (
	"context"
	"sync"

	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

// changed holds the newest copies of events that were changed and are not durable yet, so that a room can build
// upon them.
type changed struct {
	mu     sync.RWMutex // guards events
	events map[eventKey]*changedEvent
}

type changedEvent struct {
	event *Event
	uses  int // changes that are under way
}

func (c *changed) add(e *Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := eventKey{e.Room, e.Order}
	if have := c.events[k]; have != nil {
		have.event = e
		have.uses++
		return
	}
	c.events[k] = &changedEvent{e, 1}
}

func (c *changed) remove(e *Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := eventKey{e.Room, e.Order}
	if have := c.events[k]; have != nil {
		if have.uses--; have.uses == 0 {
			delete(c.events, k)
		}
	}
}

func (c *changed) get(k eventKey) (*Event, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if have, ok := c.events[k]; ok {
		return have.event, true
	}
	return nil, false
}

// Ahead reads events as those who write must see them: with the changes that are appended and not durable yet.
type Ahead struct{ store *Store }

// Ahead returns what runs ahead of the disk. What is read by it must not be shown to anybody.
func (s *Store) Ahead() Ahead { return Ahead{s} }

func (a Ahead) get(k eventKey) (*Event, bool) {
	if e, ok := a.store.changed.get(k); ok {
		return e, true
	}
	return a.store.events.get(k)
}

// EventByID returns an event, nil if it is not known.
func (a Ahead) EventByID(ctx context.Context, id matrix.EventID) (*Event, error) {
	return a.store.eventByID(ctx, id, a.get)
}

// EventsAt returns the events at these orders of a room, nil for each that is absent.
func (a Ahead) EventsAt(ctx context.Context, room RoomNum, orders ...Order) ([]*Event, error) {
	return a.store.load(ctx, keysOf(room, orders), a.get)
}

// StateEvents returns the state events of these keys, nil for each that is absent.
func (a Ahead) StateEvents(ctx context.Context, room RoomNum, root blob.Hash, keys ...event.Key) ([]*Event, error) {
	return a.store.stateEvents(ctx, room, root, a.get, keys)
}
