package primary

import (
	"encoding/binary"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// writer writes a message, with names compressed against those before them.
type writer struct {
	buf    []byte
	limit  int // of buf; what does not fit is not written
	class  uint16
	counts [4]int
	spots  [maxSpots]spot
	used   int
}

// spot is a name that was written, and where.
type spot struct {
	name zone.Name
	at   int
}

// Limits of compression: how many names are remembered, and how far a pointer reaches (RFC 1035 §4.1.4).
const (
	maxSpots = 24
	reach    = 1 << 14
)

// begin starts a message with a header that finish completes, and the request's question.
func (w *writer) begin(r *request, question bool) {
	w.buf = append(w.buf[:0], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	w.counts, w.used = [4]int{}, 0
	if question && r.question > 0 {
		w.buf = append(w.buf, r.wire[headerSize:r.question]...)
		w.counts[0] = 1
		w.remember(r.name, headerSize)
	}
}

// finish fills in the header.
func (w *writer) finish(id, flags uint16) {
	binary.BigEndian.PutUint16(w.buf, id)
	binary.BigEndian.PutUint16(w.buf[2:], flags)
	for i, n := range w.counts {
		binary.BigEndian.PutUint16(w.buf[4+2*i:], uint16(n))
	}
}

func (w *writer) remember(name zone.Name, at int) {
	if w.used < maxSpots && at < reach && name != zone.Root {
		w.spots[w.used] = spot{name, at}
		w.used++
	}
}

// name writes a name: its labels up to what was written before, and a pointer to that.
func (w *writer) name(name zone.Name) {
	at := len(w.buf)
	best, to := len(name)-1, -1 // the last byte stands for the root; a pointer to it would be longer
	for i := range w.spots[:w.used] {
		s := &w.spots[i]
		if s.name == name {
			best, to = 0, s.at
			break
		}
		if cut, off := tail(name, s.name); cut < best {
			best, to = cut, s.at+off
		}
	}
	w.buf = append(w.buf, name[:best]...)
	if to < 0 {
		w.buf = append(w.buf, 0)
	} else {
		w.buf = append(w.buf, 0xc0|byte(to>>8), byte(to))
	}
	if best > 0 {
		w.remember(name, at)
	}
}

// tail returns where the longest common end of two names begins in each; never inside a label.
func tail(a, b zone.Name) (inA, inB int) {
	same := 0
	for same < len(a) && same < len(b) && a[len(a)-1-same] == b[len(b)-1-same] {
		same++
	}
	for inA < len(a)-same {
		inA += 1 + int(a[inA])
	}
	want := len(b) - (len(a) - inA)
	for inB < want {
		inB += 1 + int(b[inB])
	}
	for inB > len(b)-(len(a)-inA) { // the bytes are the same by chance, but not the labels: go on with a shorter end
		inA += 1 + int(a[inA])
		if inA >= len(a) {
			return len(a), len(b)
		}
		for want = len(b) - (len(a) - inA); inB < want; {
			inB += 1 + int(b[inB])
		}
	}
	return inA, inB
}

// record writes one record and reports whether it fits.
func (w *writer) record(section int, owner zone.Name, typ uint16, ttl uint32, rdata string) bool {
	start, used := len(w.buf), w.used
	w.name(owner)
	w.buf = append(w.buf, byte(typ>>8), byte(typ), byte(w.class>>8), byte(w.class),
		byte(ttl>>24), byte(ttl>>16), byte(ttl>>8), byte(ttl), 0, 0)
	from := len(w.buf)
	w.rdata(typ, rdata)
	if len(w.buf) > w.limit {
		w.buf, w.used = w.buf[:start], used
		return false
	}
	binary.BigEndian.PutUint16(w.buf[from-2:], uint16(len(w.buf)-from))
	w.counts[section]++
	return true
}

// rdata writes what a record says. Its names are remembered even where they may not be compressed themselves, since
// addresses of the same names often follow.
func (w *writer) rdata(typ uint16, rdata string) {
	begin, end, compress := zone.Names(typ, rdata)
	if !compress {
		at := len(w.buf)
		w.buf = append(w.buf, rdata...)
		if end > begin && singleName(typ) {
			w.remember(zone.Name(rdata[begin:end]), at+begin)
		}
		return
	}
	w.buf = append(w.buf, rdata[:begin]...)
	for names := rdata[begin:end]; names != ""; {
		n := 0
		for names[n] != 0 {
			n += 1 + int(names[n])
		}
		w.name(zone.Name(names[:n+1]))
		names = names[n+1:]
	}
	w.buf = append(w.buf, rdata[end:]...)
}

// set writes a whole record set, or nothing, and reports whether it fits.
func (w *writer) set(section int, owner zone.Name, s zone.RRset) bool {
	start, used, count := len(w.buf), w.used, w.counts[section]
	for data := s.Data(); data != ""; {
		var rdata string
		rdata, data = zone.CutRdata(data)
		if !w.record(section, owner, s.Type, s.TTL, rdata) {
			w.buf, w.used, w.counts[section] = w.buf[:start], used, count
			return false
		}
	}
	return true
}

// singleName reports whether the names in an rdata that is not compressed are one name that addresses may follow.
func singleName(typ uint16) bool {
	return typ == dns.TypeSRV || typ == dns.TypeSVCB || typ == dns.TypeHTTPS
}
