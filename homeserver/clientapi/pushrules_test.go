package clientapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

const rules = v3 + "/pushrules/"

// thread sends a text into a thread.
func thread(t testing.TB, c *wire.Client, room matrix.RoomID, root matrix.EventID, text string) matrix.EventID {
	t.Helper()
	id, err := c.Send(t.Context(), room, "m.room.message", "thread "+text, map[string]any{
		"msgtype": "m.text", "body": text, "m.relates_to": map[string]string{"rel_type": "m.thread", "event_id": string(root)},
	})
	must(t, err)
	return id
}

// mention sends a text that mentions a user.
func mention(t testing.TB, c *wire.Client, room matrix.RoomID, text string, users ...matrix.UserID) matrix.EventID {
	t.Helper()
	id, err := c.Send(t.Context(), room, "m.room.message", "mention "+text, map[string]any{
		"msgtype": "m.text", "body": text, "m.mentions": map[string]any{"user_ids": users},
	})
	must(t, err)
	return id
}

// ruleIDs lists the ids of a kind's rules, in order.
func ruleIDs(t testing.TB, c *wire.Client, kind string) []string {
	t.Helper()
	var all struct {
		Global map[string][]struct {
			ID string `json:"rule_id"`
		} `json:"global"`
	}
	must(t, c.Do(t.Context(), "GET", rules, nil, nil, &all))
	ids := []string{}
	for _, r := range all.Global[kind] {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestPredefinedRules(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	for kind, want := range map[string][]string{
		"override": {
			".m.rule.master", ".m.rule.suppress_notices", ".m.rule.invite_for_me", ".m.rule.member_event", ".m.rule.is_user_mention",
			".m.rule.is_room_mention", ".m.rule.tombstone", ".m.rule.reaction", ".m.rule.room.server_acl", ".m.rule.suppress_edits",
		},
		"content": {}, "room": {}, "sender": {},
		"underride": {
			".m.rule.call", ".m.rule.encrypted_room_one_to_one", ".m.rule.room_one_to_one", ".m.rule.message", ".m.rule.encrypted",
		},
	} {
		if got := ruleIDs(t, alice, kind); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
	// spec: client-server-api#default-override-rules
	for id, want := range map[string]string{
		".m.rule.master":          `{"actions":[],"conditions":[],"default":true,"enabled":false,"rule_id":".m.rule.master"}`,
		".m.rule.is_user_mention": `{"actions":["notify",{"set_tweak":"sound","value":"default"},{"set_tweak":"highlight"}],"conditions":[{"kind":"event_property_contains","key":"content.m\\.mentions.user_ids","value":"@alice:here.example"}],"default":true,"enabled":true,"rule_id":".m.rule.is_user_mention"}`,
		".m.rule.tombstone":       `{"actions":["notify",{"set_tweak":"highlight"}],"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.tombstone"},{"kind":"event_match","key":"state_key","pattern":""}],"default":true,"enabled":true,"rule_id":".m.rule.tombstone"}`,
	} {
		if got := ts.want(alice, "GET", rules+"global/override/"+id, "", 200, ""); got != want {
			t.Errorf("%s is\n%s, want\n%s", id, got, want)
		}
	}
	var all, global map[string]json.RawMessage
	must(t, alice.Do(t.Context(), "GET", rules, nil, nil, &all))
	must(t, alice.Do(t.Context(), "GET", rules+"global/", nil, nil, &global))
	if len(all) != 1 || len(global) != 5 {
		t.Errorf("%d scopes, %d kinds", len(all), len(global))
	}
}

func TestPushRuleOperations(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	put := func(path, body string) { t.Helper(); ts.want(alice, "PUT", rules+"global/"+path, body, 200, "") }
	get := func(path string) string {
		t.Helper()
		return ts.want(alice, "GET", rules+"global/"+path, "", 200, "")
	}
	put("content/cake", `{"pattern":"cake","actions":["notify",{"set_tweak":"sound","value":"cakealarm.wav"}]}`)
	if got, want := get("content/cake"), `{"actions":["notify",{"set_tweak":"sound","value":"cakealarm.wav"}],"default":false,"enabled":true,"pattern":"cake","rule_id":"cake"}`; got != want {
		t.Errorf("rule %s, want %s", got, want)
	}
	if got := get("content/cake/enabled"); got != `{"enabled":true}` {
		t.Errorf("enabled %s", got)
	}
	put("content/cake/enabled", `{"enabled":false}`)
	put("content/cake/actions", `{"actions":["dont_notify","notify","coalesce"]}`)
	if got := get("content/cake/actions"); got != `{"actions":["notify"]}` {
		t.Errorf("actions %s", got)
	}
	// A change of the rule leaves it disabled, and keeps what conditions of other specifications say.
	put("override/x", `{"conditions":[{"kind":"org.example","feature":1},{"kind":"event_property_is","key":"a","value":null}],"actions":[]}`)
	if got, want := get("override/x"), `{"actions":[],"conditions":[{"kind":"org.example","feature":1},{"kind":"event_property_is","key":"a","value":null}],"default":false,"enabled":true,"rule_id":"x"}`; got != want {
		t.Errorf("rule %s, want %s", got, want)
	}
	put("content/cake", `{"pattern":"pie","actions":[]}`)
	if got := get("content/cake"); !strings.Contains(got, `"enabled":false,"pattern":"pie"`) {
		t.Errorf("rule %s", got)
	}
	// What has no meaning in a kind is dropped.
	put("room/!r:here.example", `{"pattern":"x","conditions":[{"kind":"x"}],"actions":["notify"]}`)
	if got, want := get("room/!r:here.example"), `{"actions":["notify"],"default":false,"enabled":true,"rule_id":"!r:here.example"}`; got != want {
		t.Errorf("rule %s, want %s", got, want)
	}
	// Predefined ones can be changed, and not removed.
	put("override/.m.rule.master/enabled", `{"enabled":true}`)
	put("underride/.m.rule.call/actions", `{"actions":[]}`)
	if !strings.Contains(get("override/.m.rule.master"), `"enabled":true`) || get("underride/.m.rule.call/actions") != `{"actions":[]}` {
		t.Error("a predefined rule did not change")
	}
	ts.want(alice, "DELETE", rules+"global/override/.m.rule.master", "", 404, matrix.MNotFound)
	ts.want(alice, "DELETE", rules+"global/content/cake", "", 200, "")
	ts.want(alice, "GET", rules+"global/content/cake", "", 404, matrix.MNotFound)
	if strings.Contains(ts.want(ts.register("bob"), "GET", rules, "", 200, ""), "org.example") {
		t.Error("another user has the rule")
	}
}

func TestPushRuleOrder(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	put := func(id, query string) {
		t.Helper()
		ts.want(alice, "PUT", rules+"global/sender/"+id+query, `{"actions":[]}`, 200, "")
	}
	put("a", "")
	put("b", "") // new ones are the most important
	put("c", "?after=b")
	put("d", "?before=a")
	put("e", "?before=b&after=a") // before counts
	if got, want := ruleIDs(t, alice, "sender"), []string{"e", "b", "c", "d", "a"}; !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
	put("a", "?after=e") // known ones move
	put("c", "")         // or stay
	if got, want := ruleIDs(t, alice, "sender"), []string{"e", "a", "b", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
	ts.want(alice, "PUT", rules+"global/sender/f?before=unknown", `{"actions":[]}`, 400, matrix.MUnknown)
	ts.want(alice, "PUT", rules+"global/override/f?after=.m.rule.master", `{"actions":[]}`, 400, matrix.MInvalidParam)
	// Of the user's own overrides none goes before the master rule, and all before the others.
	ts.want(alice, "PUT", rules+"global/override/own", `{"actions":[]}`, 200, "")
	if got := ruleIDs(t, alice, "override"); !slices.Equal(got[:3], []string{".m.rule.master", "own", ".m.rule.suppress_notices"}) {
		t.Errorf("order %q", got)
	}
}

func TestPushRuleErrors(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"PUT", "content/x", `{"actions":[]}`, 400, matrix.MMissingParam},
		{"PUT", "content/x", `{"pattern":"","actions":[]}`, 400, matrix.MMissingParam},
		{"PUT", "content/x", `{"pattern":"x"}`, 400, matrix.MMissingParam},
		{"PUT", "content/x", `{"pattern":7,"actions":[]}`, 400, matrix.MBadJSON},
		{"PUT", "content/x", `{"pattern":"x","actions":["shout"]}`, 400, matrix.MInvalidParam},
		{"PUT", "content/x", `{"pattern":"x","actions":[{}]}`, 400, matrix.MInvalidParam},
		{"PUT", "content/x", `{"pattern":"x","actions":[7]}`, 400, matrix.MInvalidParam},
		{"PUT", "content/.x", `{"pattern":"x","actions":[]}`, 400, matrix.MInvalidParam},
		{"PUT", "content/a%2Fb", `{"pattern":"x","actions":[]}`, 400, matrix.MInvalidParam},
		{"PUT", "content/a%5Cb", `{"pattern":"x","actions":[]}`, 400, matrix.MInvalidParam},
		{"PUT", "override/x", `{"conditions":[{}],"actions":[]}`, 400, matrix.MInvalidParam},
		{"PUT", "override/x", `{"conditions":[7],"actions":[]}`, 400, matrix.MBadJSON},
		{"PUT", "override/x", `{"conditions":[{"kind":"event_match","pattern":"` + strings.Repeat("x", 20000) + `"}],"actions":[]}`, 400, matrix.MInvalidParam},
		{"PUT", "other/x", `{"actions":[]}`, 400, matrix.MInvalidParam},
		{"GET", "other/x", ``, 400, matrix.MInvalidParam},
		{"GET", "content/x", ``, 404, matrix.MNotFound},
		{"DELETE", "content/x", ``, 404, matrix.MNotFound},
		{"PUT", "content/x/enabled", `{"enabled":true}`, 404, matrix.MNotFound},
		{"PUT", "content/x/enabled", `{}`, 400, matrix.MMissingParam},
		{"PUT", "content/x/actions", `{"actions":[]}`, 404, matrix.MNotFound},
		{"PUT", "content/x/actions", `{}`, 400, matrix.MMissingParam},
		{"PUT", "content/x/actions", `{"actions":["shout"]}`, 400, matrix.MInvalidParam},
		{"GET", "content/x/enabled", ``, 404, matrix.MNotFound},
		{"GET", "content/x/actions", ``, 404, matrix.MNotFound},
	} {
		ts.want(alice, c.method, rules+"global/"+c.path, c.body, c.status, c.code)
	}
	ts.want(alice, "GET", v3+"/pushrules/device/", "", 404, matrix.MUnrecognized)
	ts.want(ts.anonymous(), "GET", rules, "", 401, matrix.MMissingToken)
}

// unread is what a room says of unread notifications: all and highlights.
func unread(r *wire.JoinedRoom) [2]int64 {
	if r == nil {
		return [2]int64{-1, -1}
	}
	return [2]int64{r.UnreadNotifications.Notification, r.UnreadNotifications.Highlight}
}

func TestUnreadCounts(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob, carol)
	f := follow(t, bob, "")
	f.next()
	want := func(what string, n, highlights int64) {
		t.Helper()
		if got := unread(f.next().Rooms.Join[room]); got != [2]int64{n, highlights} {
			t.Errorf("%s: unread %d, want %d", what, got, [2]int64{n, highlights})
		}
	}
	say(t, alice, room, "one")
	want("a message", 1, 0)
	mention(t, alice, room, "two", bob.User)
	want("a mention", 2, 1)
	mention(t, alice, room, "three", carol.User)
	want("another's mention", 3, 1)
	_, err := alice.Send(t.Context(), room, "m.room.message", "n", map[string]string{"msgtype": "m.notice", "body": "beep"})
	must(t, err)
	want("a notice", 3, 1)
	must(t, carol.SetProfileField(t.Context(), "displayname", "C"))
	want("a member event", 3, 1)
	everyone := map[string]any{"body": "all of you", "m.mentions": map[string]bool{"room": true}}
	_, err = carol.Send(t.Context(), room, "m.room.message", "r", everyone)
	must(t, err)
	want("the room, mentioned without the power to", 4, 1)
	_, err = alice.Send(t.Context(), room, "m.room.message", "r", everyone)
	must(t, err)
	want("the room mentioned", 5, 2)
	edited := say(t, carol, room, "wrnog")
	_, err = carol.Send(t.Context(), room, "m.room.message", "edit", map[string]any{
		"body": "* wrong", "msgtype": "m.text", "m.new_content": map[string]string{"body": "wrong", "msgtype": "m.text"},
		"m.relates_to": map[string]string{"rel_type": "m.replace", "event_id": string(edited)},
	})
	must(t, err)
	want("a message and its edit", 6, 2)
	_, err = carol.Redact(t.Context(), room, edited, "redact", "")
	must(t, err)
	want("that message redacted", 5, 2)
	_, err = alice.SendState(t.Context(), room, "m.room.tombstone", "", map[string]string{"body": "gone", "replacement_room": "!x:here.example"})
	must(t, err)
	want("a tombstone", 6, 3)
	// Another device of the user sees the same, from the beginning too.
	if got := unread(follow(t, ts.login("bob", ""), "").next().Rooms.Join[room]); got != [2]int64{6, 3} {
		t.Errorf("at first: unread %d", got)
	}
	must(t, bob.Receipt(t.Context(), room, "m.read", mention(t, alice, room, "four", bob.User), ""))
	want("all read", 0, 0)
	last := say(t, alice, room, "five")
	say(t, alice, room, "six")
	must(t, bob.Receipt(t.Context(), room, "m.read", last, ""))
	want("all but one read", 1, 0)
	say(t, bob, room, "I am here")
	want("an own message reads what is before it", 0, 0)
	if got := unread(follow(t, alice, "").next().Rooms.Join[room]); got[0] != 1 {
		t.Errorf("alice: unread %d", got) // since her own last message
	}
}

// TestCountsFollowTheRules changes rules under unread messages.
func TestCountsFollowTheRules(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	for i := range 3 {
		say(t, alice, room, fmt.Sprint("have some CAKE ", i))
	}
	initial := func() [2]int64 { t.Helper(); return unread(follow(t, bob, "").next().Rooms.Join[room]) }
	if got := initial(); got != [2]int64{3, 0} {
		t.Errorf("unread %d", got)
	}
	put := func(path, body string) { t.Helper(); ts.want(bob, "PUT", rules+"global/"+path, body, 200, "") }
	put("content/cake", `{"pattern":"c?ke","actions":["notify",{"set_tweak":"highlight"}]}`)
	if got := initial(); got != [2]int64{3, 3} {
		t.Errorf("with cake: unread %d", got)
	}
	put("override/calm", fmt.Sprintf(`{"conditions":[{"kind":"event_match","key":"room_id","pattern":%q}],"actions":[]}`, room))
	if got := initial(); got != [2]int64{0, 0} {
		t.Errorf("muted: unread %d", got)
	}
	put("override/calm/enabled", `{"enabled":false}`)
	put("content/cake/actions", `{"actions":["notify",{"set_tweak":"highlight","value":false}]}`)
	if got := initial(); got != [2]int64{3, 0} {
		t.Errorf("unmuted: unread %d", got)
	}
	put("override/.m.rule.master/enabled", `{"enabled":true}`)
	if got := initial(); got != [2]int64{0, 0} {
		t.Errorf("all off: unread %d", got)
	}
}

// TestChangedRulesReachTheNextSync: other devices see the new counts at once, of the rooms that have anything unread.
func TestChangedRulesReachTheNextSync(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room, quiet := conversation(t, alice, bob), conversation(t, alice, bob)
	must(t, bob.Receipt(t.Context(), quiet, "m.read", say(t, alice, quiet, "read"), ""))
	say(t, alice, room, "have some cake")
	f, g := follow(t, bob, ""), follow(t, ts.login("bob", ""), "")
	g.next()
	if got := unread(joined(t, f.next(), room)); got != [2]int64{1, 0} {
		t.Errorf("unread %d", got)
	}
	change := func(path, body string, want [2]int64) {
		t.Helper()
		ts.want(bob, "PUT", rules+"global/"+path, body, 200, "")
		for _, device := range []*syncing{f, g} {
			a := device.next()
			if got := unread(a.Rooms.Join[room]); got != want {
				t.Errorf("%s: unread %d, want %d", path, got, want)
			}
			if a.Rooms.Join[quiet] != nil {
				t.Errorf("%s: told of a room in which all is read", path)
			}
			if r := a.Rooms.Join[room]; r != nil && (len(r.Timeline.Events) > 0 || r.Timeline.Limited) {
				t.Errorf("%s: a timeline with %d events", path, len(r.Timeline.Events))
			}
		}
	}
	change("content/cake", `{"pattern":"cake","actions":["notify",{"set_tweak":"highlight"}]}`, [2]int64{1, 1})
	change("override/.m.rule.master/enabled", `{"enabled":true}`, [2]int64{0, 0})
	change("override/.m.rule.master/enabled", `{"enabled":false}`, [2]int64{1, 1})
	wantNothing(t, f.next())
}

func TestThreadCounts(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob, carol)
	f, plain := follow(t, bob, `{"room":{"timeline":{"unread_thread_notifications":true}}}`), follow(t, bob, "")
	f.next()
	plain.next()
	root, other := say(t, alice, room, "root"), say(t, alice, room, "other")
	thread(t, alice, room, root, "a")
	second := thread(t, carol, room, root, "b")
	thread(t, carol, room, other, "c")
	want := func(what string, main int64, threads map[string]int64) {
		t.Helper()
		r := joined(t, f.next(), room)
		got := make(map[string]int64)
		total := r.UnreadNotifications.Notification
		for id, c := range r.UnreadThreads {
			got[id] = c.Notification
			total += c.Notification
		}
		if r.UnreadNotifications.Notification != main || fmt.Sprint(got) != fmt.Sprint(threads) {
			t.Errorf("%s: %d and %v, want %d and %v", what, r.UnreadNotifications.Notification, got, main, threads)
		}
		p := joined(t, plain.next(), room)
		if p.UnreadNotifications.Notification != total || p.UnreadThreads != nil {
			t.Errorf("%s: without threads %+v %v, want %d", what, p.UnreadNotifications, p.UnreadThreads, total)
		}
	}
	r, o := string(root), string(other)
	want("two threads", 2, map[string]int64{r: 2, o: 1})
	must(t, bob.Receipt(t.Context(), room, "m.read", second, r))
	want("one thread read", 2, map[string]int64{o: 1})
	must(t, bob.Receipt(t.Context(), room, "m.read", other, "main"))
	want("the main timeline read", 0, map[string]int64{o: 1})
	thread(t, alice, room, root, "d")
	want("the thread goes on", 0, map[string]int64{r: 1, o: 1})
	_, err := alice.Send(t.Context(), room, "m.room.message", "indirect", map[string]any{
		"body": "about b", "msgtype": "m.text", "m.relates_to": map[string]any{"m.in_reply_to": map[string]string{"event_id": string(second)}},
	})
	must(t, err)
	want("a plain reply is in the main timeline", 1, map[string]int64{r: 1, o: 1})
	must(t, bob.Receipt(t.Context(), room, "m.read", say(t, alice, room, "end"), ""))
	want("all read", 0, map[string]int64{})
}

// TestCountsAfterLeaving do not count what came while the user was away.
func TestCountsAfterLeaving(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	must(t, bob.Receipt(t.Context(), room, "m.read", say(t, alice, room, "read"), ""))
	say(t, alice, room, "unread")
	follow(t, bob, "").next()
	must(t, bob.Leave(t.Context(), room))
	say(t, alice, room, "away")
	_, err := bob.Join(t.Context(), string(room))
	must(t, err)
	say(t, alice, room, "back")
	if got := unread(follow(t, bob, "").next().Rooms.Join[room]); got != [2]int64{1, 0} {
		t.Errorf("unread %d", got)
	}
}
