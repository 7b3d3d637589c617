package push

import (
	"encoding/json"

	"hearth/matrix"
)

func actions(parts ...string) []json.RawMessage {
	out := []json.RawMessage{}
	for _, p := range parts {
		out = append(out, json.RawMessage(p))
	}
	return out
}

const (
	notify       = `"notify"`
	highlight    = `{"set_tweak":"highlight"}`
	soundDefault = `{"set_tweak":"sound","value":"default"}`
	soundRing    = `{"set_tweak":"sound","value":"ring"}`
)

func match(key, pattern string) Condition {
	return Condition{Kind: "event_match", Key: key, Pattern: &pattern}
}

func predefined(id string, acts []json.RawMessage, conditions ...Condition) Rule {
	return Rule{ID: id, Default: true, Enabled: true, Actions: acts, Conditions: conditions}
}

// predefinedRules are the rules that every user has.
// spec: client-server-api#predefined-rules
func predefinedRules(kind string, user matrix.UserID) []Rule {
	switch kind {
	case "override":
		return predefinedOverrides(user)
	case "underride":
		return predefinedUnderrides()
	}
	return nil
}

// spec: client-server-api#default-override-rules
func predefinedOverrides(user matrix.UserID) []Rule {
	id := json.RawMessage(matrix.AppendString(nil, string(user)))
	master := predefined(".m.rule.master", actions())
	master.Enabled = false
	return []Rule{
		master,
		predefined(".m.rule.suppress_notices", actions(), match("content.msgtype", "m.notice")),
		predefined(".m.rule.invite_for_me", actions(notify, soundDefault),
			match("type", "m.room.member"), match("content.membership", "invite"), match("state_key", string(user))),
		predefined(".m.rule.member_event", actions(), match("type", "m.room.member")),
		predefined(".m.rule.is_user_mention", actions(notify, soundDefault, highlight),
			Condition{Kind: "event_property_contains", Key: `content.m\.mentions.user_ids`, Value: id}),
		predefined(".m.rule.is_room_mention", actions(notify, highlight),
			Condition{Kind: "event_property_is", Key: `content.m\.mentions.room`, Value: json.RawMessage("true")},
			Condition{Kind: "sender_notification_permission", Key: "room"}),
		predefined(".m.rule.tombstone", actions(notify, highlight), match("type", "m.room.tombstone"), match("state_key", "")),
		predefined(".m.rule.reaction", actions(), match("type", "m.reaction")),
		predefined(".m.rule.room.server_acl", actions(), match("type", "m.room.server_acl"), match("state_key", "")),
		predefined(".m.rule.suppress_edits", actions(),
			Condition{Kind: "event_property_is", Key: `content.m\.relates_to.rel_type`, Value: json.RawMessage(`"m.replace"`)}),
	}
}

// spec: client-server-api#default-underride-rules
func predefinedUnderrides() []Rule {
	two := Condition{Kind: "room_member_count", Is: "2"}
	return []Rule{
		predefined(".m.rule.call", actions(notify, soundRing), match("type", "m.call.invite")),
		predefined(".m.rule.encrypted_room_one_to_one", actions(notify, soundDefault), two, match("type", "m.room.encrypted")),
		predefined(".m.rule.room_one_to_one", actions(notify, soundDefault), two, match("type", "m.room.message")),
		predefined(".m.rule.message", actions(notify), match("type", "m.room.message")),
		predefined(".m.rule.encrypted", actions(notify), match("type", "m.room.encrypted")),
	}
}
