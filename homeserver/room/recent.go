package room

import "hearth/matrix"

// recent remembers the answers of the newest requests by a key, so that a request which is repeated before the
// first one is durable gets the same answer.
type recent struct {
	answers map[string]matrix.EventID
	order   []string // a ring
	next    int
}

// maxRecent is far more than what can be under way in one room at once.
const maxRecent = 1024

func newRecent() recent { return recent{answers: make(map[string]matrix.EventID)} }

func (r *recent) get(key string) (matrix.EventID, bool) {
	id, ok := r.answers[key]
	return id, ok
}

func (r *recent) add(key string, id matrix.EventID) {
	if len(r.order) < maxRecent {
		r.order = append(r.order, key)
	} else {
		delete(r.answers, r.order[r.next])
		r.order[r.next] = key
		r.next = (r.next + 1) % maxRecent
	}
	r.answers[key] = id
}

func (r *recent) remove(key string) { delete(r.answers, key) }
