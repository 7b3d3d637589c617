package zone

import (
	"iter"
	"slices"
	"sort"
	"strings"
)

// RRset is the records of one owner and type. The zero RRset has none.
type RRset struct {
	Type   uint16
	Covers uint16 // the type that a set of RRSIG signs; otherwise 0
	TTL    uint32
	data   string
}

// maxSet is the greatest length of a record set in a message: what still fits one with its question and a signature.
// Each record has 12 bytes before its rdata there: a pointer to its owner, type, class, TTL and length.
const (
	maxSet  = 60 << 10
	perHead = 12
)

// fits reports whether all records of the set fit one message.
func (s RRset) fits() bool {
	return len(s.data) <= maxSet && (len(s.data)*perHead/2 <= maxSet || len(s.data)+(perHead-2)*s.Len() <= maxSet)
}

// Data returns the rdata of all records, each behind its length in two bytes, in canonical order.
func (s RRset) Data() string { return s.data }

// Empty reports whether the set has no records.
func (s RRset) Empty() bool { return s.data == "" }

// CutRdata cuts the first rdata from what Data returns.
func CutRdata(data string) (rdata, rest string) {
	if len(data) < 2 {
		return "", ""
	}
	n := 2 + (int(data[0])<<8 | int(data[1]))
	if n > len(data) {
		return "", ""
	}
	return data[2:n], data[n:]
}

func packRdata(rdata string) string {
	return string([]byte{byte(len(rdata) >> 8), byte(len(rdata))}) + rdata
}

// All yields each record's rdata.
func (s RRset) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for data := s.data; data != ""; {
			var rdata string
			if rdata, data = CutRdata(data); !yield(rdata) {
				return
			}
		}
	}
}

// Len returns how many records there are.
func (s RRset) Len() (n int) {
	for range s.All() {
		n++
	}
	return n
}

// Has reports whether a record with this rdata is in the set.
func (s RRset) Has(rdata string) bool {
	for have := range s.All() {
		if have == rdata {
			return true
		}
	}
	return false
}

// NewRRset returns the set of a type with these records, in any order; equal ones count once.
func NewRRset(typ uint16, ttl uint32, rdatas ...string) RRset {
	s := RRset{Type: typ, TTL: ttl}
	if len(rdatas) == 0 {
		return s
	}
	s.Covers = covers(typ, rdatas[0])
	if len(rdatas) == 1 {
		s.data = packRdata(rdatas[0])
		return s
	}
	var data []byte
	for _, rdata := range slices.Compact(slices.Sorted(slices.Values(rdatas))) {
		data = append(data, byte(len(rdata)>>8), byte(len(rdata)))
		data = append(data, rdata...)
	}
	s.data = string(data)
	return s
}

// with returns the set with one more record.
func (s RRset) with(rdata string) RRset {
	at := 0
	for data := s.data; data != ""; {
		have, rest := CutRdata(data)
		if have == rdata {
			return s
		}
		if have > rdata {
			break
		}
		at, data = len(s.data)-len(rest), rest
	}
	s.data = s.data[:at] + packRdata(rdata) + s.data[at:]
	return s
}

// without returns the set with one record less.
func (s RRset) without(rdata string) RRset {
	for data := s.data; data != ""; {
		have, rest := CutRdata(data)
		if have == rdata {
			s.data = s.data[:len(s.data)-len(data)] + rest
			break
		}
		data = rest
	}
	return s
}

// before orders the sets of one owner.
func (s RRset) before(t RRset) bool {
	return s.Type < t.Type || s.Type == t.Type && s.Covers < t.Covers
}

func (s RRset) sameKind(t RRset) bool { return s.Type == t.Type && s.Covers == t.Covers }

// replaced returns sets with s in its place, or without that kind if s is empty. The argument is not changed.
func replaced(sets []RRset, s RRset) []RRset {
	at := sort.Search(len(sets), func(i int) bool { return !sets[i].before(s) })
	rest := at
	if at < len(sets) && sets[at].sameKind(s) {
		rest++
	}
	out := make([]RRset, 0, len(sets)+1)
	out = append(out, sets[:at]...)
	if !s.Empty() {
		out = append(out, s)
	}
	return append(out, sets[rest:]...)
}

// checkData reports whether data is well-formed: whole records, in order, without duplicates.
func checkData(data string) bool {
	last, first := "", true
	for data != "" {
		if len(data) < 2 || 2+(int(data[0])<<8|int(data[1])) > len(data) {
			return false
		}
		var rdata string
		rdata, data = CutRdata(data)
		if !first && strings.Compare(last, rdata) >= 0 {
			return false
		}
		last, first = rdata, false
	}
	return true
}
