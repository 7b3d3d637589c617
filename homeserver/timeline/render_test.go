package timeline

import (
	"encoding/json"
	"strings"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

func testEvent(t testing.TB, version matrix.Version, order store.Order) *store.Event {
	t.Helper()
	v, ok := matrix.LookupVersion(version)
	if !ok {
		t.Fatalf("no version %s", version)
	}
	e := &event.Event{Version: v, ID: matrix.EventID("$" + string(rune('a'+order))), RoomID: "!r:x", Sender: "@a:x", Type: "m.room.message", Time: 1000}
	e.Content, e.JSON = []byte(`{"body":"x"}`), []byte(`{"type":"m.room.message"}`)
	return &store.Event{Event: e, Room: 1, Order: order}
}

func wantJSON(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if !json.Valid(got) || string(got) != want {
		t.Errorf("%s:\n%s, want\n%s", what, got, want)
	}
}

func TestAppend(t *testing.T) {
	e := testEvent(t, "12", 1)
	e.Device, e.Txn = "D", "txn"
	const head = `{"content":{"body":"x"},"event_id":"$b","origin_server_ts":1000,`
	own := &View{User: "@a:x", Device: "D", Now: 1500}
	wantJSON(t, "own", own.Append(nil, e, "join"), head+`"room_id":"!r:x","sender":"@a:x","type":"m.room.message","unsigned":{"age":500,"membership":"join","transaction_id":"txn"}}`)
	own.InSync, own.Device, own.Now = true, "E", 0
	wantJSON(t, "another device's, in a sync, of the future", own.Append(nil, e, ""), head+`"sender":"@a:x","type":"m.room.message","unsigned":{"age":0}}`)
	other := &View{User: "@b:x", Device: "D", Federation: true, Now: 1000}
	wantJSON(t, "for federation", other.Append(nil, e, ""), `{"type":"m.room.message","event_id":"$b","unsigned":{"age":0}}`)
}

func TestAppendState(t *testing.T) {
	e, old := testEvent(t, "12", 2), testEvent(t, "12", 1)
	key := ""
	e.StateKey, e.Replaces = &key, 1
	v := &View{Now: 1000, InSync: true, extras: map[place]*store.Event{{1, 1}: old}}
	wantJSON(t, "state", v.Append(nil, e, ""), `{"content":{"body":"x"},"event_id":"$c","origin_server_ts":1000,"sender":"@a:x","state_key":"","type":"m.room.message",`+
		`"unsigned":{"age":0,"prev_content":{"body":"x"},"prev_sender":"@a:x","replaces_state":"$b"}}`)
}

// TestRedactsInBothPlaces shows a redaction to old and new clients alike, whatever its room's version.
func TestRedactsInBothPlaces(t *testing.T) {
	for version, content := range map[matrix.Version]string{"10": `{}`, "11": `{"redacts":"$b"}`} {
		target, by := testEvent(t, version, 1), testEvent(t, version, 2)
		target.RedactedBy, target.Content = 2, []byte(`{}`)
		by.Type, by.Redacts, by.Content = redaction, "$b", []byte(content)
		v := &View{Now: 1000, InSync: true, extras: map[place]*store.Event{{1, 2}: by}}
		const shown = `{"content":{"redacts":"$b"},"event_id":"$c","origin_server_ts":1000,"redacts":"$b","sender":"@a:x","type":"m.room.redaction","unsigned":{"age":0}}`
		wantJSON(t, string(version), v.Append(nil, by, ""), shown)
		wantJSON(t, "target", v.Append(nil, target, ""), `{"content":{},"event_id":"$b","origin_server_ts":1000,"sender":"@a:x","type":"m.room.message","unsigned":{"age":0,"redacted_because":`+shown+`}}`)
	}
}

// TestChainOfRedactions shows only the nearest of redactions that each redact the one before: a page of such a chain would
// otherwise grow with the square of its length (threat 7).
func TestChainOfRedactions(t *testing.T) {
	v := &View{Now: 1000, InSync: true, extras: make(map[place]*store.Event)}
	for order := store.Order(1); order <= 50; order++ {
		e := testEvent(t, "12", order)
		e.Type, e.RedactedBy = redaction, order+1
		v.extras[place{1, order}] = e
	}
	out := string(v.Append(nil, v.extras[place{1, 1}], ""))
	if n := strings.Count(out, "redacted_because"); n != 1 {
		t.Errorf("%d redactions are told of: %s", n, out)
	}
}

const redaction = "m.room.redaction"

func TestFillEqualsAppend(t *testing.T) {
	e := testEvent(t, "12", 1)
	e.Device, e.Txn = "D", "txn"
	for _, device := range []string{"D", "E"} {
		plain := &View{User: "@a:x", Device: device, Now: 1234}
		var holes []Hole
		kept := &View{User: "@a:x", Holes: &holes}
		wantJSON(t, device, Fill(nil, kept.Append(nil, e, "join"), holes, 1234, device), string(plain.Append(nil, e, "join")))
	}
}
