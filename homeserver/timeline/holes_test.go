package timeline

import (
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// TestFill renders an event with holes and fills them for several readers: it is the same as rendering it for each.
func TestFill(t *testing.T) {
	version, _ := matrix.LookupVersion("11")
	obj := `{"content":{"body":"x"},"depth":1,"origin_server_ts":1000,"room_id":"!r:x","sender":"@a:x","type":"m.room.message"}`
	e, err := event.Load(version, "$e", []byte(obj))
	if err != nil {
		t.Fatal(err)
	}
	mine := &store.Event{Event: e, Room: 1, Order: 1, Device: "D", Txn: `t"1`}
	plain := &store.Event{Event: e, Room: 1, Order: 2}
	for _, who := range []struct {
		user   matrix.UserID
		device string
		now    int64
	}{{"@a:x", "D", 5000}, {"@a:x", "E", 500}, {"@b:x", "D", 1000}} {
		var holes []Hole
		kept := View{User: who.user, Holes: &holes}
		fresh := View{User: who.user, Device: who.device, Now: who.now}
		got, want := []byte("["), []byte("[")
		for _, e := range []*store.Event{mine, plain, mine} {
			got = kept.Append(got, e, "join")
			want = fresh.Append(want, e, "join")
		}
		if filled := Fill(nil, got, holes, who.now, who.device); string(filled) != string(want) {
			t.Errorf("%+v: filled\n%s, rendered\n%s", who, filled, want)
		}
	}
}
