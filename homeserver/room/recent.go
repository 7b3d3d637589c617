package room

import (
	"hearth/homeserver/store"
	"hearth/matrix"
)

// recent remembers the answers of the newest requests by a key, so that a request which is repeated before the
// first one is durable gets the same answer. What is durable may be forgotten: it is found on the disk.
type recent struct {
	answers map[string]answer
	limit   int
	forgot  uint64 // the moment at which answers were forgotten last
}

type answer struct {
	id  matrix.EventID
	pos store.Pos
}

// minRecent is how many answers are remembered before it is looked at whether they are durable.
const minRecent = 64

func (r *recent) get(key string) (matrix.EventID, bool) {
	a, ok := r.answers[key]
	return a.id, ok
}

// add remembers an answer whose change takes the position pos. It may forget those up to durable.
func (r *recent) add(key string, id matrix.EventID, pos store.Pos, rs *Rooms) {
	if r.answers == nil {
		r.answers = make(map[string]answer)
	}
	if len(r.answers) >= max(r.limit, minRecent) {
		r.forget(rs.store.Durable())
		r.forgot = rs.moment.Add(1)
		r.limit = 2 * len(r.answers)
	}
	r.answers[key] = answer{id, pos}
}

func (r *recent) forget(durable store.Pos) {
	for key, a := range r.answers {
		if a.pos <= durable {
			delete(r.answers, key)
		}
	}
}

func (r *recent) remove(key string) { delete(r.answers, key) }
