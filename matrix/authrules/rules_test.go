package authrules

import (
	"testing"

	"hearth/matrix"
)

// A rule's case: an event, what is special in the state, and the rule that refuses it in room versions 1-2, 3-5,
// 6, 7, 8-9, 10-11 and 12, where "ok" is allowed and "-" does not apply. The last one holds for all that follow.
type ruleCase struct{ name, state, event, wants string }

func runRules(t *testing.T, cases []ruleCase) {
	t.Helper()
	for _, tt := range cases {
		eachVersion(t, tt.wants, func(v *matrix.RoomVersion, want string) {
			got := ruleOf(t, Check(newEvent(v, tt.event), newState(v, tt.state)))
			if got != want {
				t.Errorf("%s: room version %s: %s, not %s", tt.name, v.Version, got, want)
			}
		})
	}
}

func TestFederateRule(t *testing.T) {
	const closed = `@creator:x m.room.create "" {"creator":"@creator:x","m.federate":false}`
	runRules(t, []ruleCase{
		{"a stranger's event", closed, `@far:y m.room.message - {}`, "3 3 3 3 3 3 4"},
		{"an event of the creator's server", closed, `@user:x m.room.message - {}`, "ok"},
		{"federation is not forbidden", `@creator:x m.room.create "" {"creator":"@creator:x","m.federate":true}`,
			`@far:y m.room.message - {}`, "ok"},
		{"m.federate is no boolean", `@creator:x m.room.create "" {"creator":"@creator:x","m.federate":"false"}`,
			`@far:y m.room.message - {}`, "ok"},
		{"no create event", `!m.room.create ""`, `@user:x m.room.message - {}`, "2.4 2.4 2.4 2.4 2.4 2.4 2"},
	})
}

func TestAliasesRule(t *testing.T) {
	runRules(t, []ruleCase{
		{"no state key", "", `@user:x m.room.aliases - {}`, "4.1 4.1 ok"},
		{"another server", "", `@user:x m.room.aliases y {}`, "4.2 4.2 7 7 7 7 8"},
		{"from outside the room", "", `@out:y m.room.aliases y {}`, "ok ok 5 5 5 5 6"},
		{"an admin", "", `@admin:x m.room.aliases x {}`, "ok"},
	})
}

func TestMemberRule(t *testing.T) {
	runRules(t, []ruleCase{
		{"no state key", "", `@user:x m.room.member - {"membership":"join"}`, "5.1 5.1 4.1 4.1 4.1 4.1 5.1"},
		{"no membership", "", `@user:x m.room.member @user:x {}`, "5.1 5.1 4.1 4.1 4.1 4.1 5.1"},
		{"membership is no string", "", `@user:x m.room.member @user:x {"membership":1}`, "5.1 5.1 4.1 4.1 4.1 4.1 5.1"},
		{"unknown membership", "", `@user:x m.room.member @user:x {"membership":"haunt"}`,
			"5.6 5.6 4.6 4.7 4.8 4.8 5.8"},
		{"knocking before version 7", "", `@out:y m.room.member @out:y {"membership":"knock"}`, "5.6 5.6 4.6 4.6.1 4.7.1 4.7.1 5.7.1"},
		{"not signed by the authorising server", "",
			`@user:x m.room.member @user:x {"join_authorised_via_users_server":"@far:y","membership":"leave"}`,
			"ok ok ok ok 4.2.1 4.2.1 5.2.1"},
		{"authorised by no user", "",
			`@user:x m.room.member @user:x {"join_authorised_via_users_server":true,"membership":"leave"}`,
			"ok ok ok ok 4.2.1 4.2.1 5.2.1"},
		{"signed by the authorising server", "",
			`@user:x m.room.member @user:x {"join_authorised_via_users_server":"@mod:x","membership":"leave"}`, "ok"},
	})
}

func rule(join string) string {
	return `@creator:x m.room.join_rules "" {"join_rule":"` + join + `"}` + "\n"
}

func TestJoinRule(t *testing.T) {
	const outsider = `@out:y m.room.member @out:y {"membership":"join"}`
	const invited = `@invited:y m.room.member @invited:y {"membership":"join"}`
	const member = `@user:x m.room.member @user:x {"displayname":"U","membership":"join"}`
	const banned = `@banned:y m.room.member @banned:y {"membership":"join"}`
	const refused = "5.2.6 5.2.6 4.2.6 4.2.6 4.3.7 4.3.7 5.3.7"
	runRules(t, []ruleCase{
		{"for somebody else", "", `@user:x m.room.member @out:y {"membership":"join"}`,
			"5.2.2 5.2.2 4.2.2 4.2.2 4.3.2 4.3.2 5.3.2"},
		{"banned", "", banned, "5.2.3 5.2.3 4.2.3 4.2.3 4.3.3 4.3.3 5.3.3"},
		{"public", "", outsider, "ok"},
		{"public, again", "", member, "ok"},
		{"invite, not invited", rule("invite"), outsider, refused},
		{"invite, invited", rule("invite"), invited, "ok"},
		{"invite, a member", rule("invite"), member, "ok"},
		{"invite, having left", rule("invite"), `@left:y m.room.member @left:y {"membership":"join"}`, refused},
		{"no join rules", `!m.room.join_rules ""`, outsider, refused},
		{"no join rules, invited", `!m.room.join_rules ""`, invited, "ok"},
		{"knock", rule("knock"), outsider, refused},
		{"knock, invited", rule("knock"), invited, "5.2.6 5.2.6 4.2.6 ok"},
		{"knock, having knocked", rule("knock"), `@knocker:y m.room.member @knocker:y {"membership":"join"}`, refused},
		{"private", rule("private"), member, refused},
		{"restricted, a member", rule("restricted"), member, "5.2.6 5.2.6 4.2.6 4.2.6 ok"},
		{"restricted, invited", rule("restricted"), invited, "5.2.6 5.2.6 4.2.6 4.2.6 ok"},
		{"restricted, nobody authorises", rule("restricted"), outsider,
			"5.2.6 5.2.6 4.2.6 4.2.6 4.3.5.2 4.3.5.2 5.3.5.2"},
		{"restricted, banned", rule("restricted"), banned, "5.2.3 5.2.3 4.2.3 4.2.3 4.3.3 4.3.3 5.3.3"},
		{"knock_restricted, invited", rule("knock_restricted"), invited, "5.2.6 5.2.6 4.2.6 4.2.6 4.3.7 ok"},
		{"knock_restricted, nobody authorises", rule("knock_restricted"), outsider,
			"5.2.6 5.2.6 4.2.6 4.2.6 4.3.7 4.3.5.2 5.3.5.2"},
	})
	via := func(user string) string {
		return `@other:x m.room.member @other:x {"join_authorised_via_users_server":"` + user + `","membership":"join"}`
	}
	runRules(t, []ruleCase{
		{"authorised by a moderator", rule("restricted"), via("@mod:x"), "- - - - ok"},
		{"authorised without the power to invite", rule("restricted"), via("@user:x"), "- - - - 4.3.5.2 4.3.5.2 5.3.5.2"},
		{"authorised by an absent user with power", rule("restricted"), via("@helper:x"), "- - - - 4.3.5.2 4.3.5.2 5.3.5.2"},
		{"authorised under knock_restricted", rule("knock_restricted"), via("@mod:x"), "- - - - 4.3.7 ok"},
		{"authorised by the creator", rule("restricted"), via("@creator:x"), "- - - - ok"},
	})
}

func TestInviteRule(t *testing.T) {
	runRules(t, []ruleCase{
		{"by a stranger", "", `@out:y m.room.member @left:y {"membership":"invite"}`,
			"5.3.2 5.3.2 4.3.2 4.3.2 4.4.2 4.4.2 5.4.2"},
		{"of a member", "", `@mod:x m.room.member @user:x {"membership":"invite"}`,
			"5.3.3 5.3.3 4.3.3 4.3.3 4.4.3 4.4.3 5.4.3"},
		{"of a banned user", "", `@admin:x m.room.member @banned:y {"membership":"invite"}`,
			"5.3.3 5.3.3 4.3.3 4.3.3 4.4.3 4.4.3 5.4.3"},
		{"with the power", "", `@mod:x m.room.member @left:y {"membership":"invite"}`, "ok"},
		{"of who is invited", "", `@mod:x m.room.member @invited:y {"membership":"invite"}`, "ok"},
		{"without the power", "", `@user:x m.room.member @left:y {"membership":"invite"}`,
			"5.3.5 5.3.5 4.3.5 4.3.5 4.4.5 4.4.5 5.4.5"},
		{"by anybody, without power levels", `!m.room.power_levels ""`,
			`@user:x m.room.member @left:y {"membership":"invite"}`, "ok"},
	})
}

func TestLeaveRule(t *testing.T) {
	const refused = "5.4.5 5.4.5 4.4.5 4.4.5 4.5.5 4.5.5 5.5.5"
	runRules(t, []ruleCase{
		{"a member", "", `@user:x m.room.member @user:x {"membership":"leave"}`, "ok"},
		{"refusing an invite", "", `@invited:y m.room.member @invited:y {"membership":"leave"}`, "ok"},
		{"taking back a knock", "", `@knocker:y m.room.member @knocker:y {"membership":"leave"}`,
			"5.4.1 5.4.1 4.4.1 ok"},
		{"having left", "", `@left:y m.room.member @left:y {"membership":"leave"}`,
			"5.4.1 5.4.1 4.4.1 4.4.1 4.5.1 4.5.1 5.5.1"},
		{"banned", "", `@banned:y m.room.member @banned:y {"membership":"leave"}`,
			"5.4.1 5.4.1 4.4.1 4.4.1 4.5.1 4.5.1 5.5.1"},
		{"a kick by a stranger", "", `@out:y m.room.member @user:x {"membership":"leave"}`,
			"5.4.2 5.4.2 4.4.2 4.4.2 4.5.2 4.5.2 5.5.2"},
		{"an unban", "", `@mod:x m.room.member @banned:y {"membership":"leave"}`, "ok"},
		{"an unban without the power", `@creator:x m.room.power_levels "" {"ban":51,"users":{USERS}}`,
			`@mod:x m.room.member @banned:y {"membership":"leave"}`,
			"5.4.3 5.4.3 4.4.3 4.4.3 4.5.3 4.5.3 5.5.3"},
		{"a kick", "", `@mod:x m.room.member @user:x {"membership":"leave"}`, "ok"},
		{"a kick without the power", "", `@user:x m.room.member @far:y {"membership":"leave"}`, refused},
		{"a kick of an equal", "", `@mod:x m.room.member @mod2:x {"membership":"leave"}`, refused},
		{"a kick of a superior", "", `@mod:x m.room.member @admin:x {"membership":"leave"}`, refused},
		{"a kick of the creator", "", `@admin:x m.room.member @creator:x {"membership":"leave"}`, refused},
		{"a kick by the creator", "", `@creator:x m.room.member @admin:x {"membership":"leave"}`,
			"5.4.5 5.4.5 4.4.5 4.4.5 4.5.5 4.5.5 ok"},
	})
}

func TestBanRule(t *testing.T) {
	const refused = "5.5.3 5.5.3 4.5.3 4.5.3 4.6.3 4.6.3 5.6.3"
	runRules(t, []ruleCase{
		{"by a stranger", "", `@out:y m.room.member @user:x {"membership":"ban"}`,
			"5.5.1 5.5.1 4.5.1 4.5.1 4.6.1 4.6.1 5.6.1"},
		{"of a member", "", `@mod:x m.room.member @user:x {"membership":"ban"}`, "ok"},
		{"of a stranger", "", `@mod:x m.room.member @out:y {"membership":"ban"}`, "ok"},
		{"without the power", "", `@user:x m.room.member @far:y {"membership":"ban"}`, refused},
		{"of an equal", "", `@mod:x m.room.member @mod2:x {"membership":"ban"}`, refused},
		{"of oneself", "", `@mod:x m.room.member @mod:x {"membership":"ban"}`, refused},
		{"without power levels", `!m.room.power_levels ""`, `@creator:x m.room.member @user:x {"membership":"ban"}`, "ok"},
	})
}

func TestKnockRule(t *testing.T) {
	const outsider = `@out:y m.room.member @out:y {"membership":"knock"}`
	runRules(t, []ruleCase{
		{"a public room", "", outsider, "- - - 4.6.1 4.7.1 4.7.1 5.7.1"},
		{"a restricted room", rule("restricted"), outsider, "- - - 4.6.1 4.7.1 4.7.1 5.7.1"},
		{"knock", rule("knock"), outsider, "- - - ok"},
		{"knock_restricted", rule("knock_restricted"), outsider, "- - - 4.6.1 4.7.1 ok"},
		{"for somebody else", rule("knock"), `@user:x m.room.member @out:y {"membership":"knock"}`,
			"- - - 4.6.2 4.7.2 4.7.2 5.7.2"},
		{"again", rule("knock"), `@knocker:y m.room.member @knocker:y {"membership":"knock"}`, "- - - ok"},
		{"having left", rule("knock"), `@left:y m.room.member @left:y {"membership":"knock"}`, "- - - ok"},
		{"banned", rule("knock"), `@banned:y m.room.member @banned:y {"membership":"knock"}`,
			"- - - 4.6.4 4.7.4 4.7.4 5.7.4"},
		{"invited", rule("knock"), `@invited:y m.room.member @invited:y {"membership":"knock"}`,
			"- - - 4.6.4 4.7.4 4.7.4 5.7.4"},
		{"joined", rule("knock"), `@user:x m.room.member @user:x {"membership":"knock"}`,
			"- - - 4.6.4 4.7.4 4.7.4 5.7.4"},
	})
}

func TestOtherEventsRules(t *testing.T) {
	runRules(t, []ruleCase{
		{"a message", "", `@user:x m.room.message - {}`, "ok"},
		{"a message of a stranger", "", `@out:y m.room.message - {}`, "6 6 5 5 5 5 6"},
		{"a message of an invited user", "", `@invited:y m.room.message - {}`, "6 6 5 5 5 5 6"},
		{"a message of a banned user", "", `@banned:y m.room.message - {}`, "6 6 5 5 5 5 6"},
		{"an invitation by e-mail", "", `@mod:x m.room.third_party_invite token {}`, "ok"},
		{"one with just the power to invite", `@creator:x m.room.power_levels "" {"invite":50,"users":{USERS}}`,
			`@mod:x m.room.third_party_invite token {}`, "ok"},
		{"one without the power to invite", "", `@user:x m.room.third_party_invite token {}`,
			"7.1 7.1 6.1 6.1 6.1 6.1 7.1"},
		{"state by a user", "", `@user:x m.room.topic "" {}`, "8 8 7 7 7 7 8"},
		{"state by a moderator", "", `@mod:x m.room.topic "" {}`, "ok"},
		{"state by a user, without power levels", `!m.room.power_levels ""`, `@user:x m.room.topic "" {}`, "8 8 7 7 7 7 8"},
		{"state by the creator, without power levels", `!m.room.power_levels ""`, `@creator:x m.room.topic "" {}`, "ok"},
		{"a type with a level", "", `@mod:x special - {}`, "8 8 7 7 7 7 8"},
		{"a type with a level, by an admin", "", `@admin:x special - {}`, "ok"},
		{"a message with a default level", `@creator:x m.room.power_levels "" {"events_default":1,"users":{USERS}}`,
			`@user:x m.room.message - {}`, "8 8 7 7 7 7 8"},
		{"a user with a default level", `@creator:x m.room.power_levels "" {"users":{USERS},"users_default":50}`,
			`@user:x m.room.topic "" {}`, "ok"},
		{"somebody's own state", "", `@mod:x mine @mod:x {}`, "ok"},
		{"somebody else's state", "", `@mod:x mine @user:x {}`, "9 9 8 8 8 8 9"},
		{"somebody else's state, by an admin", "", `@admin:x mine @user:x {}`, "9 9 8 8 8 8 9"},
	})
}

func TestRedactionRule(t *testing.T) {
	runRedaction := func(sender string, redacts matrix.EventID, wants string) {
		eachVersion(t, wants, func(v *matrix.RoomVersion, want string) {
			e := newEvent(v, sender+` m.room.redaction - {}`)
			e.ID, e.Redacts = "$redaction:x", redacts
			if got := ruleOf(t, Check(e, newState(v, ""))); got != want {
				t.Errorf("%s redacts %s: room version %s: %s, not %s", sender, redacts, v.Version, got, want)
			}
		})
	}
	runRedaction("@mod:x", "$event:y", "ok")
	runRedaction("@user:x", "$event:x", "ok")
	runRedaction("@user:x", "$event:y", "11.3 ok")
	runRedaction("@user:x", "", "11.3 ok")
}
