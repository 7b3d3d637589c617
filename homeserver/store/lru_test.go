package store

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func TestLRU(t *testing.T) {
	c := newLRU[int, int](100)
	for i := range 10 {
		c.put(i, i, 20)
		c.get(0) // used again and again
	}
	if len(c.items) != 5 || c.order.Len() != 5 || c.used != 100 {
		t.Errorf("%d items, %d bytes", len(c.items), c.used)
	}
	for i, want := range []bool{true, false, false, false, false, false, true, true, true, true} {
		if v, ok := c.get(i); ok != want || ok && v != i {
			t.Errorf("%d: %d, %v", i, v, ok)
		}
	}
	c.put(9, 99, 90) // a value that grew drives out others
	if v, _ := c.get(9); v != 99 || c.used > 100 {
		t.Errorf("value %d, %d bytes", v, c.used)
	}
	c.put(1, 1, 1000) // what is larger than all is kept alone
	if len(c.items) != 1 {
		t.Errorf("%d items", len(c.items))
	}
	c.clear()
	if _, ok := c.get(1); ok || c.used != 0 {
		t.Error("not empty")
	}
}

// The bound holds whatever is done.
func TestLRUBound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := newLRU[int, int](1000)
	for range 20_000 {
		k, size := r.IntN(100), 1+r.IntN(200)
		switch r.IntN(5) {
		case 0:
			c.get(k)
		case 1:
			c.put(k, k, size)
		case 2:
			c.replace(k, k, size)
		case 3:
			c.add(c.now(), k, k, size)
		case 4:
			if r.IntN(100) == 0 {
				c.clear()
			}
		}
		sum := 0
		for e := c.order.Front(); e != nil; e = e.Next() {
			sum += e.Value.(*lruItem[int, int]).size
		}
		if sum != c.used || sum > 1000 || len(c.items) != c.order.Len() {
			t.Fatalf("%d bytes, counted %d, %d items, %d in order", sum, c.used, len(c.items), c.order.Len())
		}
	}
}

// What was read before a value was replaced never takes its place.
func TestLRUAddIsNotStale(t *testing.T) {
	c := newLRU[int, int](1 << 20)
	epoch := c.now()
	c.replace(1, 2, 1)
	c.add(epoch, 1, 1, 1)
	c.add(epoch, 2, 1, 1)
	if v, _ := c.get(1); v != 2 {
		t.Errorf("value %d", v)
	}
	if _, ok := c.get(2); ok {
		t.Error("added what may be stale")
	}
	c.clear()
	c.add(epoch, 1, 1, 1)
	if _, ok := c.get(1); ok {
		t.Error("added what was read before the cache was cleared")
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 2000 {
				epoch := c.now()
				v, _ := c.get(7)
				c.add(epoch, 7, v, 1)
			}
		})
	}
	for i := range 2000 {
		c.replace(7, i, 1)
	}
	wait.Wait()
	if v, _ := c.get(7); v != 1999 {
		t.Errorf("value %d", v)
	}
}
