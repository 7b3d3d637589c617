package store

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

func wantHex(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if w := strings.ReplaceAll(want, " ", ""); hex.EncodeToString(got) != w {
		t.Errorf("%s is %x, want %s", what, got, w)
	}
}

// wantEvent compares all that a record holds.
func wantEvent(t *testing.T, got, want *Event) {
	t.Helper()
	if got == nil {
		t.Fatalf("no event, want %s", want.ID)
	}
	a, b := *got, *want
	if a.ID != b.ID || string(a.JSON) != string(b.JSON) || a.Version != b.Version {
		t.Errorf("event %s %s, want %s %s", a.ID, a.JSON, b.ID, b.JSON)
	}
	a.Event, b.Event = nil, nil
	if !reflect.DeepEqual(a, b) {
		t.Errorf("event %+v, want %+v", a, b)
	}
}

// The examples of the package comment.
func TestRecordExamples(t *testing.T) {
	wantHex(t, "note", appendNote(nil, &Note{Kind: KindEvent, Room: 7, Order: 3}), "01 07 06")
	zero := strings.Repeat("00", blob.HashSize)
	room := &Room{Num: 1, ID: "!r:x", Version: version(t, "1"), Joined: 1, Changed: 9}
	wantHex(t, "room", appendRoom(nil, room), "00 04 21 72 3a 78 01 31"+zero+"02 00 09")
	e := &Event{Event: &event.Event{Version: version(t, "1"), ID: "$e:x", JSON: []byte("{}")}, Pos: 9}
	wantHex(t, "event", appendEvent(nil, e), "00 09 01 31 04 24 65 3a 78"+zero+"7b7d")
	wantHex(t, "aggregate", appendAggregate(nil, &Aggregate{Edit: 5, Annotations: 2}), "0a 00 00 00 04")
	m := &Membership{Membership: "join", Order: 2, Since: 2, Pos: 9}
	wantHex(t, "membership", appendMembership(nil, m), "04 6a 6f 69 6e 00 04 04 09 00")
	wantHex(t, "state key", stateKey(event.Key{Type: "t", StateKey: "k"}), "01 74 6b")
	wantHex(t, "state value", stateValue(3, "$e:x"), "80 00 00 00 00 00 00 03 24 65 3a 78")
}

func TestNoteRecords(t *testing.T) {
	for _, n := range []Note{
		{Pos: 1}, {Pos: 2, Kind: KindEvent, Room: 1 << 40, Order: -5}, {Pos: 3, Kind: KindProfile, User: "@a:x"},
		{Pos: 4, Kind: KindToDevice, User: "@a:x", Device: "D"}, {Pos: 5, Kind: KindReceipt, Room: 300, User: "@a:x"},
		{Pos: 6, Kind: KindRedacted, Room: 1, Order: MaxOrder}, {Pos: 7, Kind: KindDevices, Device: "D"},
	} {
		got, err := readNote(n.Pos, appendNote(nil, &n))
		if err != nil || got != n {
			t.Errorf("read %+v, %v; want %+v", got, err, n)
		}
	}
}

func TestEventRecords(t *testing.T) {
	plain := message(t, 4, 2)
	state := ""
	for _, e := range []*Event{
		plain,
		{Event: plain.Event, Room: 4, Order: -3, Pos: 1 << 50, SoftFailed: true},
		{Event: plain.Event, Room: 4, Order: 1, Rejected: true, Before: blob.Sum(nil), After: blob.Sum(nil)},
		{Event: testEvent(t, 4, 9, "m.room.name", &state, "x").Event, Room: 4, Order: 9, After: blob.Sum(nil), Replaces: -8, RedactedBy: 12},
		{Event: plain.Event, Room: 4, Order: 1, Device: "", Txn: "t"},
		{Event: plain.Event, Room: 4, Order: 1, Device: "D\x00", Txn: strings.Repeat("t", 500)},
	} {
		got, err := readEvent(e.Room, e.Order, appendEvent(nil, e))
		must(t, err)
		wantEvent(t, got, e)
	}
}

func TestRoomRecords(t *testing.T) {
	for _, r := range []*Room{
		{Num: 1, ID: "!r:x", Version: version(t, "11")},
		{Num: 2, ID: "!" + matrix.RoomID(strings.Repeat("x", 254)), Version: version(t, "12"), State: blob.Sum(nil),
			Joined: 50_000, Invited: -1, Changed: 1 << 60, Heads: []Order{5, -7, MaxOrder - 1}, Deleted: true},
	} {
		got, err := readRoom(r.Num, appendRoom(nil, r))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("read %+v, %v; want %+v", got, err, r)
		}
	}
	if _, err := readRoom(1, appendRoom(nil, &Room{ID: "!r:x", Version: &matrix.RoomVersion{Version: "none"}})); err == nil {
		t.Error("a room of unknown version was read")
	}
}

func TestMembershipRecords(t *testing.T) {
	for _, m := range []*Membership{
		{Room: 1, Membership: "ban"},
		{Room: 9, Membership: "leave", Previous: "join", Order: 1 << 40, Since: -4, Pos: 1 << 60, Forgotten: true, Ended: 8, Left: blob.Sum(nil)},
	} {
		got, err := readMembership(m.Room, appendMembership(nil, m))
		if err != nil || *got != *m {
			t.Errorf("read %+v, %v; want %+v", got, err, m)
		}
	}
}

func TestOrdersSortInKeys(t *testing.T) {
	orders := []Order{MinOrder, -1 << 40, -2, -1, 0, 1, 2, 1 << 40, MaxOrder}
	last := ""
	for _, o := range orders {
		k := string(Place(7, o))
		if k <= last {
			t.Errorf("order %d does not sort after the one before", o)
		}
		if last = k; readOrder([]byte(k)[8:]) != o {
			t.Errorf("order %d reads as %d", o, readOrder([]byte(k)[8:]))
		}
	}
}

// Whatever a record holds, reading it does not panic, and what was read can be written and read again.
func FuzzRecords(f *testing.F) {
	f.Add(appendNote(nil, &Note{Kind: KindToDevice, Room: 1, Order: 2, User: "@a:x", Device: "D"}))
	f.Add(appendRoom(nil, &Room{ID: "!r:x", Version: version(f, "10"), Heads: []Order{1, 2}}))
	f.Add(appendEvent(nil, message(f, 1, 1)))
	f.Add(appendAggregate(nil, &Aggregate{Edit: 1, References: 4}))
	f.Add(appendMembership(nil, &Membership{Membership: "join", Ended: 4}))
	f.Add([]byte("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := readNote(1, data); err == nil {
			again, err := readNote(1, appendNote(nil, &n))
			if err != nil || again != n {
				t.Errorf("note %+v reads as %+v, %v", n, again, err)
			}
		}
		if r, err := readRoom(1, data); err == nil {
			again, err := readRoom(1, appendRoom(nil, r))
			if err != nil || !reflect.DeepEqual(again, r) {
				t.Errorf("room %+v reads as %+v, %v", r, again, err)
			}
		}
		if a, err := readAggregate(data); err == nil {
			again, err := readAggregate(appendAggregate(nil, a))
			if err != nil || *again != *a {
				t.Errorf("aggregate %+v reads as %+v, %v", a, again, err)
			}
		}
		if m, err := readMembership(1, data); err == nil && (m.Ended != 0 || m.Left.IsZero()) {
			again, err := readMembership(1, appendMembership(nil, m))
			if err != nil || *again != *m {
				t.Errorf("membership %+v reads as %+v, %v", m, again, err)
			}
		}
		if e, err := readEvent(1, 1, data); err == nil {
			e.Size()
			if _, err := readEvent(1, 1, appendEvent(nil, e)); err != nil {
				t.Errorf("an event cannot be read again: %v", err)
			}
		}
		if k, err := readStateKey(data); err == nil {
			if again, err := readStateKey(stateKey(k)); err != nil || again != k {
				t.Errorf("state key %+v reads as %+v, %v", k, again, err)
			}
		}
		if _, _, err := readStateValue(data); err == nil && len(data) < 8 {
			t.Error("a short state value was read")
		}
	})
}
