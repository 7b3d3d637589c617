package authrules

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
)

// A Checker gives the answers of Check, whatever it has seen before.
func TestCheckerForgetsNothingItShould(t *testing.T) {
	for _, v := range matrix.Versions() {
		var c Checker
		for round := range 3 {
			for i := range 2 * rememberedLevels {
				state := newState(v, fmt.Sprintf(`@creator:x m.room.power_levels "" {"events_default":%d}`, i))
				state[event.Key{Type: event.TypePowerLevels}].ID += matrix.EventID(fmt.Sprint(i))
				if i%3 == 0 {
					create := newCreate(v, `{"creator":"@creator:x","m.federate":false}`)
					if create.ID += "2"; v.RoomIDIsCreateHash {
						create.ID = "$create"
						continue
					}
					state[event.Key{Type: event.TypeCreate}] = create
				}
				for _, sender := range []string{"@user:x", "@far:y", "@creator:x"} {
					e := newEvent(v, sender+` m.room.message - {}`)
					want, got := ruleOf(t, Check(e, state)), ruleOf(t, c.Check(e, state))
					if got != want {
						t.Fatalf("room version %s, round %d: %s, not %s", v.Version, round, got, want)
					}
				}
				if len(c.power) > rememberedLevels {
					t.Fatalf("%d power levels are remembered", len(c.power))
				}
			}
		}
	}
}

type broken struct{ at string }

var errBroken = errors.New("the disk is broken")

func (b broken) Event(k event.Key) (*event.Event, error) {
	v, _ := matrix.LookupVersion("11")
	if k.Type+" "+k.StateKey == b.at {
		return nil, errBroken
	}
	return newState(v, rule("restricted")+`@user:x m.room.third_party_invite abc {}`).Event(k)
}

// A state that cannot be read is no refusal.
func TestUnreadableState(t *testing.T) {
	v, _ := matrix.LookupVersion("11")
	for _, tt := range []struct{ at, event string }{
		{"m.room.create ", `@user:x m.room.message - {}`},
		{"m.room.power_levels ", `@user:x m.room.message - {}`},
		{"m.room.member @user:x", `@user:x m.room.message - {}`},
		{"m.room.member @user:x", `@user:x m.room.member @user:x {"membership":"join"}`},
		{"m.room.join_rules ", `@user:x m.room.member @user:x {"membership":"join"}`},
		{"m.room.member @mod:x", `@out:x m.room.member @out:x {"join_authorised_via_users_server":"@mod:x","membership":"join"}`},
		{"m.room.member @mod:x", `@mod:x m.room.member @out:y {"membership":"invite"}`},
		{"m.room.member @out:y", `@mod:x m.room.member @out:y {"membership":"invite"}`},
		{"m.room.member @out:y", `@mod:x m.room.member @out:y {"membership":"invite","third_party_invite":{}}`},
		{"m.room.third_party_invite abc", `@user:x m.room.member @out:y {"membership":"invite","third_party_invite":{"signed":{"mxid":"@out:y","token":"abc"}}}`},
		{"m.room.member @mod:x", `@mod:x m.room.member @out:y {"membership":"leave"}`},
		{"m.room.member @out:y", `@mod:x m.room.member @out:y {"membership":"leave"}`},
		{"m.room.member @mod:x", `@mod:x m.room.member @out:y {"membership":"ban"}`},
		{"m.room.join_rules ", `@out:y m.room.member @out:y {"membership":"knock"}`},
	} {
		if err := Check(newEvent(v, tt.event), broken{tt.at}); !errors.Is(err, errBroken) {
			t.Errorf("%s without %s: %v", tt.event, tt.at, err)
		}
	}
}

func TestErrorNamesVersionAndRule(t *testing.T) {
	v, _ := matrix.LookupVersion("12")
	err := Check(newEvent(v, `@out:y m.room.message - {}`), newState(v, ""))
	if want := "room version 12, rule 6: the sender is not joined"; err == nil || err.Error() != want {
		t.Errorf("%v, not %s", err, want)
	}
}

// Checking a message allocates nothing once the power levels are known.
func TestCheckAllocatesNothing(t *testing.T) {
	v, _ := matrix.LookupVersion("12")
	state, e := newState(v, ""), newEvent(v, `@user:x m.room.message - {"body":"hello","msgtype":"m.text"}`)
	var c Checker
	if n := testing.AllocsPerRun(100, func() {
		if c.Check(e, state) != nil {
			t.Fatal("refused")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzCheck: whatever an event and the state hold, Check decides, and what it allows into the state it can read.
func FuzzCheck(f *testing.F) {
	f.Add(11, uint8(0), "@user:x", "@user:x", []byte(`{"membership":"join"}`), []byte(`{"users":{"@user:x":"5"}}`))
	f.Add(0, uint8(1), "@creator:x", "", []byte(`{"ban":1e3,"users":{"@a:x":5}}`), []byte(`{"users":null}`))
	f.Add(9, uint8(2), "@mod:x", "", []byte(`{"additional_creators":["@a:x"]}`), []byte(`{"events":{"a":1}}`))
	f.Add(7, uint8(0), "@user:x", "@out:y", []byte(`{"membership":"invite","third_party_invite":{"signed":{"mxid":"@out:y","signatures":{"a":{"ed25519:1":"b"}},"token":"abc"}}}`), []byte(`{}`))
	types := []string{event.TypeMember, event.TypePowerLevels, event.TypeCreate, event.TypeJoinRules,
		event.TypeThirdPartyInvite, event.TypeAliases, event.TypeRedaction, "m.room.message"}
	f.Fuzz(func(t *testing.T, version int, typ uint8, sender, stateKey string, content, power []byte) {
		versions := matrix.Versions()
		v := versions[uint(version)%uint(len(versions))]
		content, err := v.Canonical(content)
		if err != nil || !matrix.IsObject(content) {
			return
		}
		power, err = v.Canonical(power)
		if err != nil || !matrix.IsObject(power) {
			return
		}
		state := newState(v, `@user:x m.room.third_party_invite abc {"public_key":"`+strings.Repeat("A", 43)+`"}`)
		state[event.Key{Type: event.TypePowerLevels}].Content = power
		e := newEvent(v, `@user:x m.room.message - {}`)
		e.Type, e.Sender, e.Content = types[int(typ)%len(types)], matrix.UserID(sender), content
		if stateKey != "-" {
			e.StateKey = &stateKey
		}
		err = Check(e, state)
		if _, refused := errors.AsType[*Error](err); err != nil && !refused {
			t.Fatalf("no decision: %v", err)
		}
		Needed(v, e.Type, e.Sender, e.StateKey, e.Content)
		if e.Type != event.TypePowerLevels || err != nil {
			return
		}
		if _, bad := readLevels(v, content); bad != noneBad {
			t.Fatalf("%s was allowed and cannot be read", content)
		}
	})
}

func BenchmarkCheckMessage(b *testing.B) {
	v, _ := matrix.LookupVersion("12")
	state := newState(v, "")
	e := newEvent(v, `@user:x m.room.message - {"body":"hello","msgtype":"m.text"}`)
	b.Run("checker", func(b *testing.B) {
		var c Checker
		b.ReportAllocs()
		for b.Loop() {
			if err := c.Check(e, state); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("without memory", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := Check(e, state); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCheckJoin(b *testing.B) {
	v, _ := matrix.LookupVersion("12")
	state := newState(v, "")
	e := newEvent(v, `@out:y m.room.member @out:y {"membership":"join"}`)
	var c Checker
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Check(e, state); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheckPowerLevels changes one of 5,000 users' levels.
func BenchmarkCheckPowerLevels(b *testing.B) {
	v, _ := matrix.LookupVersion("12")
	var users []string
	for i := range 5_000 {
		users = append(users, fmt.Sprintf(`"@u%04d:x":10`, i))
	}
	old := strings.Join(users, ",")
	users[7] = `"@u0007:x":20`
	state := newState(v, `@creator:x m.room.power_levels "" {"users":{`+old+`}}`)
	e := newEvent(v, `@creator:x m.room.power_levels "" {"users":{`+strings.Join(users, ",")+`}}`)
	var c Checker
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Check(e, state); err != nil {
			b.Fatal(err)
		}
	}
}
