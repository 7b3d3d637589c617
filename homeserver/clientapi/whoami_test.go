package clientapi

import (
	"fmt"
	"testing"
)

func TestWhoami(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	got := ts.want(alice, "GET", v3+"/account/whoami", "", 200, "")
	if want := fmt.Sprintf(`{"user_id":"@alice:here.example","device_id":%q,"is_guest":false}`, alice.Device); got != want {
		t.Errorf("answered %s, want %s", got, want)
	}
}
