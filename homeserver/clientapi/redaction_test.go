package clientapi

import (
	"fmt"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// spec: client-server-api#put_matrixclientv3roomsroomidredacteventidtxnid
func TestRedact(t *testing.T) {
	for _, version := range []string{"1", "10", "11", "12"} {
		c := newTrio(t, fmt.Sprintf(`{"preset":"public_chat","room_version":%q}`, version))
		id := say(t, c.bob, c.room, "x")
		path := wire.RoomPath(c.room, "redact", string(id), "37")
		by := c.want(c.bob, "PUT", path, `{"reason":"Indecent material"}`, 200, "")
		if again := c.want(c.bob, "PUT", path, `{"reason":"Indecent material"}`, 200, ""); again != by {
			t.Errorf("repeated: %s, first %s", again, by)
		}
		event := c.want(c.alice, "GET", wire.RoomPath(c.room, "event", string(id)), "", 200, "")
		if content, _ := matrix.Field([]byte(event), "content"); string(content) != "{}" {
			t.Errorf("content %s", content)
		}
		because, _ := matrix.Field([]byte(event), "unsigned", "redacted_because")
		if stringField(t, string(because), "event_id") != stringField(t, by, "event_id") || stringField(t, string(because), "content", "reason") != "Indecent material" ||
			stringField(t, string(because), "redacts") != string(id) || stringField(t, string(because), "content", "redacts") != string(id) {
			t.Errorf("version %s: redacted because of %s", version, because)
		}
		c.want(c.bob, "PUT", wire.RoomPath(c.room, "redact", string(id), "38"), ``, 200, "") // again, without a body
	}
}

func TestRedactRefuses(t *testing.T) {
	c := newTrio(t, "")
	other := c.createRoom(c.alice, `{}`)
	alices, bobs, foreign := say(t, c.alice, c.room, "x"), say(t, c.bob, c.room, "x"), say(t, c.alice, other, "x")
	create := c.want(c.alice, "GET", wire.RoomPath(c.room, "state", "m.room.create", "")+"?format=event", "", 200, "")
	for _, r := range []struct {
		who    *wire.Client
		target matrix.EventID
		body   string
		status int
		code   string
	}{
		{c.bob, bobs, `{"reason":7}`, 400, matrix.MBadJSON},
		{c.bob, bobs, `[]`, 400, matrix.MBadJSON},
		{c.bob, bobs, `{`, 400, matrix.MNotJSON},
		{c.bob, bobs, `{"redacts":"$other"}`, 400, matrix.MInvalidParam}, // path and body disagree
		{c.bob, alices, `{}`, 403, matrix.MForbidden},
		{c.carol, bobs, `{}`, 403, matrix.MForbidden},
		{c.alice, foreign, `{}`, 404, matrix.MNotFound},
		{c.alice, "$unknown", `{}`, 404, matrix.MNotFound},
		{c.alice, "nonsense", `{}`, 400, matrix.MInvalidParam},
		{c.alice, matrix.EventID(stringField(t, create, "event_id")), `{}`, 403, matrix.MForbidden},
	} {
		c.want(r.who, "PUT", wire.RoomPath(c.room, "redact", string(r.target), "1"), r.body, r.status, r.code)
	}
	for _, room := range []matrix.RoomID{c.room, other} {
		if answer := c.want(c.alice, "GET", wire.RoomPath(room, "messages")+"?dir=b&limit=100", "", 200, ""); stringField(t, answer, "start") == "" {
			t.Error("no answer")
		} else if _, redacted := matrix.Field([]byte(answer), "chunk", "unsigned", "redacted_because"); redacted {
			t.Error("an event was redacted")
		}
	}
	c.want(c.bob, "PUT", wire.RoomPath(c.room, "redact", string(bobs), "1"), `{"redacts":"`+string(bobs)+`"}`, 200, "")
	c.want(c.alice, "PUT", wire.RoomPath(c.room, "redact", string(bobs), "2"), `{}`, 200, "")
}

// A redaction takes an event's reactions, edits and thread out of what others are told of it.
func TestRedactRelations(t *testing.T) {
	c := newTrio(t, "")
	id := say(t, c.alice, c.room, "x")
	send := func(typ, txn, content string) matrix.EventID {
		t.Helper()
		return matrix.EventID(stringField(t, c.want(c.alice, "PUT", wire.RoomPath(c.room, "send", typ, txn), fmt.Sprintf(content, id), 200, ""), "event_id"))
	}
	edit := send("m.room.message", "1", `{"body":"* y","m.new_content":{"body":"y"},"m.relates_to":{"rel_type":"m.replace","event_id":%q}}`)
	reply := send("m.room.message", "2", `{"body":"z","m.relates_to":{"rel_type":"m.thread","event_id":%q}}`)
	event := c.want(c.bob, "GET", wire.RoomPath(c.room, "event", string(id)), "", 200, "")
	if stringField(t, event, "unsigned", "m.relations", "m.replace", "event_id") != string(edit) ||
		stringField(t, event, "unsigned", "m.relations", "m.thread", "latest_event", "event_id") != string(reply) {
		t.Errorf("event %s", event)
	}
	for i, target := range []matrix.EventID{edit, reply} {
		_, err := c.alice.Redact(t.Context(), c.room, target, fmt.Sprint("r", i), "")
		must(t, err)
	}
	event = c.want(c.bob, "GET", wire.RoomPath(c.room, "event", string(id)), "", 200, "")
	if relations, ok := matrix.Field([]byte(event), "unsigned", "m.relations"); ok {
		t.Errorf("relations %s", relations)
	}
}
