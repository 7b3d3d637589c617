package zone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

// Entry is one record set as storage keeps it; the package comment has the format. Without a value it says that the
// set is gone.
type Entry struct{ Key, Value []byte }

// Entries yields the zone as map entries, in the order of their keys.
func (z *Zone) Entries() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for c := z.root.seek(nil); c.entry() != nil; c.next() {
			e := c.entry()
			for _, s := range e.sets {
				if !yield(entryKey(e.key, s), entryValue(s)) {
					return
				}
			}
		}
	}
}

// EntriesOf yields the entries that differ between two versions, in the order of their keys, as b has them.
func EntriesOf(a, b *Zone) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		more := true
		for c := range changes(a, b) {
			eachPair(c.a, c.b, func(_, now RRset) {
				e := Entry{Key: entryKey(c.key, now)}
				if !now.Empty() {
					e.Value = entryValue(now)
				}
				more = more && yield(e)
			})
			if !more {
				return
			}
		}
	}
}

func entryKey(owner string, s RRset) []byte {
	key := make([]byte, 0, len(owner)+5)
	key = append(key, owner...)
	key = append(key, 0)
	key = binary.BigEndian.AppendUint16(key, s.Type)
	if s.Type == typeRRSIG {
		key = binary.BigEndian.AppendUint16(key, s.Covers)
	}
	return key
}

func entryValue(s RRset) []byte {
	value := make([]byte, 0, 4+len(s.data))
	value = binary.BigEndian.AppendUint32(value, s.TTL)
	return append(value, s.data...)
}

// Load returns the zone that has these entries, which may come in any order. It fails on anything that Entries never
// yields.
func Load(origin Name, entries iter.Seq2[[]byte, []byte]) (*Zone, error) {
	e := New(origin).Edit()
	for key, value := range entries {
		if err := e.SetEntry(key, value); err != nil {
			return nil, fmt.Errorf("loading the zone %s: %w", origin, err)
		}
	}
	return e.Zone(), nil
}

// SetEntry puts the record set of one entry in the place of the one that was there, or removes it if value is nil.
func (e *Edit) SetEntry(key, value []byte) error {
	owner, s, err := parseKey(key, e.zone.origin)
	if err != nil {
		return err
	}
	if value != nil {
		if err := parseValue(owner, &s, value); err != nil {
			return fmt.Errorf("the %s records of %s: %w", TypeName(s.Type), owner, err)
		}
	}
	return e.Replace(owner, s)
}

// parseKey reads the owner and the kind of a set.
func parseKey(key []byte, origin Name) (owner Name, s RRset, err error) {
	end := keyEnd(key)
	rest := key[end:]
	if len(rest) != 3 && len(rest) != 5 || rest[0] != 0 {
		return "", s, fmt.Errorf("%x is not the key of a record set", key)
	}
	s.Type = binary.BigEndian.Uint16(rest[1:])
	if len(rest) == 5 {
		s.Covers = binary.BigEndian.Uint16(rest[3:])
	}
	var again [keySize]byte
	owner, _ = NameOf([]byte(nameOfKey(string(key[:end]), origin))) // in lower case, so the keys are the same only if this one is
	if owner == "" || (len(rest) == 5) != (s.Type == typeRRSIG) || string(appendKey(again[:0], owner, origin)) != string(key[:end]) {
		return "", s, fmt.Errorf("%x is not the key of a record set", key)
	}
	return owner, s, nil
}

// keyEnd returns where an owner's key ends: before a label that is empty.
func keyEnd(key []byte) int {
	for at := 0; at < len(key); at++ {
		if key[at] == 0 && (at == 0 || key[at-1] == 0) {
			return at
		}
	}
	return len(key)
}

func parseValue(owner Name, s *RRset, value []byte) error {
	if len(value) < 6 {
		return errors.New("the entry is cut short")
	}
	s.TTL, s.data = binary.BigEndian.Uint32(value), string(value[4:])
	if !checkData(s.data) {
		return errors.New("the records are not well-formed, or not in canonical order")
	}
	for rdata := range s.All() {
		if covers(s.Type, rdata) != s.Covers {
			return errors.New("a signature is of another type than the key says")
		}
		r := Record{owner, s.Type, s.TTL, rdata}
		if err := r.check(); err != nil {
			return err
		}
		if canonical(s.Type, []byte(rdata)) != rdata {
			return errors.New("a record is not in canonical form")
		}
		if _, err := r.RR(); err != nil {
			return err
		}
	}
	return nil
}
