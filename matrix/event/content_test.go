package event

import (
	"slices"
	"testing"

	"hearth/matrix"
)

// withContent returns an event that has nothing but a sender and a content.
func withContent(v *matrix.RoomVersion, content string) *Event {
	return &Event{Version: v, Sender: "@alice:domain", Content: []byte(content)}
}

func TestReadCreation(t *testing.T) {
	for i, v := range matrix.Versions() {
		c := ReadCreation(withContent(v, `{"creator":"@bob:domain","m.federate":false,"room_version":"9","type":"m.space",
			"additional_creators":["@carol:domain",1,"@dave:domain"]}`))
		want := matrix.UserID("@bob:domain")
		if i+1 >= 11 {
			want = "@alice:domain"
		}
		if c.Creator != want || c.Federate || c.Version != "9" || c.Type != "m.space" {
			t.Errorf("version %s: %+v", v.Version, c)
		}
		additional := []matrix.UserID{"@carol:domain", "@dave:domain"}
		if i+1 < 12 {
			additional = nil
		}
		if !slices.Equal(c.Additional, additional) || c.IsCreator("@dave:domain") != (i+1 == 12) || !c.IsCreator(want) {
			t.Errorf("version %s: additional creators %v", v.Version, c.Additional)
		}
	}
	c := ReadCreation(withContent(version(t, "12"), `{"m.federate":"false","room_version":1,"type":null,"additional_creators":"x"}`))
	if !c.Federate || c.Version != "1" || c.Type != "" || c.Additional != nil {
		t.Errorf("wrong shapes were read as %+v", c)
	}
}

// spec: client-server-api#mroompower_levels users_default
func TestPowerOfCreators(t *testing.T) {
	for i, v := range matrix.Versions() {
		c := ReadCreation(withContent(v, `{"creator":"@alice:domain","additional_creators":["@carol:domain"]}`))
		levels, err := ParsePowerLevels(v, []byte(`{"users":{"@alice:domain":5,"@carol:domain":6},"users_default":7}`))
		if err != nil {
			t.Fatal(err)
		}
		got := [...]int64{
			c.Power(nil, "@alice:domain"), c.Power(nil, "@carol:domain"), c.Power(nil, "@bob:domain"),
			c.Power(levels, "@alice:domain"), c.Power(levels, "@carol:domain"), c.Power(levels, "@bob:domain"),
		}
		want := [...]int64{100, 0, 0, 5, 6, 7}
		if i+1 == 12 {
			want = [...]int64{CreatorPower, CreatorPower, 0, CreatorPower, CreatorPower, 7}
		}
		if got != want {
			t.Errorf("version %s: %v, want %v", v.Version, got, want)
		}
	}
}

func TestContentReaders(t *testing.T) {
	v := version(t, "12")
	e := withContent(v, `{"membership":"join","join_authorised_via_users_server":"@a:b","join_rule":"restricted",
		"allow":[{"type":"m.room_membership","room_id":"!a"},{"type":"other","room_id":"!b"},1,{"type":"m.room_membership"}]}`)
	if e.Membership() != Join || e.Authoriser() != "@a:b" || e.JoinRule() != JoinRestricted {
		t.Errorf("read %q, %q, %q", e.Membership(), e.Authoriser(), e.JoinRule())
	}
	if rooms := e.AllowedRooms(); !slices.Equal(rooms, []matrix.RoomID{"!a"}) {
		t.Errorf("allowed rooms are %v", rooms)
	}
	e = withContent(v, `{"membership":1,"join_rule":null,"allow":{}}`)
	if e.Membership() != "" || e.Authoriser() != "" || e.JoinRule() != "" || e.AllowedRooms() != nil {
		t.Error("wrong shapes were read")
	}
}

func TestKeys(t *testing.T) {
	key := "k"
	state, message := &Event{Type: "t", StateKey: &key}, &Event{Type: "t"}
	if k, ok := state.Key(); !ok || k != (Key{"t", "k"}) || !state.Is("t", "k") || state.Is("t", "") || state.Is("u", "k") || !state.IsState() {
		t.Error("wrong key of a state event")
	}
	if _, ok := message.Key(); ok || message.IsState() || message.StateKeyEquals("") {
		t.Error("a message has a key")
	}
}
