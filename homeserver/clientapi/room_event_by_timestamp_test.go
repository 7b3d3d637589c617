package clientapi

import (
	"fmt"
	"net/url"
	"testing"

	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func TestTimestampToEvent(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	id := conversation(t, alice, bob)
	known, err := ts.store.RoomByID(t.Context(), id)
	must(t, err)
	const base = 4_000_000_000_000 // far behind the clock of the server
	// Times do not grow with the order: 0 10 20 ... with some that come too late or too early.
	at := make(map[int64]matrix.EventID)
	say := func(moment int64) {
		t.Helper()
		at[moment], err = ts.api.Rooms.Send(t.Context(), known, room.Message{
			Sender: alice.User, Type: "m.room.message", Content: []byte(`{"body":"x"}`), Txn: fmt.Sprint(moment), Device: alice.Device, Time: base + moment,
		})
		must(t, err)
	}
	for i := range int64(40) {
		say(10 * i)
		if i == 20 {
			say(55)
			say(333)
		}
	}
	find := func(c *wire.Client, moment int64, direction string, want int64) {
		t.Helper()
		got, when, err := c.EventAt(t.Context(), id, base+moment, direction)
		must(t, err)
		if got != at[want] || when != base+want {
			t.Errorf("from %d %s: found %s of %d, want %d", moment, direction, got, when-base, want)
		}
	}
	for _, c := range [][3]int64{{0, 0, 0}, {101, 110, 100}, {110, 110, 110}, {54, 55, 50}, {57, 60, 55}, {331, 333, 330}, {334, 340, 333}, {389, 390, 380}, {390, 390, 390}} {
		find(alice, c[0], "f", c[1])
		find(alice, c[0], "b", c[2])
	}
	_, _, err = alice.EventAt(t.Context(), id, base+391, "f")
	wantError(t, err, 404, matrix.MNotFound)
	_, _, err = alice.EventAt(t.Context(), id, 5, "b")
	wantError(t, err, 404, matrix.MNotFound)
	create, _, err := alice.EventAt(t.Context(), id, 0, "f")
	must(t, err)
	if e, err := alice.Event(t.Context(), id, create); err != nil || e.Type != "m.room.create" {
		t.Errorf("the first event is %+v, %v", e, err)
	}
	// Who left finds nothing of what came later.
	must(t, bob.Leave(t.Context(), id))
	say(500)
	find(bob, 450, "b", 390)
	_, _, err = bob.EventAt(t.Context(), id, base+450, "f")
	wantError(t, err, 404, matrix.MNotFound)
	find(alice, 450, "f", 500)
}

// TestTimestampAmongRejected looks behind many events that are shown to nobody (threat 7).
func TestTimestampAmongRejected(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	id := conversation(t, alice)
	before := say(t, alice, id, "before")
	e, err := ts.store.EventByID(t.Context(), before)
	must(t, err)
	const rejected = 1000
	_, err = ts.store.Apply(t.Context(), func(tx *store.Tx) {
		for i := range rejected {
			bad, body := *e, *e.Event
			body.ID, body.Time = matrix.EventID(fmt.Sprint("$bad", i)), e.Time+1
			bad.Event, bad.Order, bad.Rejected, bad.After, bad.Txn = &body, e.Order+1+store.Order(i), true, e.Before, ""
			tx.PutEvent(&bad)
		}
	})
	must(t, err)
	got, _, err := alice.EventAt(t.Context(), id, e.Time+2, "b")
	must(t, err)
	if got != before {
		t.Errorf("found %s, want %s", got, before)
	}
	_, _, err = alice.EventAt(t.Context(), id, e.Time+1, "f")
	wantError(t, err, 404, matrix.MNotFound)
}

func TestTimestampErrors(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice)
	path := wire.Path("/_matrix/client/v1/rooms/"+url.PathEscape(string(room)), "timestamp_to_event")
	ts.want(alice, "GET", path+"?dir=f", "", 400, matrix.MMissingParam)
	ts.want(alice, "GET", path+"?ts=1", "", 400, matrix.MMissingParam)
	ts.want(alice, "GET", path+"?ts=x&dir=f", "", 400, matrix.MInvalidParam)
	ts.want(alice, "GET", path+"?ts=1&dir=x", "", 400, matrix.MInvalidParam)
	ts.want(alice, "GET", path+"?ts=-1&dir=b", "", 404, matrix.MNotFound)
	ts.want(bob, "GET", path+"?ts=1&dir=f", "", 403, matrix.MForbidden)
}
