package account

import (
	"fmt"
	"testing"

	"hearth/homeserver/store"
)

func TestForgetRoom(t *testing.T) {
	a := newAccounts(t, Options{})
	user, err := a.Create(t.Context(), "alice", "", NewUser{})
	wantCode(t, err, "")
	set := func(room store.RoomNum, typ string) {
		t.Helper()
		_, err := a.SetData(t.Context(), user, room, typ, []byte(`{"a":1}`))
		wantCode(t, err, "")
	}
	set(0, "m.x")
	set(7, "m.x")
	_, before, err := a.dataBefore(t.Context(), user, 0, "m.x")
	wantCode(t, err, "")
	for i := range 2*dataPage + 3 {
		set(8, fmt.Sprint("m.", i))
	}
	wantCode(t, a.ForgetRoom(t.Context(), user, 8), "")
	wantCode(t, a.ForgetRoom(t.Context(), user, 8), "")
	for _, after := range []store.Pos{0, 1} {
		n := 0
		for d, err := range a.DataSince(t.Context(), user, after) {
			wantCode(t, err, "")
			n++
			if d.Room == 8 {
				t.Errorf("kept %+v", d)
			}
		}
		if n != 2 {
			t.Errorf("after %d, %d pieces are left of 2", after, n)
		}
	}
	if _, used, err := a.dataBefore(t.Context(), user, 0, "m.x"); err != nil || used != before {
		t.Errorf("uses %+v, %v; want %+v", used, err, before)
	}
}
