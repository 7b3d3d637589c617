package primary

import (
	"slices"
	"time"
)

// seen remembers the updates of the last minutes by their marks. So one that comes a second time, because its reply was
// lost or because somebody recorded it, is answered the same and not carried out again (RFC 8945 §10).
type seen struct {
	marks []Mark // never changed in place
	floor int64  // what was signed before is refused: it may have been forgotten
}

// Mark is an UPDATE that was answered. The shell keeps marks for Remembered, so that a server that starts anew still
// knows what was done.
type Mark struct {
	MAC   [16]byte // the first bytes of its signature
	Time  int64    // when it was signed, in seconds since 1970
	Rcode int      // what it was answered
}

// Remembered is for how long after its Time an update could be sent again: then it is refused for its age.
const Remembered = maxFudge * time.Second

// maxMarks bounds what is remembered.
const maxMarks = 4096

// find returns what an update with this signature was answered.
func (s seen) find(g *signature) (rcode int, known bool) {
	i := slices.IndexFunc(s.marks, func(m Mark) bool { return m.Time == g.time && m.MAC == [16]byte(g.mac) })
	if i < 0 {
		return 0, false
	}
	return s.marks[i].Rcode, true
}

// with remembers an update.
func (s seen) with(now time.Time, m Mark) seen {
	marks := make([]Mark, 0, len(s.marks)+1)
	for _, old := range s.marks {
		if old.Time+maxFudge >= now.Unix() { // what is older is refused for its time
			marks = append(marks, old)
		}
	}
	if marks = append(marks, m); len(marks) > maxMarks {
		oldest := 0
		for i := range marks {
			if marks[i].Time < marks[oldest].Time {
				oldest = i
			}
		}
		s.floor = max(s.floor, marks[oldest].Time+1)
		marks = slices.Delete(marks, oldest, oldest+1)
	}
	s.marks = marks
	return s
}

// Remember returns the state that knows updates that were answered before it was made.
func (s *State) Remember(now time.Time, marks []Mark) *State {
	next := *s
	for _, m := range marks {
		if _, known := next.seen.find(&signature{time: m.Time, mac: m.MAC[:]}); !known && m.Time+maxFudge >= now.Unix() {
			next.seen = next.seen.with(now, m)
		}
	}
	return &next
}
