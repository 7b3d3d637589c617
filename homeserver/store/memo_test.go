package store

import "testing"

func TestMemo(t *testing.T) {
	generation := uint64(1)
	m := newMemo[string, int](3, func() uint64 { return generation })
	get := func(k string) (int, bool) { t.Helper(); v, ok, _ := m.Get(k); return v, ok }
	_, ok, version := m.Get("a")
	if ok {
		t.Error("an empty memo has a value")
	}
	m.Put("a", version, 1)
	if v, ok := get("a"); !ok || v != 1 {
		t.Errorf("got %d %v", v, ok)
	}
	// What was read before a change, or while it was under way, is not kept.
	_, _, before := m.Get("a")
	done := m.Change("a")
	_, ok, during := m.Get("a")
	if ok {
		t.Error("a value is there while it changes")
	}
	m.Put("a", before, 2)
	m.Put("a", during, 3)
	if _, ok := get("a"); ok {
		t.Error("a value was kept while it changed")
	}
	second := m.Change("a")
	done()
	_, _, between := m.Get("a")
	m.Put("a", between, 4)
	second()
	m.Put("a", before, 5)
	m.Put("a", during, 6)
	if _, ok := get("a"); ok {
		t.Error("a value from before the change was kept")
	}
	_, _, after := m.Get("a")
	m.Put("a", after, 7)
	if v, _ := get("a"); v != 7 {
		t.Errorf("got %d", v)
	}
	// A write whose outcome was not known makes all of it doubtful.
	generation++
	if _, ok := get("a"); ok {
		t.Error("a value outlived the generation")
	}
	m.Put("a", after, 8)
	if _, ok := get("a"); ok {
		t.Error("a value from before the generation was kept")
	}
}

func TestMemoIsBounded(t *testing.T) {
	m := newMemo[int, int](3, func() uint64 { return 1 })
	done := m.Change(1000)
	_, _, version := m.Get(1)
	for i := range 100 {
		m.Get(i + 2)
	}
	if len(m.items) > 3 {
		t.Errorf("%d items", len(m.items))
	}
	if m.items[1000] == nil {
		t.Error("an item that changes was dropped")
	}
	// One that was dropped does not take what was read before.
	if m.items[1] == nil {
		m.Put(1, version, 1)
		if _, ok, _ := m.Get(1); ok {
			t.Error("kept for a dropped item")
		}
	}
	done()
}
