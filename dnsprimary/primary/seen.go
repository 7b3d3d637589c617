package primary

import (
	"slices"
	"time"
)

// seen remembers the updates of the last minutes by their MACs, with what they were answered. So one that comes a second
// time, because its reply was lost or because somebody recorded it, is answered the same and not carried out again
// (RFC 8945 §10). Times are seconds.
type seen struct {
	marks []mark // never changed in place
	floor int64  // what was signed before is refused: it may have been forgotten
}

type mark struct {
	mac   [16]byte
	time  int64
	rcode int
}

// maxMarks bounds what is remembered.
const maxMarks = 4096

// find returns what an update with this signature was answered.
func (s seen) find(g *signature) (rcode int, known bool) {
	i := slices.IndexFunc(s.marks, func(m mark) bool { return m.time == g.time && m.mac == [16]byte(g.mac) })
	if i < 0 {
		return 0, false
	}
	return s.marks[i].rcode, true
}

// with remembers an update.
func (s seen) with(now time.Time, g *signature, rcode int) seen {
	marks := make([]mark, 0, len(s.marks)+1)
	for _, old := range s.marks {
		if old.time+maxFudge >= now.Unix() { // what is older is refused for its time
			marks = append(marks, old)
		}
	}
	if marks = append(marks, mark{[16]byte(g.mac), g.time, rcode}); len(marks) > maxMarks {
		oldest := 0
		for i := range marks {
			if marks[i].time < marks[oldest].time {
				oldest = i
			}
		}
		s.floor = max(s.floor, marks[oldest].time+1)
		marks = slices.Delete(marks, oldest, oldest+1)
	}
	s.marks = marks
	return s
}
