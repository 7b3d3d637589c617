package event

import (
	"crypto/ed25519"
	"testing"

	"hearth/matrix"
)

const hashA, hashB = "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "$BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

// proto returns what an ordinary event of a version is built of.
func proto(v *matrix.RoomVersion, typ, content string) Proto {
	p := Proto{
		RoomID: "!room:domain", Sender: "@alice:domain", Type: typ, Content: []byte(content),
		PrevEvents: []matrix.EventID{hashA}, AuthEvents: []matrix.EventID{hashA, hashB}, Depth: 7, Time: 1700000000000,
	}
	switch {
	case v.IsPaired():
		p.EventID = "$made:domain"
		p.Hashes = map[matrix.EventID]Hash{hashA: {1, 2, 3}}
	case v.RoomIDIsCreateHash && typ == TypeCreate:
		p.RoomID = ""
	case v.RoomIDIsCreateHash:
		p.RoomID = "!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	}
	return p
}

// What is built can be parsed and loaded, has the same id, is hashed and signed, and stays signed when redacted.
func TestBuildRoundTrip(t *testing.T) {
	s := testSigner(t)
	pub := s.Key.Public().(ed25519.PublicKey)
	empty := ""
	for _, v := range matrix.Versions() {
		for _, c := range []struct {
			typ, content string
			state        *string
		}{
			{"m.room.message", `{"msgtype":"m.text", "body":"hello \u65e5\n"}`, nil},
			{TypeMember, `{"membership":"join","displayname":"Alice"}`, &empty},
			{TypeCreate, `{"room_version":"` + string(v.Version) + `","creator":"@alice:domain","m.federate":true}`, &empty},
			{TypeRedaction, `{"reason":"spam"}`, nil},
		} {
			p := proto(v, c.typ, c.content)
			p.StateKey = c.state
			if c.typ == TypeRedaction {
				p.Redacts = hashB
			}
			built, err := Build(v, p, s)
			if err != nil {
				t.Fatalf("version %s: building %s: %v", v.Version, c.typ, err)
			}
			if canonical, err := v.Canonical(built.JSON); err != nil || string(canonical) != string(built.JSON) {
				t.Errorf("version %s: %s is not canonical: %s, %v", v.Version, c.typ, built.JSON, err)
			}
			parsed, err := Parse(v, built.JSON)
			if err != nil {
				t.Fatalf("version %s: parsing %s: %v", v.Version, built.JSON, err)
			}
			same(t, "parsed", parsed, built)
			loaded, err := Load(v, built.ID, built.JSON)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "loaded", loaded, built)
			if err := built.CheckHash(); err != nil {
				t.Error(err)
			}
			redacted, err := built.Redacted()
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range []*Event{built, redacted} {
				if err := e.VerifySignature(s.Server, s.KeyID, pub); err != nil {
					t.Errorf("version %s: %v", v.Version, err)
				}
				if again, err := Parse(v, e.JSON); err != nil || again.ID != built.ID {
					t.Errorf("version %s: id of %s changed: %v", v.Version, e.JSON, err)
				}
			}
		}
	}
}

// same compares two events field by field.
func same(t *testing.T, name string, got, want *Event) {
	t.Helper()
	if got.Version != want.Version || got.ID != want.ID || got.RoomID != want.RoomID || got.Sender != want.Sender ||
		got.Type != want.Type || got.Redacts != want.Redacts || got.Depth != want.Depth || got.Time != want.Time ||
		string(got.Content) != string(want.Content) || string(got.JSON) != string(want.JSON) ||
		got.IsState() != want.IsState() || want.IsState() && !got.StateKeyEquals(*want.StateKey) {
		t.Errorf("%s event differs: got %+v, want %+v", name, got, want)
	}
	for i, ids := range [2][2][]matrix.EventID{{got.PrevEvents, want.PrevEvents}, {got.AuthEvents, want.AuthEvents}} {
		if len(ids[0]) != len(ids[1]) {
			t.Fatalf("%s event: list %d is %v, want %v", name, i, ids[0], ids[1])
		}
		for j := range ids[0] {
			if ids[0][j] != ids[1][j] {
				t.Errorf("%s event: list %d is %v, want %v", name, i, ids[0], ids[1])
			}
		}
	}
}
