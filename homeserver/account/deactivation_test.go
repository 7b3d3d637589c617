package account

import (
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
)

func departing(t testing.TB, a *Accounts) (all []Departure) {
	t.Helper()
	for d, err := range a.Departing(t.Context()) {
		wantCode(t, err, "")
		all = append(all, d)
	}
	return all
}

// Threat 10: nothing opens a deactivated account again.
func TestDeactivate(t *testing.T) {
	a := withAlice(t)
	s := session(t, a, "PHONE")
	valid(t, a, s.Token)
	_, err := a.SetProfileField(t.Context(), alice, "displayname", []byte(`"Alice"`))
	wantCode(t, err, "")
	wantCode(t, a.Deactivate(t.Context(), alice, false), "")
	if valid(t, a, s.Token) {
		t.Error("the session goes on")
	}
	select {
	case <-a.Departures():
	default:
		t.Error("nobody is told")
	}
	devices, err := a.Devices(t.Context(), alice)
	wantCode(t, err, "")
	profile, err := a.Profile(t.Context(), alice)
	wantCode(t, err, "")
	if len(devices) > 0 || !profile.Empty() {
		t.Errorf("left: %v, %s", devices, profile.JSON)
	}
	wantCode(t, a.CheckPassword(t.Context(), alice, "secret"), matrix.MForbidden)
	wantCode(t, a.SetPassword(t.Context(), alice, "secret"), "")
	wantCode(t, a.CheckPassword(t.Context(), alice, "secret"), matrix.MUserDeactivated)
	_, err = a.NewSession(t.Context(), alice, "PHONE", "")
	wantCode(t, err, matrix.MUserDeactivated)
	_, err = a.SetProfileField(t.Context(), alice, "displayname", []byte(`"Alice"`))
	wantCode(t, err, matrix.MUserDeactivated)
	_, err = a.Create(t.Context(), "alice", "secret", NewUser{})
	wantCode(t, err, matrix.MUserInUse)
	wantCode(t, a.Deactivate(t.Context(), "@nobody:here.example", false), matrix.MNotFound)
}

func TestDepartureRemovesData(t *testing.T) {
	a := withAlice(t)
	session(t, a, "PHONE")
	_, err := a.SetData(t.Context(), alice, 0, "m.x", []byte("{}"))
	wantCode(t, err, "")
	_, err = a.store.Apply(t.Context(), func(tx *store.Tx) {
		for i := range 2 * removePage {
			tx.Set(tableFilters, key(alice, key8(uint64(i))), []byte("{}"))
		}
	})
	wantCode(t, err, "")
	wantCode(t, a.Deactivate(t.Context(), alice, false), "")
	// Another program finds who was departing when this one was killed.
	again := New(a.store, Options{Server: a.server, Cost: cheap()})
	all := departing(t, again)
	if len(all) != 2 || all[0] != (Departure{alice, ""}) || all[1] != (Departure{alice, "PHONE"}) {
		t.Fatalf("departing: %v", all)
	}
	for _, d := range append(all, all...) {
		wantCode(t, again.Departed(t.Context(), d), "")
	}
	if ids := departing(t, a); len(ids) != 0 {
		t.Errorf("still departing: %v", ids)
	}
	for _, table := range []string{tableData, tableFilters} {
		for row, err := range a.store.Scan(t.Context(), wholeTable(table)) {
			t.Fatalf("left in %s: %q, %v", table, row.Key, err)
		}
	}
	wantCode(t, a.Deactivate(t.Context(), alice, false), "")
	if ids := departing(t, a); len(ids) != 0 {
		t.Errorf("departing a second time: %v", ids)
	}
}

func TestErase(t *testing.T) {
	a := withAlice(t)
	erased := func(a *Accounts, want bool) {
		t.Helper()
		if got, err := a.Erased(t.Context(), alice); got != want || err != nil {
			t.Errorf("erased: %v, %v, want %v", got, err, want)
		}
	}
	wantCode(t, a.Deactivate(t.Context(), alice, false), "")
	erased(a, false)
	wantCode(t, a.Deactivate(t.Context(), alice, true), "")
	erased(a, true)
	erased(New(a.store, Options{Server: a.server, Cost: cheap()}), true)
	wantCode(t, a.Deactivate(t.Context(), alice, false), "")
	u, err := a.User(t.Context(), alice)
	wantCode(t, err, "")
	if !u.Deactivated || !u.Erased {
		t.Errorf("the user is %+v", u)
	}
}
