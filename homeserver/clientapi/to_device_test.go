package clientapi

import (
	"fmt"
	"strings"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
	"hearth/storage/blobtest"
)

// waiting lists the messages in a device's queue.
func (ts *testServer) waiting(c *wire.Client) []string {
	ts.t.Helper()
	messages, _, err := ts.api.E2EE.ToDevice(ts.t.Context(), c.User, c.Device, 0, ^store.Pos(0), 1000)
	must(ts.t, err)
	var all []string
	for _, m := range messages {
		all = append(all, string(m.JSON))
	}
	return all
}

func TestSendToDevice(t *testing.T) {
	ts := newServer(t)
	alice, desk := ts.register("alice"), ts.register("bob")
	lap := ts.login("bob", "LAP")
	send := func(txn, device, content string) {
		t.Helper()
		body := fmt.Sprintf(`{"messages":{"@bob:here.example":{%q:%s},"@nobody:here.example":{"*":{}}}}`, device, content)
		if got := ts.want(alice, "PUT", v3+"/sendToDevice/m.test/"+txn, body, 200, ""); got != "{}" {
			t.Errorf("answered %s", got)
		}
	}
	send("1", "LAP", `{"n":1}`)
	send("1", "LAP", `{"n":"again"}`)
	send("2", "*", `{"n":2}`)
	send("3", "GONE", `{"n":3}`)
	message := func(n int) string {
		return fmt.Sprintf(`{"sender":"@alice:here.example","type":"m.test","content":{"n":%d}}`, n)
	}
	if got := fmt.Sprint(ts.waiting(lap)); got != fmt.Sprint([]string{message(1), message(2)}) {
		t.Errorf("one has %s", got)
	}
	if got := fmt.Sprint(ts.waiting(desk)); got != fmt.Sprint([]string{message(2)}) {
		t.Errorf("the other has %s", got)
	}
}

// A transaction that was answered is not done again by the next run of the program.
func TestSendToDeviceOverARestart(t *testing.T) {
	backend := blobtest.NewMemory()
	first := newServerOver(t, backend)
	alice := first.register("alice")
	messages := map[matrix.UserID]map[string]any{alice.User: {alice.Device: struct{}{}}}
	must(t, alice.SendToDevice(t.Context(), "m.test", "1", messages))

	second := newServerOver(t, backend)
	again := second.anonymous()
	again.Token, again.User, again.Device = alice.Token, alice.User, alice.Device
	must(t, again.SendToDevice(t.Context(), "m.test", "1", messages))
	if got := second.waiting(again); len(got) != 1 {
		t.Errorf("waiting: %v", got)
	}
}

func TestSendToDeviceRefuses(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	path := v3 + "/sendToDevice/m.test/1"
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{path, `{}`, 400, matrix.MMissingParam},
		{path, `{"messages":null}`, 400, matrix.MMissingParam},
		{path, `{"messages":[]}`, 400, matrix.MBadJSON},
		{path, `{"messages":{"@alice:here.example":[]}}`, 400, matrix.MBadJSON},
		{path, `{"messages":{"@alice:here.example":{"*":1}}}`, 400, matrix.MBadJSON},
		{path, `{"messages":{"@alice:here.example":{"*":null}}}`, 400, matrix.MBadJSON},
		{path, `{"messages":{"alice":{"*":{}}}}`, 400, matrix.MInvalidParam},
		{path, `{"messages":{"@alice:here.example":{"*":{"x":"` + strings.Repeat("x", 64<<10) + `"}}}}`, 413, matrix.MTooLarge},
		{path, `{"messages":{},"x":"` + strings.Repeat("x", maxToDevice) + `"}`, 413, matrix.MTooLarge},
		{path, `{`, 400, matrix.MNotJSON},
		{v3 + "/sendToDevice//1", `{"messages":{}}`, 400, matrix.MInvalidParam},
		{v3 + "/sendToDevice/m.test/", `{"messages":{}}`, 400, matrix.MInvalidParam},
		{v3 + "/sendToDevice/m.test/" + strings.Repeat("x", 256), `{"messages":{}}`, 400, matrix.MInvalidParam},
		{path, `{"messages":{}}`, 200, ""},
	} {
		ts.want(alice, "PUT", c.path, c.body, c.status, c.code)
	}
	if got := ts.waiting(alice); len(got) != 0 {
		t.Errorf("waiting: %v", got)
	}
}

// What is sent comes with the next sync, once.
func TestToDeviceInSync(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	first, err := bob.Sync(t.Context(), wire.SyncOptions{})
	must(t, err)
	must(t, alice.SendToDevice(t.Context(), "m.test", "1", map[matrix.UserID]map[string]any{bob.User: {"*": map[string]int{"n": 1}}}))
	second, err := bob.Sync(t.Context(), wire.SyncOptions{Since: first.NextBatch})
	must(t, err)
	if e := second.ToDevice.Events; len(e) != 1 || e[0].Type != "m.test" || e[0].Sender != alice.User {
		t.Fatalf("got %+v", e)
	}
	repeated, err := bob.Sync(t.Context(), wire.SyncOptions{Since: first.NextBatch})
	must(t, err)
	if len(repeated.ToDevice.Events) != 1 {
		t.Errorf("the answer was lost, and the message with it")
	}
	third, err := bob.Sync(t.Context(), wire.SyncOptions{Since: second.NextBatch})
	must(t, err)
	if e := third.ToDevice.Events; len(e) != 0 {
		t.Errorf("got again %+v", e)
	}
	if got := ts.waiting(bob); len(got) != 0 {
		t.Errorf("still waiting: %v", got)
	}
}
