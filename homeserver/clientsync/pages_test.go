package clientsync

import (
	"testing"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/storage/blob"
)

func TestPagesAreBounded(t *testing.T) {
	c := newPages[int, string](10000)
	for i := range 100 {
		c.put(i, "x", store.Pos(i), 200)
		c.get(0)
	}
	if c.used > c.limit || len(c.items) != c.order.Len() {
		t.Errorf("%d bytes, %d items, %d in order", c.used, len(c.items), c.order.Len())
	}
	if _, _, ok := c.get(0); !ok {
		t.Error("what is used most is gone")
	}
	if _, _, ok := c.get(50); ok {
		t.Error("what is not used is there")
	}
	c.put(0, "y", 7, 100)
	if v, pos, _ := c.get(0); v != "y" || pos != 7 {
		t.Errorf("%s at %d", v, pos)
	}
	c.put(1000, "large", 1, c.limit/2)
	if _, _, ok := c.get(1000); ok {
		t.Error("one page may take the place of many")
	}
}

func TestSentMembers(t *testing.T) {
	s := newSentMembers()
	session := account.Session{User: ann, Device: "D"}
	set := s.of(session, true)
	k := sentMember{1, ben}
	root, other := blob.Hash{1}, blob.Hash{2}
	set.add(k, sentEvent{order: 5, pos: 100, root: root})
	if set.knowsIn(k, root, 99) || set.knows(k, 5, root, 99) {
		t.Error("known although the answer was not acknowledged")
	}
	if !set.knowsIn(k, root, 100) || set.knowsIn(k, other, 100) {
		t.Error("known by the state")
	}
	if set.knows(k, 6, other, 100) || !set.knows(k, 5, other, 100) || !set.knowsIn(k, other, 100) {
		t.Error("known by the event")
	}
	if s.of(session, false) != set || s.of(session, true) == set {
		t.Error("a sync from the beginning begins anew")
	}
	for i := range maxSent + 10 {
		set.add(sentMember{store.RoomNum(i), ann}, sentEvent{})
	}
	if len(set.members) > maxSent {
		t.Errorf("%d members", len(set.members))
	}
	for i := range maxSentSets + 10 {
		s.of(account.Session{User: ann, Device: string(rune('a' + i))}, false)
	}
	if len(s.sets) > maxSentSets {
		t.Errorf("%d sets", len(s.sets))
	}
}
