package clientapi

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
	"hearth/storage/blobtest"
)

// spec: client-server-api#put_matrixclientv3roomsroomidsendeventtypetxnid
func TestSend(t *testing.T) {
	c := newTrio(t, "")
	path := wire.RoomPath(c.room, "send", "m.room.message", "35")
	id := stringField(t, c.want(c.bob, "PUT", path, `{"msgtype":"m.text","body":"hello <&>\u2028 🐈"}`, 200, ""), "event_id")
	event := c.want(c.bob, "GET", wire.RoomPath(c.room, "event", id), "", 200, "")
	for field, want := range map[string]string{"type": "m.room.message", "sender": string(c.bob.User), "room_id": string(c.room), "event_id": id} {
		if got := stringField(t, event, field); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	if got := stringField(t, event, "content", "body"); got != "hello <&>\u2028 🐈" {
		t.Errorf("body %q", got)
	}
	if got := stringField(t, event, "unsigned", "transaction_id"); got != "35" {
		t.Errorf("transaction %q", got)
	}
	seen := c.want(c.alice, "GET", wire.RoomPath(c.room, "event", id), "", 200, "")
	if _, ok := matrix.Field([]byte(seen), "unsigned", "transaction_id"); ok {
		t.Error("others see the sender's transaction")
	}
}

// A repeated request is answered as the first, also when they overlap, from the same device and after a restart.
// spec: client-server-api#transaction-identifiers
func TestSendTransactions(t *testing.T) {
	backend := blobtest.NewMemory()
	ts := newServerOver(t, backend)
	alice := ts.register("alice")
	room := ts.createRoom(alice, `{}`)
	phone := ts.login("alice", "PHONE")
	var wait sync.WaitGroup
	ids := make([]matrix.EventID, 12)
	for i := range ids {
		wait.Go(func() {
			var err error
			if ids[i], err = alice.SendText(t.Context(), room, "same", fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("answers %v", ids)
		}
	}
	if id, err := phone.SendText(t.Context(), room, "same", "x"); err != nil || id == ids[0] {
		t.Errorf("another device's transaction: %s, %v", id, err)
	}
	if id, err := alice.Send(t.Context(), room, "m.other", "same", struct{}{}); err != nil || id == ids[0] {
		t.Errorf("another endpoint's transaction: %s, %v", id, err)
	}
	redaction, err := alice.Redact(t.Context(), room, ids[0], "same", "")
	must(t, err)
	ts.api.Sync.Close()
	ts.store.Close()
	after := newServerOver(t, backend)
	alice.Base, alice.HTTP = after.base, after.http
	if id, err := alice.SendText(t.Context(), room, "same", "x"); err != nil || id != ids[0] {
		t.Errorf("after a restart: %s, %v", id, err)
	}
	if id, err := alice.Redact(t.Context(), room, ids[0], "same", ""); err != nil || id != redaction {
		t.Errorf("after a restart: %s, %v", id, err)
	}
}

func TestSendRefuses(t *testing.T) {
	c := newTrio(t, `{"preset":"public_chat","power_level_content_override":{"events":{"m.high":60}}}`)
	for _, r := range []struct {
		who            *wire.Client
		typ, txn, body string
		status         int
		code           string
	}{
		{c.bob, "m.x", "1", ``, 400, matrix.MNotJSON},
		{c.bob, "m.x", "1", `{"a":`, 400, matrix.MNotJSON},
		{c.bob, "m.x", "1", `"text"`, 400, matrix.MBadJSON},
		{c.bob, "m.x", "1", "{\"a\":\"\xff\"}", 400, matrix.MNotJSON},
		{c.bob, "m.x", "1", `{"a":1,"a":2}`, 400, matrix.MBadJSON},
		{c.bob, "m.x", "1", `{"a":1.5}`, 400, matrix.MBadJSON},
		{c.bob, "m.x", "1", `{"a":1e400}`, 400, matrix.MBadJSON},
		{c.bob, "m.x", "1", `{"a":9007199254740992}`, 400, matrix.MBadJSON},
		{c.bob, "m.x", "1", `{"a":` + strings.Repeat("[", 150) + strings.Repeat("]", 150) + `}`, 400, matrix.MBadJSON},
		{c.bob, "m.x", "1", `{"a":"` + strings.Repeat("x", 65_500) + `"}`, 413, matrix.MTooLarge},
		{c.bob, "m.x", "1", `{"a":"` + strings.Repeat("x", maxBody) + `"}`, 413, matrix.MTooLarge},
		{c.bob, strings.Repeat("x", 256), "1", `{}`, 413, matrix.MTooLarge},
		{c.bob, "m.x", strings.Repeat("x", 1000), `{}`, 400, matrix.MInvalidParam},
		{c.bob, "m.high", "1", `{}`, 403, matrix.MForbidden},
		{c.bob, "m.room.create", "1", `{}`, 403, matrix.MForbidden},
		{c.bob, "m.room.member", "1", `{"membership":"join"}`, 403, matrix.MForbidden},
		{c.alice, "m.room.power_levels", "1", `{}`, 400, matrix.MInvalidParam},
		{c.alice, "m.room.tombstone", "1", `{}`, 400, matrix.MInvalidParam},
		{c.bob, "m.room.redaction", "1", `{}`, 400, matrix.MBadJSON},
		{c.bob, "m.room.redaction", "1", `{"redacts":"$unknown"}`, 404, matrix.MNotFound},
		{c.carol, "m.x", "1", `{}`, 403, matrix.MForbidden},
	} {
		c.want(r.who, "PUT", wire.RoomPath(c.room, "send", r.typ, r.txn), r.body, r.status, r.code)
	}
	c.want(c.bob, "PUT", wire.RoomPath("!unknown:here.example", "send", "m.x", "1"), `{}`, 403, matrix.MForbidden)
	c.want(c.bob, "PUT", wire.RoomPath("nonsense", "send", "m.x", "1"), `{}`, 400, matrix.MInvalidParam)
	c.want(c.bob, "POST", wire.RoomPath(c.room, "send", "m.x", "1"), `{}`, 405, matrix.MUnrecognized)
	c.want(c.bob, "PUT", wire.RoomPath(c.room, "send", "m.x", "1"), `{}`, 200, "") // what was refused used up no transaction
}

// Only application services say when an event was sent.
// spec: application-service-api#timestamp-massaging
func TestSendIgnoresTime(t *testing.T) {
	c := newTrio(t, "")
	for method, path := range map[string]string{
		"send": wire.RoomPath(c.room, "send", "m.x", "1"), "state": wire.RoomPath(c.room, "state", "m.x", ""),
	} {
		id := stringField(t, c.want(c.alice, "PUT", path+"?ts=7", `{}`, 200, ""), "event_id")
		event := c.want(c.alice, "GET", wire.RoomPath(c.room, "event", id), "", 200, "")
		if ts, ok := matrix.IntField([]byte(event), "origin_server_ts"); !ok || ts == 7 {
			t.Errorf("%s: sent at %d", method, ts)
		}
	}
}

// spec: client-server-api#avoiding-duplicate-annotations
func TestSendDuplicateAnnotation(t *testing.T) {
	c := newTrio(t, "")
	id := say(t, c.alice, c.room, "x")
	reaction := fmt.Sprintf(`{"m.relates_to":{"event_id":%q,"rel_type":"m.annotation","key":"👍"}}`, id)
	first := c.want(c.bob, "PUT", wire.RoomPath(c.room, "send", "m.reaction", "1"), reaction, 200, "")
	c.want(c.bob, "PUT", wire.RoomPath(c.room, "send", "m.reaction", "2"), reaction, 400, matrix.MDuplicateAnnotation)
	if again := c.want(c.bob, "PUT", wire.RoomPath(c.room, "send", "m.reaction", "1"), reaction, 200, ""); again != first {
		t.Errorf("repeated: %s, first %s", again, first)
	}
	c.want(c.alice, "PUT", wire.RoomPath(c.room, "send", "m.reaction", "2"), reaction, 200, "")
}

// spec: client-server-api#validation-of-mthread-relationships
func TestSendThreadInThread(t *testing.T) {
	c := newTrio(t, "")
	root := say(t, c.alice, c.room, "x")
	thread := func(parent matrix.EventID) string {
		return fmt.Sprintf(`{"body":"x","m.relates_to":{"event_id":%q,"rel_type":"m.thread"}}`, parent)
	}
	id := stringField(t, c.want(c.bob, "PUT", wire.RoomPath(c.room, "send", "m.room.message", "1"), thread(root), 200, ""), "event_id")
	c.want(c.bob, "PUT", wire.RoomPath(c.room, "send", "m.room.message", "2"), thread(matrix.EventID(id)), 400, matrix.MUnknown)
}
