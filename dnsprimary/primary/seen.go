package primary

import (
	"slices"
	"time"
)

// seen remembers the updates of the last minutes by their MACs, so that one that was carried out is not carried out
// again when somebody sends it a second time (RFC 8945 §10). Times are seconds.
type seen struct {
	marks []mark // never changed in place
	floor int64  // what was signed before is refused: it may have been forgotten
}

type mark struct {
	mac  [16]byte
	time int64
}

// maxMarks bounds what is remembered.
const maxMarks = 4096

// with remembers a signature, and reports whether it is new.
func (s seen) with(now time.Time, g *signature) (seen, bool) {
	m := mark{time: g.time}
	copy(m.mac[:], g.mac)
	if g.time < s.floor || slices.Contains(s.marks, m) {
		return s, false
	}
	marks := make([]mark, 0, len(s.marks)+1)
	for _, old := range s.marks {
		if old.time+maxFudge >= now.Unix() { // what is older is refused for its time
			marks = append(marks, old)
		}
	}
	if marks = append(marks, m); len(marks) > maxMarks {
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
	return s, true
}
