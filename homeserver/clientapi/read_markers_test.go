package clientapi

import (
	"fmt"
	"sync"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// marker returns where the user's marker of fully read events is.
func marker(t testing.TB, c *wire.Client, room matrix.RoomID) string {
	t.Helper()
	var content struct {
		ID string `json:"event_id"`
	}
	path := wire.Path(v3+"/user", string(c.User), "rooms", string(room), "account_data", "m.fully_read")
	if err := c.Do(t.Context(), "GET", path, nil, nil, &content); err != nil {
		wantError(t, err, 404, matrix.MNotFound)
	}
	return content.ID
}

func TestReadMarkers(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	one, two, three := say(t, alice, room, "one"), say(t, alice, room, "two"), say(t, alice, room, "three")
	f := follow(t, bob, "")
	f.next()
	mark := func(body string) {
		t.Helper()
		ts.want(bob, "POST", wire.RoomPath(room, "read_markers"), body, 200, "")
	}
	mark(fmt.Sprintf(`{"m.fully_read":%q,"m.read":%q,"m.read.private":%q}`, one, two, three))
	r := f.next().Rooms.Join[room]
	wantReceipts(t, "receipts", r, fmt.Sprint(two, " m.read bob "), fmt.Sprint(three, " m.read.private bob "))
	if e := r.AccountData.Events; len(e) != 1 || e[0].Type != "m.fully_read" || string(e[0].Content) != fmt.Sprintf(`{"event_id":%q}`, one) {
		t.Errorf("account data %+v", e)
	}
	if r.UnreadNotifications.Notification != 0 {
		t.Errorf("unread %+v", r.UnreadNotifications)
	}
	mark(fmt.Sprintf(`{"m.fully_read":%q}`, three))
	mark(fmt.Sprintf(`{"m.fully_read":%q}`, two)) // it only moves forward
	mark(`{"m.fully_read":"$unknown"}`)
	mark(`{}`)
	if got := marker(t, bob, room); got != string(three) {
		t.Errorf("marker at %s, want %s", got, three)
	}
	// The other endpoint sets it too; as plain account data it cannot be set.
	must(t, alice.Receipt(t.Context(), room, "m.fully_read", two, ""))
	if got := marker(t, alice, room); got != string(two) {
		t.Errorf("marker at %s, want %s", got, two)
	}
	wantReceipts(t, "fully read is no receipt", f.next().Rooms.Join[room])
	ts.want(alice, "PUT", wire.Path(v3+"/user", string(alice.User), "rooms", string(room), "account_data", "m.fully_read"), `{}`, 405, matrix.MBadJSON)
	ts.want(alice, "POST", wire.RoomPath(room, "read_markers"), `{"m.read":7}`, 400, matrix.MBadJSON)
	ts.want(ts.register("carol"), "POST", wire.RoomPath(room, "read_markers"), `{}`, 403, matrix.MForbidden)
}

// TestReadMarkerNeverGoesBack moves it from many requests at once.
func TestReadMarkerNeverGoesBack(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	var last matrix.EventID
	var done sync.WaitGroup
	for i := range 20 {
		last = say(t, alice, room, fmt.Sprint(i))
		id := last
		done.Go(func() { must(t, alice.Receipt(t.Context(), room, "m.fully_read", id, "")) })
	}
	done.Wait()
	if got := marker(t, alice, room); got != string(last) {
		t.Errorf("marker at %s, want %s", got, last)
	}
}
