package clientapi

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"hearth/matrix"
	"hearth/matrix/wire"
)

func TestTags(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice, bob)
	f := follow(t, alice, "")
	f.next()
	base := wire.Path(v3+"/user", "@alice:here.example", "rooms", string(room), "tags")
	want := func(tags string) {
		t.Helper()
		if got := ts.want(alice, "GET", base, "", 200, ""); got != tags {
			t.Errorf("tags %s, want %s", got, tags)
		}
	}
	want(`{"tags":{}}`)
	ts.want(alice, "PUT", base+"/m.favourite", `{"order":0.1}`, 200, "")
	ts.want(alice, "PUT", base+"/u.Work", `{"order":1,"org.example.note":[1]}`, 200, "")
	ts.want(alice, "PUT", base+"/u.Customers", `{}`, 200, "")
	ts.want(alice, "PUT", base+"/"+strings.Repeat("x", 255), ``, 200, "")
	ts.want(alice, "DELETE", base+"/"+strings.Repeat("x", 255), ``, 200, "")
	want(`{"tags":{"m.favourite":{"order":0.1},"u.Customers":{},"u.Work":{"order":1,"org.example.note":[1]}}}`)
	ts.want(alice, "PUT", base+"/m.favourite", `{"order":0.2}`, 200, "")
	ts.want(alice, "DELETE", base+"/u.Work", "", 200, "")
	data := joined(t, f.next(), room).AccountData.Events
	if len(data) != 1 || data[0].Type != "m.tag" || string(data[0].Content) != `{"tags":{"m.favourite":{"order":0.2},"u.Customers":{}}}` {
		t.Errorf("account data %+v", data)
	}
	ts.want(alice, "DELETE", base+"/u.Work", "", 200, "") // it is gone already, so nothing is new
	wantNothing(t, f.next())
	if tags, err := bob.Tags(t.Context(), room); err != nil || len(tags) > 0 {
		t.Errorf("another user's tags: %v, %v", tags, err)
	}
	order := 0.5
	must(t, bob.SetTag(t.Context(), room, "u.a/b ü", wire.Tag{Order: &order}))
	must(t, bob.SetTag(t.Context(), room, "u.c", wire.Tag{}))
	must(t, bob.DeleteTag(t.Context(), room, "u.c"))
	if tags, err := bob.Tags(t.Context(), room); err != nil || len(tags) != 1 || *tags["u.a/b ü"].Order != order {
		t.Errorf("tags: %v, %v", tags, err)
	}
	// Tags stay when the user leaves, as all account data does.
	must(t, alice.Leave(t.Context(), room))
	want(`{"tags":{"m.favourite":{"order":0.2},"u.Customers":{}}}`)
}

func TestTagErrors(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	room := conversation(t, alice)
	base := wire.Path(v3+"/user", "@alice:here.example", "rooms", string(room), "tags")
	for _, order := range []string{`-0.1`, `1.01`, `"0.5"`, `null`, `[]`, `1e400`} {
		ts.want(alice, "PUT", base+"/u.x", `{"order":`+order+`}`, 400, matrix.MInvalidParam)
	}
	ts.want(alice, "PUT", base+"/u.x", `[]`, 400, matrix.MBadJSON)
	ts.want(alice, "PUT", base+"/u.x", `{`, 400, matrix.MNotJSON)
	ts.want(alice, "PUT", base+"/"+strings.Repeat("x", 256), `{}`, 400, matrix.MInvalidParam)
	ts.want(alice, "PUT", base+"/u.%ff", `{}`, 400, matrix.MInvalidParam)
	ts.want(bob, "GET", base, "", 403, matrix.MForbidden)
	ts.want(bob, "PUT", base+"/u.x", `{}`, 403, matrix.MForbidden)
	ts.want(bob, "DELETE", base+"/u.x", "", 403, matrix.MForbidden)
	own := strings.Replace(base, "@alice", "@bob", 1)
	if got := ts.want(bob, "GET", own, "", 200, ""); got != `{"tags":{}}` { // he was never there
		t.Errorf("tags %s", got)
	}
	ts.want(bob, "PUT", own+"/u.x", `{}`, 403, matrix.MForbidden)
	// A client may have made anything of the account data.
	for _, odd := range []string{`{"tags":[]}`, `{"tags":"x","other":1}`, `{}`} {
		ts.want(alice, "PUT", strings.TrimSuffix(base, "/tags")+"/account_data/m.tag", odd, 200, "")
		if got := ts.want(alice, "GET", base, "", 200, ""); got != `{"tags":{}}` {
			t.Errorf("tags of %s: %s", odd, got)
		}
		ts.want(alice, "PUT", base+"/u.x", `{}`, 200, "")
		if got := ts.want(alice, "GET", base, "", 200, ""); got != `{"tags":{"u.x":{}}}` {
			t.Errorf("tags of %s: %s", odd, got)
		}
	}
	ts.want(alice, "PUT", base+"/u.long", `{"x":"`+strings.Repeat("x", account128)+`"}`, 413, matrix.MTooLarge)
}

// account128 is as much as one piece of account data may have.
const account128 = 128 << 10

// TestTagsAtTheSameTime do not push each other out.
func TestTagsAtTheSameTime(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	room := conversation(t, alice)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := alice.SetTag(t.Context(), room, fmt.Sprint("u.", i), wire.Tag{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if tags, err := alice.Tags(t.Context(), room); err != nil || len(tags) != 20 {
		t.Errorf("%d tags, %v", len(tags), err)
	}
}

func FuzzCheckTag(f *testing.F) {
	f.Add([]byte(`{"order":0.5}`))
	f.Add([]byte(`{"order":"x"}`))
	f.Fuzz(func(t *testing.T, tag []byte) { _ = checkTag(tag) })
}
