package room

import (
	"fmt"
	"slices"
	"testing"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

func (w *world) redact(r *store.Room, sender matrix.UserID, target matrix.EventID) (matrix.EventID, error) {
	return w.rooms.Redact(w.t.Context(), r, Redaction{Sender: sender, Device: "D", Target: target, Content: []byte(`{"reason":"why"}`)})
}

// A redacted event keeps what its version says, its place, its id and its signatures; the redaction names it where
// the version wants it.
func TestRedactEveryVersion(t *testing.T) {
	w := newWorld(t)
	for _, v := range matrix.Versions() {
		t.Run(string(v.Version), func(t *testing.T) {
			w.t = t
			r := w.create(Creation{Version: v.Version, Preset: "public_chat"})
			w.join(r, bob)
			e := w.text(r, bob, "regret")
			id, err := w.redact(r, bob, e.ID)
			if err != nil {
				t.Fatal(err)
			}
			by, now := w.event(id), w.event(e.ID)
			if string(now.Content) != "{}" || now.RedactedBy != by.Order || now.Order != e.Order || now.ID != e.ID || now.Pos != e.Pos {
				t.Errorf("the event is %+v", now)
			}
			if by.Redacts != e.ID || field(t, string(by.Content), "reason") != "why" {
				t.Errorf("the redaction is %s", by.JSON)
			}
			_, top := matrix.Field(by.JSON, "redacts")
			if inContent := field(t, string(by.Content), "redacts") != ""; inContent != v.RedactsInContent || top == inContent {
				t.Errorf("the redaction is %s", by.JSON)
			}
			w.timeline(r)
		})
	}
}

// Who may redact whose events.
// spec: client-server-api#put_matrixclientv3roomsroomidredacteventidtxnid
func TestWhoMayRedact(t *testing.T) {
	w := newWorld(t)
	if _, err := w.accounts.Create(t.Context(), "admin", "", account.NewUser{Admin: true}); err != nil {
		t.Fatal(err)
	}
	const admin, mod = matrix.UserID("@admin:here.example"), matrix.UserID("@mod:here.example")
	for _, v := range []matrix.Version{"3", "9", "10", "12"} {
		power := `{"users":{"@alice:here.example":100,"@mod:here.example":"60"},"redact":"60","events":{"m.room.redaction":0}}`
		switch v {
		case "10":
			power = `{"users":{"@alice:here.example":100,"@mod:here.example":60},"redact":60}`
		case "12":
			power = `{"users":{"@mod:here.example":60},"redact":60}`
		}
		r := w.create(Creation{Version: v, Preset: "public_chat", PowerOverride: []byte(power)})
		for _, user := range []matrix.UserID{bob, carol, mod, admin} {
			w.join(r, user)
		}
		create := w.timeline(r)[0]
		acl := w.setState(r, alice, "m.room.server_acl", "", `{"allow":["*"]}`)
		for _, c := range []struct {
			sender matrix.UserID
			target matrix.EventID
			code   string
		}{
			{bob, w.text(r, bob, "x").ID, ""},
			{carol, w.text(r, bob, "x").ID, matrix.MForbidden},
			{mod, w.text(r, bob, "x").ID, ""},
			{alice, w.text(r, bob, "x").ID, ""},
			{admin, w.text(r, bob, "x").ID, ""},
			{alice, create.ID, matrix.MForbidden},
			{alice, acl, matrix.MForbidden},
			{alice, "$unknown", matrix.MNotFound},
			{alice, "nonsense", matrix.MInvalidParam},
			{"@stranger:here.example", w.text(r, bob, "x").ID, matrix.MForbidden},
			{"@stranger:here.example", "$unknown", matrix.MForbidden},
		} {
			_, err := w.redact(r, c.sender, c.target)
			if wantCode(t, err, c.code); t.Failed() {
				t.Fatalf("version %s: %s redacts %s", v, c.sender, c.target)
			}
		}
		w.timeline(r)
	}
}

// A redaction in one room of an event in another does nothing.
func TestRedactAnotherRoom(t *testing.T) {
	w := newWorld(t)
	a, b := w.create(Creation{}), w.create(Creation{})
	e := w.text(a, alice, "x")
	_, err := w.redact(b, alice, e.ID)
	wantCode(t, err, matrix.MNotFound)
	if w.event(e.ID).RedactedBy != 0 {
		t.Error("redacted")
	}
}

// A redaction may be sent like any message, in every version.
// spec: client-server-api#put_matrixclientv3roomsroomidsendeventtypetxnid
func TestSendRedaction(t *testing.T) {
	w := newWorld(t)
	for _, v := range []matrix.Version{"1", "10", "11", "12"} {
		r := w.create(Creation{Version: v})
		e := w.text(r, alice, "x")
		m := Message{Sender: alice, Device: "D", Type: "m.room.redaction", Content: fmt.Appendf(nil, `{"reason":"why","redacts":%q}`, e.ID), Txn: "t"}
		id, err := w.rooms.Send(t.Context(), r, m)
		if err != nil {
			t.Fatal(err)
		}
		if w.event(e.ID).RedactedBy == 0 || w.event(id).Redacts != e.ID {
			t.Errorf("version %s: not redacted", v)
		}
		if again, err := w.rooms.Send(t.Context(), r, m); again != id || err != nil {
			t.Errorf("repeated: %s, %v", again, err)
		}
		_, top := matrix.Field(w.event(id).JSON, "redacts")
		if top == w.event(id).Version.RedactsInContent {
			t.Errorf("version %s: %s", v, w.event(id).JSON)
		}
		for _, content := range []string{`{}`, `{"redacts":7}`} {
			_, err = w.send(r, alice, "m.room.redaction", content)
			wantCode(t, err, matrix.MBadJSON)
		}
		w.timeline(r)
	}
}

// State that is redacted is the room's state still, emptied.
func TestRedactState(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{Preset: "public_chat"})
	name := w.setState(r, alice, "m.room.name", "", `{"name":"bad"}`)
	if _, err := w.redact(r, alice, name); err != nil {
		t.Fatal(err)
	}
	if got := w.state(r, "m.room.name", ""); got != "{}" {
		t.Errorf("the name is %s", got)
	}
	again := w.setState(r, alice, "m.room.name", "", `{"name":"bad"}`)
	if again == name || w.event(again).Replaces != w.event(name).Order {
		t.Errorf("set again by %s, which replaces %d", again, w.event(again).Replaces)
	}
	if _, err := w.redact(r, alice, again); err != nil {
		t.Fatal(err)
	}
	w.open()
	if w.setState(r, alice, "m.room.name", "", `{"name":"bad"}`) == again {
		t.Error("after a restart, what was redacted counts as set")
	}
	// A redacted membership is a membership; its name is gone.
	member := w.setState(r, alice, "m.room.member", string(alice), `{"membership":"join","displayname":"rude"}`)
	if _, err := w.redact(r, alice, member); err != nil {
		t.Fatal(err)
	}
	if got := w.state(r, "m.room.member", string(alice)); got != `{"membership":"join"}` {
		t.Errorf("membership %s", got)
	}
	w.text(r, alice, "still in")
	w.timeline(r)
}

func TestRedactTwiceAndRedactions(t *testing.T) {
	w := newWorld(t)
	for _, v := range []matrix.Version{"10", "12"} {
		r := w.create(Creation{Version: v})
		e := w.text(r, alice, "x")
		first, err := w.redact(r, alice, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		second, err := w.redact(r, alice, e.ID)
		if err != nil || second == first {
			t.Errorf("redacted again by %s, %v", second, err)
		}
		if w.event(e.ID).RedactedBy != w.event(first).Order {
			t.Error("the second redaction took the place of the first")
		}
		if _, err := w.redact(r, alice, first); err != nil {
			t.Fatal(err)
		}
		if field(t, string(w.event(first).Content), "reason") != "" {
			t.Errorf("the redacted redaction says %s", w.event(first).Content)
		}
		if w.event(e.ID).RedactedBy == 0 {
			t.Error("redacting a redaction brought an event back")
		}
		w.timeline(r)
	}
}

// The change and its note are one: followers learn of both.
func TestRedactionIsAnnounced(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{})
	e := w.text(r, alice, "x")
	before := w.store.Durable()
	id, err := w.redact(r, alice, e.ID)
	if err != nil {
		t.Fatal(err)
	}
	notes, err := w.store.Follow(t.Context(), before)
	if err != nil || len(notes) != 2 || notes[0].Kind != store.KindEvent || notes[0].Event.ID != id ||
		notes[1].Kind != store.KindRedacted || notes[1].Order != e.Order || notes[1].Room != r.Num {
		t.Errorf("notes %+v, %v", notes, err)
	}
}

// Who keeps a message's text learns that one of its edits is gone: the edit itself does not say any more whose it was.
func TestRedactedEditIsAnnounced(t *testing.T) {
	w := newWorld(t)
	r := w.create(Creation{})
	e := w.text(r, alice, "x")
	edit := w.relate(r, alice, "m.room.message", relating("m.replace", e.ID, `,"m.new_content":{"body":"new"}`))
	before := w.store.Durable()
	if _, err := w.redact(r, alice, edit.ID); err != nil {
		t.Fatal(err)
	}
	notes, err := w.store.Follow(t.Context(), before)
	told := slices.ContainsFunc(notes, func(n store.Note) bool {
		return n.Kind == store.KindUnedited && n.Room == r.Num && n.Order == e.Order
	})
	if err != nil || len(notes) != 3 || !told {
		t.Errorf("notes %+v, %v", notes, err)
	}
}

func TestPowersNeedACreateEvent(t *testing.T) {
	v, _ := matrix.LookupVersion("12")
	w := newWorld(t)
	st := newStage(w.rooms, newHead(0, store.Room{Version: v}))
	_, err := st.powers(t.Context())
	wantCode(t, err, matrix.MForbidden)
	if (&powers{creation: &event.Creation{}}).named() != nil {
		t.Error("somebody has power in a room without power levels")
	}
}
