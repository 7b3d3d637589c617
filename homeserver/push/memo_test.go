package push

import "testing"

func TestMemo(t *testing.T) {
	generation := uint64(1)
	m := newMemo[string, int](3, func() uint64 { return generation })
	get := func(k string) (int, bool) { t.Helper(); v, ok, _ := m.get(k); return v, ok }
	_, ok, version := m.get("a")
	if ok {
		t.Error("an empty memo has a value")
	}
	m.put("a", version, 1)
	if v, ok := get("a"); !ok || v != 1 {
		t.Errorf("got %d %v", v, ok)
	}
	// What was read before a change, or while it was under way, is not kept.
	_, _, before := m.get("a")
	done := m.change("a")
	_, ok, during := m.get("a")
	if ok {
		t.Error("a value is there while it changes")
	}
	m.put("a", before, 2)
	m.put("a", during, 3)
	if _, ok := get("a"); ok {
		t.Error("a value was kept while it changed")
	}
	second := m.change("a")
	done()
	_, _, between := m.get("a")
	m.put("a", between, 4)
	second()
	m.put("a", before, 5)
	m.put("a", during, 6)
	if _, ok := get("a"); ok {
		t.Error("a value from before the change was kept")
	}
	_, _, after := m.get("a")
	m.put("a", after, 7)
	if v, _ := get("a"); v != 7 {
		t.Errorf("got %d", v)
	}
	// A write whose outcome was not known makes all of it doubtful.
	generation++
	if _, ok := get("a"); ok {
		t.Error("a value outlived the generation")
	}
	m.put("a", after, 8)
	if _, ok := get("a"); ok {
		t.Error("a value from before the generation was kept")
	}
}

func TestMemoIsBounded(t *testing.T) {
	m := newMemo[int, int](3, func() uint64 { return 1 })
	done := m.change(1000)
	_, _, version := m.get(1)
	for i := range 100 {
		m.get(i + 2)
	}
	if len(m.items) > 3 {
		t.Errorf("%d items", len(m.items))
	}
	if m.items[1000] == nil {
		t.Error("an item that changes was dropped")
	}
	// One that was dropped does not take what was read before.
	if m.items[1] == nil {
		m.put(1, version, 1)
		if _, ok, _ := m.get(1); ok {
			t.Error("kept for a dropped item")
		}
	}
	done()
}
