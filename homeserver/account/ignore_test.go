package account

import (
	"fmt"
	"strings"
	"testing"

	"hearth/matrix"
)

func ignored(t testing.TB, a *Accounts, users ...matrix.UserID) *Ignored {
	t.Helper()
	i, err := a.Ignored(t.Context(), alice)
	wantCode(t, err, "")
	for _, u := range users {
		if !i.Has(u) {
			t.Errorf("%s is not ignored", u)
		}
	}
	if i.Len() != len(users) {
		t.Errorf("%d are ignored, want %d", i.Len(), len(users))
	}
	return i
}

func TestIgnored(t *testing.T) {
	a := withAlice(t)
	if i := ignored(t, a); i.Pos != 0 {
		t.Errorf("position %d of a list that never was", i.Pos)
	}
	pos := setData(t, a, 0, IgnoredUsers, `{"ignored_users":{"@bob:here.example":{},"@carol:far.example":{},"@alice:here.example":{},"nobody":{}}}`)
	if i := ignored(t, a, "@bob:here.example", "@carol:far.example"); i.Pos != pos {
		t.Errorf("position %d, want %d", i.Pos, pos)
	}
	setData(t, a, 7, IgnoredUsers, `{"ignored_users":{"@dave:here.example":{}}}`) // of a room, which means nothing
	ignored(t, a, "@bob:here.example", "@carol:far.example")
	setData(t, a, 0, IgnoredUsers, `{"ignored_users":{"@dave:here.example":{}}}`)
	ignored(t, a, "@dave:here.example")
	for _, odd := range []string{`{}`, `{"ignored_users":[]}`, `{"ignored_users":"@bob:here.example"}`, `{"ignored_users":null}`} {
		setData(t, a, 0, IgnoredUsers, odd)
		ignored(t, a)
	}
	other, err := a.Ignored(t.Context(), "@x:far.example")
	wantCode(t, err, "")
	if other.Len() != 0 {
		t.Error("a user of another server ignores somebody")
	}
}

// A list that is too long to be kept works, and so does what replaces it.
func TestLongIgnoredList(t *testing.T) {
	a := withAlice(t)
	var list strings.Builder
	var users []matrix.UserID
	for i := range 1000 {
		u := matrix.UserID(fmt.Sprintf("@user%d:here.example", i))
		fmt.Fprintf(&list, `,"%s":{}`, u)
		users = append(users, u)
	}
	setData(t, a, 0, IgnoredUsers, `{"ignored_users":{`+list.String()[1:]+`}}`)
	for range 2 {
		ignored(t, a, users...)
	}
	if _, kept, _ := a.ignored.Get(alice); kept {
		t.Error("a long list is kept in memory")
	}
	setData(t, a, 0, IgnoredUsers, `{"ignored_users":{"@bob:here.example":{}}}`)
	ignored(t, a, "@bob:here.example")
	if _, kept, _ := a.ignored.Get(alice); !kept {
		t.Error("a short list is not kept")
	}
}

func FuzzReadIgnored(f *testing.F) {
	f.Add([]byte(`{"ignored_users":{"@bob:here.example":{}}}`))
	f.Add([]byte(`{"ignored_users":[`))
	f.Fuzz(func(t *testing.T, content []byte) {
		i := readIgnored(alice, &Datum{Content: content})
		for u := range i.users {
			if _, err := matrix.ParseUserID(string(u)); err != nil || u == alice {
				t.Errorf("ignores %q", u)
			}
		}
	})
}
