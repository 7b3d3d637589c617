package authrules

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/event"
)

// A case of the power levels rule: what the room has, what the sender wants, and the rule, as in ruleCase.
type powerCase struct{ name, sender, old, next, wants string }

func runPower(t *testing.T, cases []powerCase) {
	t.Helper()
	for _, tt := range cases {
		eachVersion(t, tt.wants, func(v *matrix.RoomVersion, want string) {
			state := `!m.room.power_levels ""`
			if tt.old != "" {
				state = `@creator:x m.room.power_levels "" ` + tt.old
			}
			next := strings.ReplaceAll(tt.next, "USERS", usualUsers(v))
			got := ruleOf(t, Check(newEvent(v, tt.sender+` m.room.power_levels "" `+next), newState(v, state)))
			if got != want {
				t.Errorf("%s: room version %s: %s, not %s", tt.name, v.Version, got, want)
			}
		})
	}
}

func TestPowerLevelsForm(t *testing.T) {
	const first, objects, users = "10.1 10.1 9.1 9.1 9.1 9.1 10.1", "10.1 10.1 9.1 9.1 9.1 9.2 10.2", "10.1 10.1 9.1 9.1 9.1 9.3 10.3"
	cases := []powerCase{
		{"nothing", "@creator:x", "", `{}`, "ok"},
		{"integers", "@creator:x", "", `{"ban":1,"events":{"a":-2},"notifications":{"room":0},"users":{"@a:x":3}}`, "ok"},
		{"a string", "@creator:x", "", `{"ban":" +0050 "}`, "ok ok ok ok ok 9.1 10.1"},
		{"a negative string", "@creator:x", "", `{"users_default":"-5"}`, "ok ok ok ok ok 9.1 10.1"},
		{"a word", "@creator:x", "", `{"ban":"fifty"}`, first},
		{"a string of a float", "@creator:x", "", `{"ban":"50.0"}`, first},
		{"a hexadecimal string", "@creator:x", "", `{"ban":"0x32"}`, first},
		{"an underscore", "@creator:x", "", `{"ban":"5_0"}`, first},
		{"two signs", "@creator:x", "", `{"ban":"+-5"}`, first},
		{"an empty string", "@creator:x", "", `{"ban":""}`, first},
		{"a float", "@creator:x", "", `{"ban":50.57}`, "ok ok 9.1 9.1 9.1 9.1 10.1"},
		{"an exponent", "@creator:x", "", `{"ban":5.114698E4}`, "ok ok 9.1 9.1 9.1 9.1 10.1"},
		{"more than a double", "@creator:x", "", `{"ban":1e400}`, first},
		{"null", "@creator:x", "", `{"kick":null}`, first},
		{"true", "@creator:x", "", `{"redact":true}`, first},
		{"an array", "@creator:x", "", `{"invite":[50]}`, first},
		{"events is an array", "@creator:x", "", `{"events":[]}`, objects},
		{"events is null", "@creator:x", "", `{"events":null}`, objects},
		{"a word in events", "@creator:x", "", `{"events":{"a":"b"}}`, objects},
		{"a string in events", "@creator:x", "", `{"events":{"a":"5"}}`, "ok ok ok ok ok 9.2 10.2"},
		{"a word in notifications", "@creator:x", "", `{"notifications":{"room":"b"}}`, "ok ok 9.1 9.1 9.1 9.2 10.2"},
		{"users is an array", "@creator:x", "", `{"users":[]}`, users},
		{"users is a string", "@creator:x", "", `{"users":"@a:x"}`, users},
		{"a word in users", "@creator:x", "", `{"users":{"@a:x":"b"}}`, users},
		{"a string in users", "@creator:x", "", `{"users":{"@a:x":"5"}}`, "ok ok ok ok ok 9.3 10.3"},
		{"a float in users", "@creator:x", "", `{"users":{"@a:x":50.57}}`, "ok ok 9.1 9.1 9.1 9.3 10.3"},
		{"no user id", "@creator:x", "", `{"users":{"a:x":5}}`, users},
		{"a user id without a server", "@creator:x", "", `{"users":{"@a":5}}`, users},
		{"the creator", "@creator:x", "", `{"users":{"@creator:x":100}}`, "ok ok ok ok ok ok 10.4"},
		{"all is wrong", "@creator:x", "", `{"ban":[],"events":[],"users":[]}`, first},
	}
	runPower(t, cases)
}

func TestPowerLevelsChanges(t *testing.T) {
	const usual = `{"users":{USERS}}`
	mod := func(name, old, next, wants string) powerCase {
		return powerCase{name, "@mod:x", strings.ReplaceAll(old, "}}", `,USERS}}`), strings.ReplaceAll(next, "}}", `,USERS}}`), wants}
	}
	const oldScalar, newScalar = "10.3.1 10.3.1 9.3.1 9.3.1 9.3.1 9.5.1 10.6.1", "10.3.2 10.3.2 9.3.2 9.3.2 9.3.2 9.5.2 10.6.2"
	const oldEntry, newEntry = "10.4.1 10.4.1 9.4.1 9.4.1 9.4.1 9.6.1 10.7.1", "10.5.1 10.5.1 9.5.1 9.5.1 9.5.1 9.7.1 10.8.1"
	const oldUser, newUser = "10.6.1 10.6.1 9.6.1 9.6.1 9.6.1 9.8.1 10.9.1", "10.7.1 10.7.1 9.7.1 9.7.1 9.7.1 9.9.1 10.10.1"
	var cases []powerCase
	for _, name := range []string{"users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"} {
		with := func(level int) string {
			return fmt.Sprintf(`{%q:%d,"events":{"m.room.power_levels":50},"users":{USERS}}`, name, level)
		}
		without := `{"events":{"m.room.power_levels":50},"users":{USERS}}`
		cases = append(cases,
			powerCase{name + " is raised", "@mod:x", with(10), with(50), "ok"},
			powerCase{name + " is raised too far", "@mod:x", with(10), with(51), newScalar},
			powerCase{name + " is lowered", "@mod:x", with(50), with(1), "ok"},
			powerCase{name + " was too high", "@mod:x", with(51), with(1), oldScalar},
			powerCase{name + " is removed", "@mod:x", with(50), without, "ok"},
			powerCase{name + " that was too high is removed", "@mod:x", with(51), without, oldScalar},
			powerCase{name + " is added", "@mod:x", without, with(50), "ok"},
			powerCase{name + " is added too high", "@mod:x", without, with(51), newScalar},
			powerCase{name + " stays too high", "@mod:x", with(99), with(99), "ok"},
		)
	}
	cases = append(cases,
		mod("an entry is raised", `{"events":{"a":5},"users":{}}`, `{"events":{"a":50},"users":{}}`, "ok"),
		mod("an entry is raised too far", `{"events":{"a":5},"users":{}}`, `{"events":{"a":51},"users":{}}`, newEntry),
		mod("an entry was too high", `{"events":{"a":51},"users":{}}`, `{"events":{"a":5},"users":{}}`, oldEntry),
		mod("an entry that was too high is removed", `{"events":{"a":51},"users":{}}`, `{"users":{}}`, oldEntry),
		mod("an entry is added too high", `{"users":{}}`, `{"events":{"a":51},"users":{}}`, newEntry),
		mod("an entry stays too high", `{"events":{"a":99},"users":{}}`, `{"events":{"a":99},"users":{}}`, "ok"),
		mod("a notification was too high", `{"notifications":{"room":51},"users":{}}`, `{"users":{}}`,
			"ok ok 9.4.1 9.4.1 9.4.1 9.6.1 10.7.1"),
		mod("a notification is added too high", `{"users":{}}`, `{"notifications":{"room":51},"users":{}}`,
			"ok ok 9.5.1 9.5.1 9.5.1 9.7.1 10.8.1"),
	)
	for i := range cases {
		cases[i].old = strings.ReplaceAll(cases[i].old, "{,", "{")
		cases[i].next = strings.ReplaceAll(cases[i].next, "{,", "{")
	}
	cases = append(cases,
		powerCase{"a user is promoted", "@mod:x", usual, `{"users":{USERS,"@user:x":50}}`, "ok"},
		powerCase{"a user is promoted too far", "@mod:x", usual, `{"users":{USERS,"@user:x":51}}`, newUser},
		powerCase{"an inferior is demoted", "@mod:x", `{"users":{USERS,"@user:x":49}}`, `{"users":{USERS,"@user:x":0}}`, "ok"},
		powerCase{"an equal is demoted", "@mod:x", `{"users":{USERS,"@user:x":50}}`, `{"users":{USERS,"@user:x":0}}`, oldUser},
		powerCase{"an equal is removed", "@mod:x", `{"users":{USERS,"@user:x":50}}`, usual, oldUser},
		powerCase{"a superior is demoted", "@mod:x", `{"users":{USERS,"@user:x":51}}`, usual, oldUser},
		powerCase{"the sender is demoted", "@user:x", `{"state_default":9,"users":{USERS,"@user:x":9}}`,
			`{"state_default":9,"users":{USERS,"@user:x":3}}`, "ok"},
		powerCase{"the sender is promoted", "@user:x", `{"state_default":9,"users":{USERS,"@user:x":9}}`,
			`{"state_default":9,"users":{USERS,"@user:x":10}}`, newUser},
		powerCase{"a creator sets what is above all", "@creator:x", `{"ban":1000,"users":{USERS}}`,
			`{"ban":2000,"users":{USERS,"@user:x":3000}}`, "10.3.1 10.3.1 9.3.1 9.3.1 9.3.1 9.5.1 ok"},
		powerCase{"the same as a string", "@mod:x", `{"ban":"99","users":{USERS}}`, `{"ban":99,"users":{USERS}}`, "ok ok ok ok ok -"},
		powerCase{"a user without power", "@user:x", usual, usual, "8 8 7 7 7 7 8"},
	)
	runPower(t, cases)
}

func TestFirstPowerLevels(t *testing.T) {
	runPower(t, []powerCase{
		{"by the creator", "@creator:x", "", `{"ban":1000,"users":{"@user:x":2000}}`, "ok"},
		{"by a user", "@user:x", "", `{}`, "8 8 7 7 7 7 8"},
	})
}

func TestAdditionalCreators(t *testing.T) {
	const state = `@creator:x m.room.create "" {"additional_creators":["@far:y"],"creator":"@creator:x"}` + "\n"
	runRules(t, []ruleCase{
		{"is above all levels", state, `@far:y m.room.power_levels "" {"events":{"special":75},"users":{}}`,
			"8 8 7 7 7 7 ok"},
		{"cannot be kicked", state, `@creator:x m.room.member @far:y {"membership":"leave"}`,
			"ok ok ok ok ok ok 5.5.5"},
		{"cannot have a level", state, `@creator:x m.room.power_levels "" {"users":{"@far:y":0}}`,
			"10.6.1 10.6.1 9.6.1 9.6.1 9.6.1 9.8.1 10.4"},
		{"is no creator who joins first", state + `!m.room.join_rules ""` + "\n" + `!m.room.member @far:y`,
			`@far:y m.room.member @far:y {"membership":"join"}`, "5.2.6 5.2.6 4.2.6 4.2.6 4.3.7 4.3.7 5.3.7"},
	})
}

// Power levels that cannot be read let nobody do anything. No event of that kind is allowed into a state.
func TestUnreadablePowerLevels(t *testing.T) {
	runRules(t, []ruleCase{{"a message", `@creator:x m.room.power_levels "" {"users":[]}`,
		`@creator:x m.room.message - {}`, "10.1 10.1 9.1 9.1 9.1 9.1 10.1"}})
}

func TestUserLevel(t *testing.T) {
	for _, v := range matrix.Versions() {
		create := newCreate(v, `{"creator":"@creator:x"}`)
		power := newEvent(v, `@creator:x m.room.power_levels "" {"users":{"@mod:x":50},"users_default":5}`)
		first, named := int64(100), int64(5)
		if v.PrivilegedCreators {
			first, named = math.MaxInt64, math.MaxInt64
		}
		for _, tt := range []struct {
			user          matrix.UserID
			create, power *event.Event
			want          int64
		}{
			{"@mod:x", create, power, 50},
			{"@user:x", create, power, 5},
			{"@creator:x", create, power, named},
			{"@creator:x", create, nil, first},
			{"@mod:x", create, nil, 0},
			{"@mod:x", nil, power, 50},
			{"@creator:x", nil, nil, 0},
			{"@user:x", create, newEvent(v, `@creator:x m.room.power_levels "" {"users_default":[]}`), 0},
		} {
			if got := UserLevel(tt.user, tt.create, tt.power); got != tt.want {
				t.Errorf("room version %s: %s has %d, not %d", v.Version, tt.user, got, tt.want)
			}
		}
	}
}

func TestReadLevel(t *testing.T) {
	old, _ := matrix.LookupVersion("5")
	for raw, want := range map[string]int64{
		`0`: 0, `-0`: 0, `100`: 100, `-100`: -100, `50.57`: 50, `-50.57`: -50, `51146.98`: 51146, `5.114698E4`: 51146,
		`1e300`: saturated, `-1e300`: -saturated, `9223372036854775807`: saturated, `"000100"`: 100, `" -100 "`: -100,
		`"+100"`: 100, `"\t7\n"`: 7, `"99999999999999999999999"`: saturated,
	} {
		if got, ok := readLevel(old, []byte(raw)); !ok || got != want {
			t.Errorf("%s is %d, %v, not %d", raw, got, ok, want)
		}
	}
}
