package badgerstore

import (
	"encoding/binary"
	"time"

	"hearth/storage/blob"
)

// maxSessionSeq is above every number that a batch may have, so that sums do not overflow.
const maxSessionSeq = 1 << 62

// session is what is remembered of a client's last batches, so that a resend is answered as before.
//
// Stored as varints: days since 1970, last, then for each batch of the window before last that was not applied, newest
// first: how many numbers it lies before the previous one (from last+1), and 0, or the length of the root's name and
// the name if it met a conflict.
type session struct {
	last   uint64            // highest number that was applied or met a conflict
	failed map[uint64]string // numbers of the window up to last that were not applied: the root's name, or ""
	day    int64             // of the last batch
}

// answer tells how a batch with this number was answered before; known is false if it never was.
func (s *session) answer(seq uint64) (err error, known bool) {
	if seq+blob.ResendWindow <= s.last {
		return blob.Errorf(blob.Invalid, "applying batch", "sequence number %d, %d was applied", seq, s.last), true
	}
	if seq > s.last {
		return nil, false
	}
	root, failed := s.failed[seq]
	switch {
	case !failed:
		return nil, true
	case root == "":
		return nil, false
	}
	return blob.Errorf(blob.Conflict, "editing root "+root, "as answered before"), true
}

// note records the answer to a batch: root is empty if it was applied.
func (s *session) note(seq uint64, root string, now time.Time) {
	if s.failed == nil {
		s.failed = make(map[uint64]string)
	}
	if seq > s.last {
		for n := max(s.last+1, windowStart(seq)); n < seq; n++ {
			s.failed[n] = ""
		}
		s.last = seq
	}
	delete(s.failed, seq)
	if root != "" {
		s.failed[seq] = root
	}
	for n := range s.failed {
		if n < windowStart(s.last) {
			delete(s.failed, n)
		}
	}
	s.day = now.Unix() / 86400
}

// windowStart returns the lowest number that can still be answered once last was.
func windowStart(last uint64) uint64 {
	if last <= blob.ResendWindow {
		return 1
	}
	return last - blob.ResendWindow + 1
}

func (s *session) append(buf []byte) []byte {
	buf = binary.AppendUvarint(buf, uint64(max(s.day, 0)))
	buf = binary.AppendUvarint(buf, s.last)
	if len(s.failed) == 0 {
		return buf
	}
	prev := s.last + 1
	for n := s.last; n >= windowStart(s.last); n-- {
		root, ok := s.failed[n]
		if !ok {
			continue
		}
		buf = binary.AppendUvarint(buf, prev-n)
		buf = binary.AppendUvarint(buf, uint64(len(root)))
		buf = append(buf, root...)
		prev = n
	}
	return buf
}

func readSession(data []byte) (*session, error) {
	next := func() uint64 {
		n, w := binary.Uvarint(data)
		if w <= 0 {
			data = nil
			return 0
		}
		data = data[w:]
		return n
	}
	day := next()
	s := &session{last: next(), day: int64(min(day, 1<<32))}
	if s.last == 0 || s.last >= maxSessionSeq {
		return nil, errShape
	}
	prev := s.last + 1
	for len(data) > 0 {
		back := next()
		if back == 0 || back >= prev || len(data) == 0 || prev-back < windowStart(s.last) {
			return nil, errShape
		}
		size := next()
		if size > uint64(len(data)) || size > blob.MaxName {
			return nil, errShape
		}
		if s.failed == nil {
			s.failed = make(map[uint64]string)
		}
		prev -= back
		s.failed[prev] = string(data[:size])
		data = data[size:]
	}
	return s, nil
}
