package push

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth/matrix"
	"hearth/matrix/event"
)

const me = matrix.UserID("@me:here.example")

// fakeRoom answers what conditions ask.
type fakeRoom struct {
	joined int64
	name   string
	level  map[matrix.UserID]bool // who may notify the room
	err    error
}

func (r fakeRoom) Joined() (int64, error)                            { return r.joined, r.err }
func (r fakeRoom) DisplayName(matrix.UserID) (string, error)         { return r.name, r.err }
func (r fakeRoom) MayNotify(u matrix.UserID, _ string) (bool, error) { return r.level[u], r.err }

// newEvent builds an event of another user from its type, state key ("-" for none) and content.
func newEvent(t testing.TB, sender matrix.UserID, typ, key, content string) *event.Event {
	t.Helper()
	v, _ := matrix.LookupVersion("11")
	canonical, err := matrix.Canonical([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	obj := matrix.AppendString([]byte(`{"content":`+string(canonical)+`,"depth":1,"origin_server_ts":1,"room_id":"!r:here.example","sender":`), string(sender))
	if key != "-" {
		obj = matrix.AppendString(append(obj, `,"state_key":`...), key)
	}
	obj = append(matrix.AppendString(append(obj, `,"type":`...), typ), '}')
	if obj, err = matrix.Canonical(obj); err != nil {
		t.Fatal(err)
	}
	e, err := event.Load(v, "$id", obj)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// said shows an outcome in short: "", "notify" or "highlight", with the sound.
func said(o Outcome) string {
	s := ""
	switch {
	case o.Notify && o.Highlight:
		s = "highlight"
	case o.Notify:
		s = "notify"
	}
	for _, a := range o.Actions {
		if tweak, _ := matrix.StringField(a, "set_tweak"); tweak == "sound" {
			sound, _ := matrix.StringField(a, "value")
			s += " " + sound
		}
	}
	return s
}

// spec: client-server-api#predefined-rules
func TestPredefinedRules(t *testing.T) {
	rs := newRuleset(me, &stored{}, 0)
	chief := matrix.UserID("@chief:here.example")
	many := fakeRoom{joined: 3, name: "My Name", level: map[matrix.UserID]bool{chief: true}}
	two := many
	two.joined = 2
	for _, c := range []struct {
		name    string
		sender  matrix.UserID
		typ     string
		key     string
		content string
		room    fakeRoom
		want    string
	}{
		{"a message", "@a:b", "m.room.message", "-", `{"msgtype":"m.text","body":"x"}`, many, "notify"},
		{"a message between two", "@a:b", "m.room.message", "-", `{"body":"x"}`, two, "notify default"},
		{"one's own", me, "m.room.message", "-", `{"body":"x","m.mentions":{"user_ids":["@me:here.example"]}}`, two, ""},
		{"encrypted", "@a:b", "m.room.encrypted", "-", `{}`, many, "notify"},
		{"encrypted between two", "@a:b", "m.room.encrypted", "-", `{}`, two, "notify default"},
		{"a notice", "@a:b", "m.room.message", "-", `{"msgtype":"m.notice","body":"x"}`, two, ""},
		{"a notice that mentions", "@a:b", "m.room.message", "-", `{"msgtype":"m.notice","m.mentions":{"user_ids":["@me:here.example"]}}`, many, ""},
		{"an invite", "@a:b", "m.room.member", string(me), `{"membership":"invite"}`, many, "notify default"},
		{"another's invite", "@a:b", "m.room.member", "@x:y", `{"membership":"invite"}`, many, ""},
		{"a join", "@a:b", "m.room.member", "@x:y", `{"membership":"join"}`, two, ""},
		{"a mention", "@a:b", "m.room.message", "-", `{"body":"x","m.mentions":{"user_ids":["@x:y","@me:here.example"]}}`, many, "highlight default"},
		{"another's mention", "@a:b", "m.room.message", "-", `{"body":"x","m.mentions":{"user_ids":["@me:here.exampl"]}}`, many, "notify"},
		{"a mention of no list", "@a:b", "m.room.message", "-", `{"m.mentions":{"user_ids":"@me:here.example"}}`, many, "notify"},
		{"a mention in any event", "@a:b", "org.example", "-", `{"m.mentions":{"user_ids":["@me:here.example"]}}`, many, "highlight default"},
		{"a name in the body is no mention", "@a:b", "m.room.message", "-", `{"body":"My Name @me:here.example"}`, many, "notify"},
		{"the room mentioned", chief, "m.room.message", "-", `{"m.mentions":{"room":true}}`, many, "highlight"},
		{"the room mentioned by anybody", "@a:b", "m.room.message", "-", `{"m.mentions":{"room":true}}`, many, "notify"},
		{"the room mentioned, so to speak", chief, "m.room.message", "-", `{"m.mentions":{"room":"true"}}`, many, "notify"},
		{"a tombstone", "@a:b", "m.room.tombstone", "", `{}`, many, "highlight"},
		{"a tombstone of another key", "@a:b", "m.room.tombstone", "x", `{}`, many, ""},
		{"a tombstone that is no state", "@a:b", "m.room.tombstone", "-", `{}`, many, ""},
		{"a reaction", "@a:b", "m.reaction", "-", `{}`, two, ""},
		{"an access list", "@a:b", "m.room.server_acl", "", `{}`, two, ""},
		{"an edit", "@a:b", "m.room.message", "-", `{"body":"* x","m.relates_to":{"rel_type":"m.replace","event_id":"$x"}}`, two, ""},
		{"an edit that mentions", "@a:b", "m.room.message", "-", `{"m.mentions":{"user_ids":["@me:here.example"]},"m.relates_to":{"rel_type":"m.replace"}}`, two, "highlight default"},
		{"a call", "@a:b", "m.call.invite", "-", `{}`, two, "notify ring"},
		{"anything else", "@a:b", "org.example", "-", `{"body":"x"}`, two, ""},
		{"other state", "@a:b", "m.room.name", "", `{"name":"x"}`, two, ""},
	} {
		o, err := rs.Evaluate(newEvent(t, c.sender, c.typ, c.key, c.content), c.room)
		if err != nil || said(o) != c.want {
			t.Errorf("%s: %q %v, want %q", c.name, said(o), err, c.want)
		}
	}
	// The master rule turns all off.
	on := true
	rs = newRuleset(me, &stored{Changed: map[string]changed{".m.rule.master": {Enabled: &on}}}, 0)
	if o, _ := rs.Evaluate(newEvent(t, "@a:b", "m.room.tombstone", "", `{}`), many); o.Notify {
		t.Error("notified although all is off")
	}
}

// holding makes a ruleset of one override that highlights under a condition, and none of the others that notify.
func holding(t testing.TB, condition string) *Ruleset {
	t.Helper()
	var c Condition
	if err := json.Unmarshal([]byte(condition), &c); err != nil {
		t.Fatal(err)
	}
	return newRuleset(me, &stored{Own: map[string][]Rule{"override": {{ID: "x", Enabled: true, Actions: actions(notify, highlight), Conditions: []Condition{c}}}}}, 0)
}

// spec: client-server-api#conditions-1
func TestConditions(t *testing.T) {
	e := newEvent(t, "@a:b", "m.test", "Key", `{
		"body": "An example event, My Name", "topic": "Lunch plans", "m.federate": true, "n": 7, "null": null, "big": -9007199254740991,
		"obj": {"a.b": "dotted", "c\\d": "back", "in": {"x": "deep"}}, "list": ["#a:b", 7, true, null, {"x": 1}, ["y"]], "empty": "", "esc": "a\"b"}`)
	room := fakeRoom{joined: 5, name: "my NAME"}
	for condition, want := range map[string]bool{
		`{"kind":"event_match","key":"type","pattern":"M.T?st"}`:                         true,
		`{"kind":"event_match","key":"type","pattern":"m.tes"}`:                          false,
		`{"kind":"event_match","key":"state_key","pattern":"kEY"}`:                       true,
		`{"kind":"event_match","key":"sender","pattern":"@a:*"}`:                         true,
		`{"kind":"event_match","key":"room_id","pattern":"!r:here.example"}`:             true,
		`{"kind":"event_match","key":"event_id","pattern":"$id"}`:                        true,
		`{"kind":"event_match","key":"content.topic","pattern":"lunc?*"}`:                true,
		`{"kind":"event_match","key":"content.topic","pattern":"lunch"}`:                 false,
		`{"kind":"event_match","key":"content.body","pattern":"ex*ple"}`:                 true,
		`{"kind":"event_match","key":"content.body","pattern":"exam"}`:                   false,
		`{"kind":"event_match","key":"content.absent","pattern":"*"}`:                    false,
		`{"kind":"event_match","key":"content.n","pattern":"7"}`:                         false,
		`{"kind":"event_match","key":"content.obj","pattern":"*"}`:                       false,
		`{"kind":"event_match","key":"content","pattern":"*"}`:                           false,
		`{"kind":"event_match","key":"content.obj.a\\.b","pattern":"dotted"}`:            true,
		`{"kind":"event_match","key":"content.obj.a.b","pattern":"dotted"}`:              false,
		`{"kind":"event_match","key":"content.obj.c\\\\d","pattern":"back"}`:             true,
		`{"kind":"event_match","key":"content.obj.in.x","pattern":"deep"}`:               true,
		`{"kind":"event_match","key":"content.empty","pattern":""}`:                      true,
		`{"kind":"event_match","key":"content.esc","pattern":"a\"b"}`:                    true,
		`{"kind":"event_match","key":"content.topic"}`:                                   false,
		`{"kind":"event_match","pattern":"*"}`:                                           false,
		`{"kind":"event_property_is","key":"content.m\\.federate","value":true}`:         true,
		`{"kind":"event_property_is","key":"content.m\\.federate","value":"true"}`:       false,
		`{"kind":"event_property_is","key":"content.n","value":7}`:                       true,
		`{"kind":"event_property_is","key":"content.n","value":7.0}`:                     true,
		`{"kind":"event_property_is","key":"content.n","value":"7"}`:                     false,
		`{"kind":"event_property_is","key":"content.big","value":-9007199254740991}`:     true,
		`{"kind":"event_property_is","key":"content.null","value":null}`:                 true,
		`{"kind":"event_property_is","key":"content.absent","value":null}`:               false,
		`{"kind":"event_property_is","key":"content.null"}`:                              false,
		`{"kind":"event_property_is","key":"content.topic","value":"lunch plans"}`:       false,
		`{"kind":"event_property_is","key":"content.esc","value":"a\u0022b"}`:            true,
		`{"kind":"event_property_is","key":"content.obj.in","value":{"x":"deep"}}`:       false,
		`{"kind":"event_property_is","key":"content.list","value":["#a:b"]}`:             false,
		`{"kind":"event_property_is","key":"type","value":"m.test"}`:                     true,
		`{"kind":"event_property_contains","key":"content.list","value":"#a:b"}`:         true,
		`{"kind":"event_property_contains","key":"content.list","value":":b"}`:           false,
		`{"kind":"event_property_contains","key":"content.list","value":7}`:              true,
		`{"kind":"event_property_contains","key":"content.list","value":null}`:           true,
		`{"kind":"event_property_contains","key":"content.list","value":{"x":1}}`:        false,
		`{"kind":"event_property_contains","key":"content.list","value":["y"]}`:          false,
		`{"kind":"event_property_contains","key":"content.topic","value":"Lunch plans"}`: false,
		`{"kind":"event_property_contains","key":"content.absent","value":7}`:            false,
		`{"kind":"contains_display_name"}`:                                               true,
		`{"kind":"room_member_count","is":"5"}`:                                          true,
		`{"kind":"room_member_count","is":"==5"}`:                                        true,
		`{"kind":"room_member_count","is":"<6"}`:                                         true,
		`{"kind":"room_member_count","is":"<5"}`:                                         false,
		`{"kind":"room_member_count","is":"<=5"}`:                                        true,
		`{"kind":"room_member_count","is":">5"}`:                                         false,
		`{"kind":"room_member_count","is":">=5"}`:                                        true,
		`{"kind":"room_member_count","is":"=5"}`:                                         false,
		`{"kind":"room_member_count","is":"5x"}`:                                         false,
		`{"kind":"room_member_count","is":">-1"}`:                                        false,
		`{"kind":"room_member_count","is":"+5"}`:                                         false,
		`{"kind":"room_member_count"}`:                                                   false,
		`{"kind":"sender_notification_permission","key":"room"}`:                         false,
		`{"kind":"device"}`: false,
		`{"kind":""}`:       false,
	} {
		o, err := holding(t, condition).Evaluate(e, room)
		if err != nil || o.Highlight != want {
			t.Errorf("%s: %v %v, want %v", condition, o.Highlight, err, want)
		}
	}
}

func TestDisplayName(t *testing.T) {
	rs := holding(t, `{"kind":"contains_display_name"}`)
	for _, c := range []struct {
		name, body string
		want       bool
	}{
		{"Bob", `"hey BOB!"`, true}, {"Bob", `"bobby"`, false}, {"", `"x"`, false}, {"B*b", `"B*B"`, true}, {"B*b", `"Bob"`, false},
		{"a?", `"a?"`, true}, {"Bob", `7`, false}, {"日本", `"x日本x"`, true},
	} {
		e := newEvent(t, "@a:b", "m.x", "-", `{"body":`+c.body+`}`)
		if o, _ := rs.Evaluate(e, fakeRoom{name: c.name}); o.Highlight != c.want {
			t.Errorf("%q in %s: %v", c.name, c.body, o.Highlight)
		}
	}
}

// TestKindsInOrder lets one rule of each kind match, and disables them one after the other.
func TestKindsInOrder(t *testing.T) {
	pattern := "cake"
	rule := func(id, sound string) Rule {
		return Rule{ID: id, Enabled: true, Actions: actions(notify, fmt.Sprintf(`{"set_tweak":"sound","value":%q}`, sound))}
	}
	st := &stored{Own: map[string][]Rule{
		"override": {rule("1", "override")}, "content": {rule("2", "content"), rule("3", "content2")},
		"room": {rule("!r:here.example", "room")}, "sender": {rule("@a:b", "sender")}, "underride": {rule("4", "underride")},
	}}
	for i := range st.Own["content"] {
		st.Own["content"][i].Pattern = &pattern
	}
	e := newEvent(t, "@a:b", "m.room.message", "-", `{"body":"some cake"}`)
	for _, kind := range Kinds() {
		for i := range st.Own[kind] {
			o, err := newRuleset(me, st, 0).Evaluate(e, fakeRoom{joined: 3})
			want := "notify " + kind
			if i > 0 {
				want += "2"
			}
			if err != nil || said(o) != want {
				t.Errorf("%q %v, want %q", said(o), err, want)
			}
			st.Own[kind][i].Enabled = false
		}
	}
	if o, _ := newRuleset(me, st, 0).Evaluate(e, fakeRoom{joined: 3}); said(o) != "notify" {
		t.Errorf("%q when all own rules are disabled", said(o))
	}
}

func TestActions(t *testing.T) {
	for acts, want := range map[string]string{
		`[]`: "", `["notify"]`: "notify", `["dont_notify"]`: "", `["coalesce"]`: "", `["dont_notify","notify"]`: "notify",
		`["notify",{"set_tweak":"highlight"}]`:               "highlight",
		`["notify",{"set_tweak":"highlight","value":true}]`:  "highlight",
		`["notify",{"set_tweak":"highlight","value":false}]`: "notify",
		`[{"set_tweak":"highlight"}]`:                        "",
		`["notify",{"set_tweak":"sound","value":"x"},7,{}]`:  "notify x",
	} {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(acts), &list); err != nil {
			t.Fatal(err)
		}
		if got := said(outcomeOf(list)); got != want {
			t.Errorf("%s: %q, want %q", acts, got, want)
		}
	}
}

func TestEvaluateFails(t *testing.T) {
	broken := errors.New("the disk")
	e := newEvent(t, "@a:b", "m.x", "-", `{"body":"x"}`)
	for _, kind := range []string{"room_member_count", "contains_display_name", "sender_notification_permission"} {
		if _, err := holding(t, fmt.Sprintf(`{"kind":%q,"is":"2"}`, kind)).Evaluate(e, fakeRoom{err: broken}); !errors.Is(err, broken) {
			t.Errorf("%s: error %v", kind, err)
		}
	}
}

// TestEvaluateIsBounded is threat 7: as many costly rules as a user may have, and an event made for them.
func TestEvaluateIsBounded(t *testing.T) {
	st := &stored{Own: map[string][]Rule{}}
	glob := strings.Repeat("a?", 400) + "*" + strings.Repeat("?a", 400) + "!"
	for i := range 200 {
		st.Own["content"] = append(st.Own["content"], Rule{ID: fmt.Sprint(i), Enabled: true, Pattern: &glob})
	}
	conditions := []Condition{}
	for i := range 400 {
		conditions = append(conditions, match(fmt.Sprint("content.x", i), "x"))
	}
	for i := range 200 {
		st.Own["underride"] = append(st.Own["underride"], Rule{ID: fmt.Sprint(i), Enabled: true, Conditions: conditions})
	}
	rs := newRuleset(me, st, 0)
	e := newEvent(t, "@a:b", "m.x", "-", `{"body":"`+strings.Repeat("a", 60000)+`"}`)
	begin := time.Now()
	if o, err := rs.Evaluate(e, fakeRoom{}); o.Notify || err != nil {
		t.Errorf("%+v %v", o, err)
	}
	if took := time.Since(begin); took > 2*time.Second { // it takes some 10 ms; without a bound it takes minutes
		t.Errorf("took %s", took)
	}
}

func FuzzEvaluate(f *testing.F) {
	f.Add(`{"kind":"event_match","key":"content.body","pattern":"a*"}`, `{"body":"abc"}`)
	f.Add(`{"kind":"event_property_contains","key":"content.a\\.b","value":1}`, `{"a.b":[1,2]}`)
	f.Fuzz(func(t *testing.T, condition, content string) {
		var c Condition
		if json.Unmarshal([]byte(condition), &c) != nil {
			return
		}
		canonical, err := matrix.Canonical([]byte(content))
		if err != nil || !matrix.IsObject(canonical) || len(canonical) > 10000 {
			return
		}
		rs := holding(t, condition)
		if _, err := rs.Evaluate(newEvent(t, "@a:b", "m.x", "-", content), fakeRoom{joined: 2, name: "x"}); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(rs.Global())
		if err != nil {
			t.Fatal(err)
		}
		var again map[string][]Rule
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	})
}

func BenchmarkEvaluate(b *testing.B) {
	rs := newRuleset(me, &stored{}, 0)
	e := newEvent(b, "@a:b", "m.room.message", "-", `{"msgtype":"m.text","body":"`+strings.Repeat("some text ", 20)+`","m.mentions":{}}`)
	b.ReportAllocs()
	for b.Loop() {
		if o, err := rs.Evaluate(e, fakeRoom{joined: 5}); err != nil || !o.Notify {
			b.Fatal(o, err)
		}
	}
}
