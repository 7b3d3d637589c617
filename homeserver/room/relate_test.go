package room

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
)

func relating(relType string, parent matrix.EventID, more string) string {
	return fmt.Sprintf(`{"body":"x","m.relates_to":{"event_id":%q,"rel_type":%q%s}%s}`, parent, relType, "", more)
}

func (w *world) relate(r *store.Room, sender matrix.UserID, typ, content string) *store.Event {
	w.t.Helper()
	id, err := w.send(r, sender, typ, content)
	if err != nil {
		w.t.Fatalf("relating: %v", err)
	}
	return w.event(id)
}

func (w *world) react(r *store.Room, sender matrix.UserID, parent matrix.EventID, key string) (matrix.EventID, error) {
	return w.send(r, sender, "m.reaction", fmt.Sprintf(`{"m.relates_to":{"event_id":%q,"rel_type":"m.annotation","key":%q}}`, parent, key))
}

func (w *world) wantSum(id matrix.EventID, want store.Aggregate) {
	w.t.Helper()
	for range 2 {
		got := w.event(id).Aggregate
		if got == nil {
			got = &store.Aggregate{}
		}
		if *got != want {
			w.t.Errorf("%+v relates to the event, want %+v", *got, want)
		}
	}
}

func (w *world) children(r *store.Room, parent *store.Event) (out []store.Order) {
	w.t.Helper()
	for rel, err := range w.store.Relations(w.t.Context(), r.Num, parent.Order, store.MinOrder, store.MaxOrder, false) {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, rel.Child)
	}
	return out
}

// spec: client-server-api#avoiding-duplicate-annotations
func TestAnnotations(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{Preset: "public_chat"})
	w.join(r, bob)
	e := w.text(r, alice, "x")
	other := w.text(r, alice, "y")
	first, err := w.react(r, bob, e.ID, "👍")
	wantCode(t, err, "")
	_, err = w.react(r, bob, e.ID, "👍")
	wantCode(t, err, matrix.MDuplicateAnnotation)
	for _, c := range []struct {
		sender matrix.UserID
		parent matrix.EventID
		key    string
	}{{alice, e.ID, "👍"}, {bob, e.ID, "👎"}, {bob, other.ID, "👍"}, {bob, e.ID, ""}} {
		_, err = w.react(r, c.sender, c.parent, c.key)
		wantCode(t, err, "")
	}
	w.wantSum(e.ID, store.Aggregate{Annotations: 4})
	w.open()
	_, err = w.react(r, bob, e.ID, "👍")
	wantCode(t, err, matrix.MDuplicateAnnotation)
	if _, err := w.redact(r, bob, first); err != nil {
		t.Fatal(err)
	}
	w.wantSum(e.ID, store.Aggregate{Annotations: 3})
	_, err = w.react(r, bob, e.ID, "👍")
	wantCode(t, err, "")
	w.wantSum(e.ID, store.Aggregate{Annotations: 4})
	w.timeline(r)
}

// However many annotate an event with one key at once, each user does so once, and the sum is right.
func TestConcurrentAnnotations(t *testing.T) {
	w := newWorld(t)
	r, users := members(w, 6)
	e := w.text(r, alice, "x")
	var wait sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for _, user := range users {
		for range 5 {
			wait.Go(func() {
				_, err := w.react(r, user, e.ID, "+")
				if err != nil {
					wantCode(t, err, matrix.MDuplicateAnnotation)
					return
				}
				mu.Lock()
				done++
				mu.Unlock()
			})
		}
	}
	wait.Wait()
	if done != len(users) {
		t.Errorf("%d annotations, want %d", done, len(users))
	}
	w.wantSum(e.ID, store.Aggregate{Annotations: int64(len(users))})
	w.timeline(r)
}

// spec: client-server-api#validity-of-replacement-events
func TestEdits(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{Preset: "public_chat"})
	w.join(r, bob)
	e := w.text(r, alice, "x")
	const valid = `,"m.new_content":{"body":"new"}`
	edit := func(sender matrix.UserID, typ string, parent matrix.EventID, more string) *store.Event {
		t.Helper()
		return w.relate(r, sender, typ, relating("m.replace", parent, more))
	}
	one := edit(alice, "m.room.message", e.ID, valid)
	w.wantSum(e.ID, store.Aggregate{Edit: one.Order})
	edit(bob, "m.room.message", e.ID, valid)                  // by another
	edit(alice, "m.other", e.ID, valid)                       // of another type
	edit(alice, "m.room.message", e.ID, "")                   // without new content
	edit(alice, "m.room.message", e.ID, `,"m.new_content":7`) // which is no object
	nested := edit(alice, "m.room.message", one.ID, valid)    // of an edit
	w.wantSum(e.ID, store.Aggregate{Edit: one.Order})
	w.wantSum(one.ID, store.Aggregate{})
	// The newest by its time wins, whatever came last; at the same time the larger id.
	w.pass(-1e9)
	edit(alice, "m.room.message", e.ID, valid)
	w.wantSum(e.ID, store.Aggregate{Edit: one.Order})
	w.pass(2e9)
	two := edit(alice, "m.room.message", e.ID, valid)
	w.wantSum(e.ID, store.Aggregate{Edit: two.Order})
	// Redacting the newest brings the one before back.
	if _, err := w.redact(r, alice, two.ID); err != nil {
		t.Fatal(err)
	}
	w.wantSum(e.ID, store.Aggregate{Edit: one.Order})
	for _, id := range []matrix.EventID{nested.ID, one.ID} {
		if _, err := w.redact(r, alice, id); err != nil {
			t.Fatal(err)
		}
	}
	if sum := w.event(e.ID).Aggregate; sum.Edit == one.Order || sum.Edit == 0 {
		t.Errorf("the newest edit is %d", sum.Edit) // the one from the past is left
	}
	encrypted := w.relate(r, alice, "m.room.encrypted", `{"ciphertext":"x"}`)
	secret := edit(alice, "m.room.encrypted", encrypted.ID, "")
	w.wantSum(encrypted.ID, store.Aggregate{Edit: secret.Order})
	w.timeline(r)
}

// spec: client-server-api#validation-of-mthread-relationships
func TestThreads(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{})
	root := w.text(r, alice, "x")
	var in []*store.Event
	for range 4 {
		in = append(in, w.relate(r, alice, "m.room.message", relating("m.thread", root.ID, "")))
	}
	w.wantSum(root.ID, store.Aggregate{Thread: 4, ThreadLast: in[3].Order})
	_, err := w.send(r, alice, "m.room.message", relating("m.thread", in[0].ID, ""))
	wantCode(t, err, matrix.MUnknown)
	for i, want := range []int{2, 1} {
		if _, err := w.redact(r, alice, in[3-i].ID); err != nil {
			t.Fatal(err)
		}
		w.wantSum(root.ID, store.Aggregate{Thread: int64(want + 1), ThreadLast: in[want].Order})
	}
	// A reply has no relation that would keep it from being a root.
	reply := w.relate(r, alice, "m.room.message", fmt.Sprintf(`{"m.relates_to":{"m.in_reply_to":{"event_id":%q}}}`, root.ID))
	w.relate(r, alice, "m.room.message", relating("m.thread", reply.ID, ""))
	w.timeline(r)
}

// wantThreads compares the index of a room's threads, the newest first, and in which of them users take part.
func (w *world) wantThreads(r *store.Room, want []store.Thread, of map[matrix.UserID][]store.Order) {
	w.t.Helper()
	var got []store.Thread
	for th, err := range w.store.Threads(w.t.Context(), r.Num, store.MaxOrder) {
		if err != nil {
			w.t.Fatal(err)
		}
		got = append(got, th)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("threads %v, want %v", got, want)
	}
	for user, want := range of {
		var got []store.Order
		for root, err := range w.store.ThreadsOf(w.t.Context(), r.Num, user) {
			if err != nil {
				w.t.Fatal(err)
			}
			got = append(got, root)
		}
		if !slices.Equal(got, want) {
			w.t.Errorf("%s takes part in %v, want %v", user, got, want)
		}
	}
}

func TestThreadIndex(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{Preset: "public_chat"})
	w.join(r, bob)
	one, two := w.text(r, alice, "one"), w.text(r, alice, "two")
	reply := func(who matrix.UserID, root *store.Event) *store.Event {
		return w.relate(r, who, "m.room.message", relating("m.thread", root.ID, ""))
	}
	redact := func(e *store.Event) {
		t.Helper()
		if _, err := w.redact(r, e.Sender, e.ID); err != nil {
			t.Fatal(err)
		}
	}
	users := func(a, b []store.Order) map[matrix.UserID][]store.Order {
		return map[matrix.UserID][]store.Order{alice: a, bob: b}
	}
	a, b := reply(bob, one), reply(alice, two)
	w.wantThreads(r, []store.Thread{{Root: two.Order, Last: b.Order}, {Root: one.Order, Last: a.Order}},
		users([]store.Order{one.Order, two.Order}, []store.Order{one.Order}))
	c := reply(bob, one)
	w.wantThreads(r, []store.Thread{{Root: one.Order, Last: c.Order}, {Root: two.Order, Last: b.Order}},
		users([]store.Order{one.Order, two.Order}, []store.Order{one.Order}))
	redact(c)
	w.wantThreads(r, []store.Thread{{Root: two.Order, Last: b.Order}, {Root: one.Order, Last: a.Order}},
		users([]store.Order{one.Order, two.Order}, []store.Order{one.Order}))
	redact(a)
	w.wantThreads(r, []store.Thread{{Root: two.Order, Last: b.Order}}, users([]store.Order{two.Order}, nil))
	again := reply(bob, one)
	w.wantThreads(r, []store.Thread{{Root: one.Order, Last: again.Order}, {Root: two.Order, Last: b.Order}},
		users([]store.Order{one.Order, two.Order}, []store.Order{one.Order}))
}

// Redactions of a thread's newest events that overlap leave the newest of those that remain.
func TestConcurrentThreadRedactions(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{})
	root := w.text(r, alice, "x")
	var in []*store.Event
	for range 10 {
		in = append(in, w.relate(r, alice, "m.room.message", relating("m.thread", root.ID, "")))
	}
	var wait sync.WaitGroup
	for _, e := range in[2:] {
		wait.Go(func() {
			if _, err := w.redact(r, alice, e.ID); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	w.wantSum(root.ID, store.Aggregate{Thread: 2, ThreadLast: in[1].Order})
	if got := w.children(r, root); len(got) != 2 {
		t.Errorf("children %v", got)
	}
	w.timeline(r)
}

// What relates to nothing that the room knows is an event like any other.
func TestOtherRelations(t *testing.T) {
	w := newWorld(t)
	r, other := w.create(Creation{}), w.create(Creation{})
	e, foreign := w.text(r, alice, "x"), w.text(other, alice, "x")
	name := w.setState(r, alice, "m.room.name", "", relating("m.reference", e.ID, ""))
	reference := w.relate(r, alice, "m.room.message", relating("m.reference", e.ID, ""))
	custom := w.relate(r, alice, "m.room.message", relating("x.custom", e.ID, ""))
	for _, content := range []string{
		relating("m.reference", "$unknown", ""), relating("m.reference", foreign.ID, ""), relating("", e.ID, ""),
		`{"m.relates_to":7}`, `{"m.relates_to":{"rel_type":7,"event_id":"$x"}}`, `{"m.relates_to":{"rel_type":"m.thread"}}`,
		`{"m.relates_to":{"rel_type":"m.annotation","event_id":[]}}`,
	} {
		w.relate(r, alice, "m.room.message", content)
	}
	w.wantSum(e.ID, store.Aggregate{References: 1})
	w.wantSum(foreign.ID, store.Aggregate{})
	if got := w.children(r, e); len(got) != 2 || got[0] != reference.Order || got[1] != custom.Order {
		t.Errorf("children %v", got)
	}
	for _, id := range []matrix.EventID{name, reference.ID, custom.ID} {
		if _, err := w.redact(r, alice, id); err != nil {
			t.Fatal(err)
		}
	}
	w.wantSum(e.ID, store.Aggregate{})
	if got := w.children(r, e); len(got) != 0 {
		t.Errorf("children %v", got)
	}
	w.timeline(r)
}
