package clientapi

import (
	"fmt"
	"strings"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
	"hearth/storage/blobtest"
)

const pusherBody = `{"kind":"http","app_id":"org.app","pushkey":"key","app_display_name":"App","device_display_name":"Phone",` +
	`"profile_tag":"tag","lang":"en","data":{"url":"https://push.example/_matrix/push/v1/notify","format":"event_id_only","x":{"y":1}}}`

func setPusher(ts *testServer, c *wire.Client, replacements ...string) {
	ts.t.Helper()
	ts.want(c, "POST", v3+"/pushers/set", strings.NewReplacer(replacements...).Replace(pusherBody), 200, "")
}

func wantPushers(ts *testServer, c *wire.Client, want ...string) {
	ts.t.Helper()
	got := ts.want(c, "GET", v3+"/pushers", "", 200, "")
	if got != `{"pushers":[`+strings.Join(want, ",")+`]}` {
		ts.t.Errorf("pushers %s, want %s", got, want)
	}
}

// spec: client-server-api#post_matrixclientv3pushersset
func TestPushers(t *testing.T) {
	backend := blobtest.NewMemory()
	ts := newServerOver(t, backend)
	alice := ts.register("alice")
	wantPushers(ts, alice)
	setPusher(ts, alice)
	const first = `{"pushkey":"key","kind":"http","app_id":"org.app","app_display_name":"App","device_display_name":"Phone","profile_tag":"tag","lang":"en",` +
		`"data":{"url":"https://push.example/_matrix/push/v1/notify","format":"event_id_only","x":{"y":1}}}`
	wantPushers(ts, alice, first)
	setPusher(ts, alice, "Phone", "Tablet") // the same app and key: replaced
	second := strings.Replace(first, "Phone", "Tablet", 1)
	wantPushers(ts, alice, second)
	setPusher(ts, alice, "org.app", "org.other")
	third := strings.Replace(first, "org.app", "org.other", 1)
	wantPushers(ts, alice, second, third)

	again := newServerOver(t, backend) // what was acknowledged is on the disk
	wantPushers(again, &wire.Client{Base: again.base, HTTP: again.http, Token: alice.Token}, second, third)
}

func TestDeletePusher(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	setPusher(ts, alice)
	for range 2 { // what is not there need not be removed
		ts.want(alice, "POST", v3+"/pushers/set", `{"kind":null,"app_id":"org.app","pushkey":"key"}`, 200, "")
		wantPushers(ts, alice)
	}
}

// TestPusherOfOtherUsers: a phone that changes hands must not go on notifying who had it.
func TestPusherOfOtherUsers(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	setPusher(ts, alice)
	setPusher(ts, bob, `"lang":`, `"append":true,"lang":`)
	if got := ts.want(alice, "GET", v3+"/pushers", "", 200, ""); !strings.Contains(got, "org.app") {
		t.Errorf("appended, and alice has %s", got)
	}
	setPusher(ts, bob)
	wantPushers(ts, alice)
	if got := ts.want(bob, "GET", v3+"/pushers", "", 200, ""); !strings.Contains(got, "org.app") {
		t.Errorf("bob has %s", got)
	}
}

func TestPusherEndsWithItsDevice(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	other := ts.login("alice", "")
	setPusher(ts, alice)
	setPusher(ts, other, `"key"`, `"other"`)
	ts.want(other, "POST", v3+"/logout", "{}", 200, "")
	if got := ts.want(alice, "GET", v3+"/pushers", "", 200, ""); !strings.Contains(got, `"key"`) || strings.Contains(got, `"other"`) {
		t.Errorf("pushers %s", got)
	}
	ts.want(alice, "POST", v3+"/logout/all", "{}", 200, "")
	wantPushers(ts, ts.login("alice", ""))
}

func TestPusherFaults(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	for _, c := range []struct{ old, new, code string }{
		{`"kind":"http",`, ``, matrix.MMissingParam},
		{`"app_id":"org.app",`, ``, matrix.MMissingParam},
		{`"pushkey":"key",`, ``, matrix.MMissingParam},
		{`"app_display_name":"App",`, ``, matrix.MMissingParam},
		{`"device_display_name":"Phone",`, ``, matrix.MMissingParam},
		{`"lang":"en",`, ``, matrix.MMissingParam},
		{`,"data":{`, `,"date":{`, matrix.MMissingParam},
		{`"url"`, `"uri"`, matrix.MMissingParam},
		{`"lang":"en"`, `"lang":1`, matrix.MBadJSON},
		{`"http"`, `"email"`, matrix.MInvalidParam},
		{`"http"`, `"carrier pigeon"`, matrix.MInvalidParam},
		{`https://`, `http://`, matrix.MInvalidParam},
		{`https://push.example`, `https://user:pw@push.example`, matrix.MInvalidParam},
		{`https://push.example`, ``, matrix.MInvalidParam},
		{`/notify`, `/other`, matrix.MInvalidParam},
		{`org.app`, strings.Repeat("a", 65), matrix.MInvalidParam},
		{`org.app`, ``, matrix.MInvalidParam},
		{`org.app`, `a\u0000b`, matrix.MInvalidParam},
		{`"key"`, `"` + strings.Repeat("a", 513) + `"`, matrix.MInvalidParam},
		{`"key"`, `""`, matrix.MInvalidParam},
		{`Phone`, strings.Repeat("a", 256), matrix.MInvalidParam},
		{`{"y":1}`, `"` + strings.Repeat("a", 9000) + `"`, matrix.MInvalidParam},
		{`"data":{`, `"data":[{`, matrix.MNotJSON},
	} {
		ts.want(alice, "POST", v3+"/pushers/set", strings.Replace(pusherBody, c.old, c.new, 1), 400, c.code)
	}
	wantPushers(ts, alice)
	for i := range 100 {
		setPusher(ts, alice, `"key"`, fmt.Sprintf("%q", fmt.Sprint(i)))
	}
	ts.want(alice, "POST", v3+"/pushers/set", pusherBody, 400, matrix.MTooLarge)
	setPusher(ts, alice, `"key"`, `"7"`) // replaced, not added
}
