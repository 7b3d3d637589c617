package account

import (
	"testing"

	"hearth/matrix"
)

func TestModeration(t *testing.T) {
	a := withAlice(t)
	s := session(t, a, "PHONE")
	check := func(token, password string) {
		t.Helper()
		_, err := a.Authenticate(t.Context(), s.Token)
		wantCode(t, err, token)
		wantCode(t, a.CheckPassword(t.Context(), alice, "secret"), password)
	}
	check("", "")
	// Threat 10: also a session that is in memory is locked, and nobody makes another one.
	wantCode(t, a.SetLocked(t.Context(), alice, true), "")
	check(matrix.MUserLocked, matrix.MUserLocked)
	_, err := a.NewSession(t.Context(), alice, "", "")
	wantCode(t, err, matrix.MUserLocked)
	wantCode(t, a.SetLocked(t.Context(), alice, false), "")
	check("", "")

	wantCode(t, a.SetSuspended(t.Context(), alice, true), "")
	wantCode(t, a.SetAdmin(t.Context(), alice, true), "")
	wantCode(t, a.SetKind(t.Context(), alice, "support"), "")
	u, err := a.User(t.Context(), alice)
	wantCode(t, err, "")
	if !u.Suspended || !u.Admin || u.Kind != "support" || u.Locked {
		t.Errorf("the user is %+v", u)
	}
	check("", "")
	for _, err := range []error{
		a.SetLocked(t.Context(), "@nobody:here.example", true), a.SetSuspended(t.Context(), "@nobody:here.example", true),
		a.SetAdmin(t.Context(), "@nobody:here.example", true), a.SetKind(t.Context(), "@nobody:here.example", "bot"),
	} {
		wantCode(t, err, matrix.MNotFound)
	}
}
