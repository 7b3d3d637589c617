package authrules

import (
	"fmt"
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
)

// conversation is a room of real events: built, signed, and read again as another server would.
type conversation struct {
	t      *testing.T
	v      *matrix.RoomVersion
	signer event.Signer
	state  plain
	events map[matrix.EventID]*event.Event
	last   *event.Event
	room   matrix.RoomID
}

func (c *conversation) send(sender matrix.UserID, typ string, stateKey *string, content string) error {
	c.t.Helper()
	p := event.Proto{
		RoomID: c.room, Sender: sender, Type: typ, StateKey: stateKey, Content: []byte(content),
		Depth: int64(len(c.events)) + 1, Time: int64(len(c.events)),
	}
	if c.v.IsPaired() {
		p.EventID = matrix.EventID(fmt.Sprintf("$%d:x", len(c.events)))
	}
	if c.last != nil {
		p.PrevEvents = []matrix.EventID{c.last.ID}
	}
	for _, k := range Needed(c.v, typ, sender, stateKey, p.Content) {
		if a := c.state[k]; a != nil {
			p.AuthEvents = append(p.AuthEvents, a.ID)
		}
	}
	built, err := event.Build(c.v, p, c.signer)
	if err != nil {
		c.t.Fatal(err)
	}
	if built, err = event.Parse(c.v, built.JSON); err != nil {
		c.t.Fatal(err)
	}
	var auth []*event.Event
	for _, id := range built.AuthEvents {
		auth = append(auth, c.events[id])
	}
	err = CheckAuthEvents(built, auth, func(matrix.EventID) bool { return false })
	if err == nil {
		err = Check(built, c.state)
	}
	if err != nil {
		return err
	}
	c.events[built.ID], c.last = built, built
	if k, ok := built.Key(); ok {
		c.state[k] = built
	}
	return nil
}

func TestConversationOfRealEvents(t *testing.T) {
	for _, v := range matrix.Versions() {
		c := &conversation{
			t: t, v: v, state: plain{}, events: map[matrix.EventID]*event.Event{}, room: "!room:x",
			signer: event.Signer{Server: "x", KeyID: "ed25519:1", Key: testKey('x')},
		}
		if v.RoomIDIsCreateHash {
			c.room = ""
		}
		content := fmt.Sprintf(`{"creator":"@alice:x","room_version":%q}`, v.Version)
		if v.CreatorIsSender {
			content = fmt.Sprintf(`{"room_version":%q}`, v.Version)
		}
		empty, alice, bob := "", "@alice:x", "@bob:x"
		levels := `{"users":{"@alice:x":100}}`
		if v.PrivilegedCreators {
			levels = `{"users":{}}`
		}
		for i, step := range []struct {
			sender   matrix.UserID
			typ      string
			stateKey *string
			content  string
			allowed  bool
		}{
			{"@alice:x", event.TypeCreate, &empty, content, true},
			{"@bob:x", event.TypeMember, &bob, `{"membership":"join"}`, false},
			{"@alice:x", event.TypeMember, &alice, `{"membership":"join"}`, true},
			{"@alice:x", event.TypePowerLevels, &empty, levels, true},
			{"@alice:x", event.TypeJoinRules, &empty, `{"join_rule":"invite"}`, true},
			{"@bob:x", event.TypeMember, &bob, `{"membership":"join"}`, false},
			{"@alice:x", event.TypeMember, &bob, `{"membership":"invite"}`, true},
			{"@bob:x", event.TypeMember, &bob, `{"membership":"join"}`, true},
			{"@bob:x", "m.room.message", nil, `{"body":"hello","msgtype":"m.text"}`, true},
			{"@bob:x", "m.room.topic", &empty, `{"topic":"mine"}`, false},
			{"@bob:x", event.TypeMember, &alice, `{"membership":"ban"}`, false},
			{"@alice:x", event.TypeMember, &bob, `{"membership":"ban"}`, true},
			{"@bob:x", event.TypeMember, &bob, `{"membership":"join"}`, false},
			{"@bob:x", "m.room.message", nil, `{"body":"still here","msgtype":"m.text"}`, false},
		} {
			err := c.send(step.sender, step.typ, step.stateKey, step.content)
			if (err == nil) != step.allowed {
				t.Errorf("room version %s, step %d: %v", v.Version, i, err)
			}
			if step.typ == event.TypeCreate {
				c.room = c.last.RoomID
			}
		}
	}
}
