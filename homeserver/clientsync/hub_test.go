package clientsync

import (
	"fmt"
	"slices"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

const ann, ben = matrix.UserID("@ann:here.example"), matrix.UserID("@ben:here.example")

// message is the note of a message in a room.
func message(pos store.Pos, room store.RoomNum, order store.Order) store.Note {
	return store.Note{Pos: pos, Kind: store.KindEvent, Room: room, Order: order, Event: &store.Event{Event: &event.Event{Type: "m.room.message"}}}
}

// member is the note of a member event.
func member(pos store.Pos, room store.RoomNum, order store.Order, user matrix.UserID, membership string) store.Note {
	key := string(user)
	e := &event.Event{Type: "m.room.member", StateKey: &key, Content: []byte(`{"membership":"` + membership + `"}`)}
	return store.Note{Pos: pos, Kind: store.KindEvent, Room: room, Order: order, Event: &store.Event{Event: e}}
}

// known watches for a user who has joined rooms.
func known(h *hub, user matrix.UserID, rooms ...store.RoomNum) *watch {
	w := h.acquire(user)
	var list []*store.Membership
	for _, r := range rooms {
		list = append(list, &store.Membership{Room: r, Membership: "join"})
	}
	h.keep(w, list, h.standing(w).changed)
	return w
}

func woken(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestHubWakes(t *testing.T) {
	for _, c := range []struct {
		name string
		note store.Note
		want bool
	}{
		{"a message in the room", message(11, 1, 1), true},
		{"a message elsewhere", message(11, 2, 1), false},
		{"an older event, fetched later", message(11, 1, -1), false},
		{"a redaction", store.Note{Pos: 11, Kind: store.KindRedacted, Room: 1}, true},
		{"a receipt", store.Note{Pos: 11, Kind: store.KindReceipt, Room: 1, User: ben}, true},
		{"a receipt elsewhere", store.Note{Pos: 11, Kind: store.KindReceipt, Room: 2, User: ann}, false},
		{"account data", store.Note{Pos: 11, Kind: store.KindAccountData, User: ann}, true},
		{"another's account data in the room", store.Note{Pos: 11, Kind: store.KindAccountData, User: ben, Room: 1}, false},
		{"rules", store.Note{Pos: 11, Kind: store.KindPushRules, User: ann}, true},
		{"a message to a device", store.Note{Pos: 11, Kind: store.KindToDevice, User: ann}, true},
		{"devices", store.Note{Pos: 11, Kind: store.KindDevices, User: ann}, true},
		{"a room forgotten", store.Note{Pos: 11, Kind: store.KindForgotten, User: ann, Room: 2}, true},
		{"an invite", member(11, 2, 5, ann, "invite"), true},
		{"another's invite", member(11, 2, 5, ben, "invite"), false},
		{"something else", store.Note{Pos: 11, Kind: store.KindOther}, false},
	} {
		h := newHub(10, 1)
		w := known(h, ann, 1)
		wake, done := h.await(w, 10, 1)
		h.take([]store.Note{c.note})
		if got := woken(wake); got != c.want {
			t.Errorf("%s: woken %v", c.name, got)
		}
		done()
		// Who begins to wait only now is told at once, or waits too.
		wake, done = h.await(w, 10, 1)
		if got := woken(wake); got != c.want {
			t.Errorf("%s: woken %v when asked later", c.name, got)
		}
		done()
		if wake, done = h.await(w, 11, 1); woken(wake) {
			t.Errorf("%s: woken by what is known", c.name)
		}
		done()
	}
}

// TestHubFollowsMemberships lets rooms wake whoever is in them.
func TestHubFollowsMemberships(t *testing.T) {
	h := newHub(10, 1)
	w := known(h, ann)
	h.take([]store.Note{member(11, 1, 5, ann, "join"), message(12, 1, 6)})
	if s := h.standing(w); s.known || s.pos != 12 {
		t.Errorf("standing %+v", s)
	}
	wake, done := h.await(w, 12, 1)
	h.take([]store.Note{message(13, 1, 7)})
	if !woken(wake) {
		t.Error("a room joined wakes nobody")
	}
	done()
	h.take([]store.Note{member(14, 1, 8, ann, "leave")})
	wake, done = h.await(w, 14, 1)
	h.take([]store.Note{message(15, 1, 9)})
	if woken(wake) || len(h.rooms) > 0 {
		t.Error("a room left wakes who has left it")
	}
	done()
	// Memberships that were read before a change are not kept.
	before := h.standing(w).changed
	h.take([]store.Note{member(16, 2, 1, ann, "invite")})
	h.keep(w, nil, before)
	if h.standing(w).known {
		t.Error("kept what was read before the change")
	}
	// An event that cannot be read may have been anybody's.
	h.keep(w, nil, h.standing(w).changed)
	h.take([]store.Note{{Pos: 17, Kind: store.KindEvent, Room: 9, Order: 1}})
	if h.standing(w).known {
		t.Error("a damaged event changed no membership")
	}
}

func TestTails(t *testing.T) {
	h := newHub(10, 1)
	// A room that comes to be watched in the middle of a page of notes is known only from there.
	ann_, ben_ := known(h, ann), known(h, ben)
	h.take([]store.Note{message(11, 1, 1), member(12, 1, 2, ann, "join"), message(13, 1, 3)})
	if _, ok := h.newest(1, 10, 13); ok {
		t.Error("the tail says that it has what came before the room was watched")
	}
	if got, ok := h.newest(1, 12, 13); !ok || !slices.Equal(got, []store.Order{3}) {
		t.Errorf("newest %d %v", got, ok)
	}
	// It is the same for whoever comes later.
	h.take([]store.Note{member(14, 1, 4, ben, "join")})
	if _, ok := h.newest(1, 11, 14); ok {
		t.Error("the tail begins too early")
	}
	for i := range 2 * maxTail {
		h.take([]store.Note{message(store.Pos(15+i), 1, store.Order(5+i))})
		for since := store.Pos(12); since <= store.Pos(15+i); since++ {
			got, ok := h.newest(1, since, store.Pos(15+i))
			if !ok {
				if store.Pos(15+i)-since < maxTail/2 {
					t.Fatalf("at %d nothing is known since %d", 15+i, since)
				}
				continue
			}
			if len(got) != int(store.Pos(15+i)-since) || len(got) > 0 && (got[0] != store.Order(since-9) || got[len(got)-1] != store.Order(5+i)) {
				t.Fatalf("at %d since %d: %d", 15+i, since, got)
			}
		}
	}
	if got, _ := h.newest(1, 140, 141); len(got) != 1 {
		t.Errorf("up to now: %d", got)
	}
	h.take([]store.Note{member(200, 1, 200, ann, "leave"), member(201, 1, 201, ben, "leave")})
	if len(h.rooms) != 0 {
		t.Error("a room that nobody watches is remembered")
	}
	h.release(ann_)
	h.release(ben_)
}

func TestHubBounds(t *testing.T) {
	h := newHub(1, 1)
	w := known(h, ann, 1)
	// When too many rooms have changed the hub forgets, and says so.
	pos := store.Pos(1)
	for room := range maxChanged + 1 {
		pos++
		h.take([]store.Note{message(pos, store.RoomNum(room+100), 1)})
	}
	if len(h.changes) > maxChanged || h.start != pos {
		t.Errorf("%d changes, start %d", len(h.changes), h.start)
	}
	if !h.eventsSince(1, pos-1) || !h.userSince(ann, pos-1) || !h.receiptsSince(1, pos-1) || h.eventsSince(1, pos) {
		t.Error("the hub does not say what it has forgotten")
	}
	wake, done := h.await(w, pos-1, 1)
	if !woken(wake) {
		t.Error("who waits since before that is not woken")
	}
	done()
	h.release(w)
	// Users who do not sync are forgotten, those who do are not.
	kept := known(h, ben, 1, 2, 3)
	for i := range maxWatches + 100 {
		h.release(known(h, matrix.UserID(fmt.Sprint("@u", i, ":x")), 7))
	}
	if len(h.watches) > maxWatches || h.watches[ben] != kept {
		t.Errorf("%d watches", len(h.watches))
	}
	var many []store.RoomNum
	for i := range maxMemberships / 4 {
		many = append(many, store.RoomNum(i+1))
	}
	for i := range 10 {
		h.release(known(h, matrix.UserID(fmt.Sprint("@m", i, ":x")), many...))
	}
	weight, inRooms := 0, 0
	for _, w := range h.watches {
		weight += len(w.memberships)
	}
	for _, r := range h.rooms {
		inRooms += len(r.watches)
	}
	if h.weight != weight || weight > maxMemberships || inRooms != weight {
		t.Errorf("weight %d, really %d, in rooms %d", h.weight, weight, inRooms)
	}
	if wake, done = h.await(kept, pos, 1); woken(wake) {
		t.Error("woken for nothing")
	}
	h.take([]store.Note{message(pos+1, 3, 1)})
	if !woken(wake) {
		t.Error("who was kept is not woken")
	}
	done()
}

func TestHubClose(t *testing.T) {
	h := newHub(1, 1)
	w := known(h, ann, 1)
	wake, done := h.await(w, 1, 1)
	_, moved, _ := h.at()
	h.close()
	h.close()
	if !woken(wake) || !woken(moved) {
		t.Error("who waits is not woken")
	}
	done()
	if wake, done = h.await(w, 1, 1); !woken(wake) {
		t.Error("one can wait for what is closed")
	}
	done()
	h.take([]store.Note{message(2, 1, 1)})
	if _, _, closed := h.at(); !closed {
		t.Error("not closed")
	}
}

func TestVisits(t *testing.T) {
	h := newHub(10, 1)
	w := known(h, ann, 1, 2, 3, 4)
	h.take([]store.Note{message(11, 1, 1), {Pos: 12, Kind: store.KindReceipt, Room: 2, User: ben}, message(13, 9, 1)})
	h.mu.Lock()
	h.typing.rooms[3] = &typingRoom{seq: 2}
	h.typing.seq = 2
	h.mu.Unlock()
	list := h.standing(w).memberships
	got := map[store.RoomNum]visit{}
	for _, v := range h.visits(list, token{pos: 10, typing: 1}) {
		got[v.m.Room] = v
	}
	if len(got) != 3 || !got[1].events || got[1].receipts || !got[2].receipts || got[2].events || !got[3].typing || got[3].events {
		t.Errorf("visits %+v", got)
	}
	if v := h.visits(list, token{pos: 13, typing: 2}); len(v) != 0 {
		t.Errorf("visits %+v", v)
	}
	if v := h.visits(list, token{pos: 9, typing: 2}); len(v) != 4 {
		t.Errorf("from before the start: %+v", v)
	}
}
