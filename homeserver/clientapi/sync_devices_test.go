package clientapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
	"hearth/storage/blobtest"
)

func wantDevices(t testing.TB, what string, a *wire.SyncAnswer, want string) {
	t.Helper()
	short := func(users []matrix.UserID) string {
		var names []string
		for _, u := range users {
			names = append(names, u.Localpart())
		}
		return strings.Join(names, " ")
	}
	if got := fmt.Sprintf("%s/%s", short(a.DeviceLists.Changed), short(a.DeviceLists.Left)); got != want {
		t.Errorf("%s: device lists %s, want %s", what, got, want)
	}
}

// TestDeviceLists: logins and logouts of those who share a room, and who begins and ceases to share one.
func TestDeviceLists(t *testing.T) {
	ts := newServer(t)
	alice, bob, carol := ts.register("alice"), ts.register("bob"), ts.register("carol")
	room := conversation(t, alice, bob)
	f := follow(t, alice, "")
	wantDevices(t, "at first", f.next(), "/")
	wantDevices(t, "nothing new", f.next(), "/")
	second := ts.login("bob", "")
	ts.login("carol", "")
	wantDevices(t, "a login, and one of a stranger", f.next(), "bob/")
	ts.login("bob", second.Device) // a device that is known
	wantDevices(t, "again with the same device", f.next(), "/")
	must(t, second.Login(t.Context(), "bob", password, second.Device))
	must(t, second.Logout(t.Context()))
	wantDevices(t, "a logout", f.next(), "bob/")
	ts.login("alice", "")
	wantDevices(t, "the user's own", f.next(), "alice/")

	_, err := carol.Join(t.Context(), string(room))
	must(t, err)
	wantDevices(t, "who joined", f.next(), "carol/")
	must(t, carol.SetProfileField(t.Context(), "displayname", "Carol"))
	wantDevices(t, "a profile", f.next(), "/")
	other := conversation(t, carol)
	must(t, carol.Leave(t.Context(), room))
	wantDevices(t, "who left", f.next(), "/carol")
	ts.login("carol", "")
	wantDevices(t, "who is gone", f.next(), "/")
	_, err = alice.Join(t.Context(), string(other))
	must(t, err)
	wantDevices(t, "in a new room", f.next(), "alice carol/")
	_, err = bob.Join(t.Context(), string(other))
	must(t, err)
	wantDevices(t, "with whom a room was shared", f.next(), "bob/")
	must(t, bob.Leave(t.Context(), other))
	wantDevices(t, "with whom one still is", f.next(), "/")
	must(t, alice.Leave(t.Context(), other))
	wantDevices(t, "after leaving", f.next(), "/carol")
	// Who leaves and comes back within one answer is to be looked at anew.
	must(t, bob.Leave(t.Context(), room))
	_, err = bob.Join(t.Context(), string(room))
	must(t, err)
	must(t, alice.Leave(t.Context(), room))
	_, err = alice.Join(t.Context(), string(room))
	must(t, err)
	wantDevices(t, "back again", f.next(), "alice bob/")
}

// TestDeviceListsWake who waits.
func TestDeviceListsWake(t *testing.T) {
	ts := newServer(t)
	alice, bob := ts.register("alice"), ts.register("bob")
	conversation(t, alice, bob)
	f := follow(t, alice, "")
	f.next()
	came := make(chan *wire.SyncAnswer)
	go func() { came <- f.ask(wire.SyncOptions{Timeout: time.Minute}) }()
	ts.login("bob", "")
	wantDevices(t, "while waiting", <-came, "bob/")
}

// TestDeviceListsOverRestart: a change from before the start is told too.
func TestDeviceListsOverRestart(t *testing.T) {
	backend := blobtest.NewMemory()
	ts := newServerOver(t, backend)
	alice, bob := ts.register("alice"), ts.register("bob")
	conversation(t, alice, bob)
	f := follow(t, alice, "")
	f.next()
	ts.login("bob", "")
	name(t, bob, conversation(t, bob), "more")
	again := newServerOver(t, backend)
	f.client = at(again, alice)
	wantDevices(t, "after a restart", f.next(), "bob/")
	wantDevices(t, "nothing new", f.next(), "/")
}

// TestKeyCounts are in every answer: there are none.
func TestKeyCounts(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	var first string
	for range 2 {
		var a struct {
			Next     string           `json:"next_batch"`
			Counts   map[string]int64 `json:"device_one_time_keys_count"`
			Fallback *[]string        `json:"device_unused_fallback_key_types"`
		}
		must(t, json.Unmarshal([]byte(ts.want(alice, "GET", v3+"/sync?since="+first, "", 200, "")), &a))
		if a.Counts == nil || len(a.Counts) > 0 || a.Fallback == nil || len(*a.Fallback) > 0 {
			t.Errorf("counts %v, fallback keys %v", a.Counts, a.Fallback)
		}
		first = a.Next
	}
}

// TestManyDevices of strangers are nothing to the others.
func TestManyDevices(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	f := follow(t, alice, "")
	f.next()
	for range 50 {
		_, err := ts.store.Apply(t.Context(), func(tx *store.Tx) {
			tx.Note(store.Note{Kind: store.KindDevices, User: "@stranger:here.example"})
		})
		must(t, err)
	}
	wantDevices(t, "strangers", f.next(), "/")
}
