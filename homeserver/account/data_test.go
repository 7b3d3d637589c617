package account

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
)

func setData(t testing.TB, a *Accounts, room store.RoomNum, typ, content string) store.Pos {
	t.Helper()
	pos, err := a.SetData(t.Context(), alice, room, typ, []byte(content))
	wantCode(t, err, "")
	return pos
}

// since lists what changed after a position, as "room/type=content" in the order it came.
func since(t testing.TB, a *Accounts, after store.Pos) string {
	t.Helper()
	var all []string
	for d, err := range a.DataSince(t.Context(), alice, after) {
		wantCode(t, err, "")
		if d.Pos <= after {
			t.Errorf("%+v is not after %d", d, after)
		}
		all = append(all, fmt.Sprintf("%d/%s=%s", d.Room, d.Type, d.Content))
	}
	return strings.Join(all, " ")
}

func TestData(t *testing.T) {
	a := withAlice(t)
	setData(t, a, 0, "m.direct", `{"a":1}`)
	setData(t, a, 7, "m.tag", `{}`)
	first := setData(t, a, 7, "m.direct", `{"b":2}`)
	if _, err := a.SetData(t.Context(), "@alice2:here.example", 0, "m.direct", []byte(`{"other":1}`)); err != nil {
		t.Fatal(err)
	}
	second := setData(t, a, 0, "m.direct", `{"c":3}`)
	for _, c := range []struct {
		room store.RoomNum
		typ  string
		want string
	}{{0, "m.direct", `{"c":3}`}, {7, "m.direct", `{"b":2}`}, {7, "m.tag", `{}`}, {0, "m.tag", ""}, {8, "m.tag", ""}, {0, "", ""}, {0, strings.Repeat("x", 2000), ""}} {
		got, err := a.Data(t.Context(), alice, c.room, c.typ)
		if string(got) != c.want || err != nil {
			t.Errorf("%d/%s is %s, %v, want %s", c.room, c.typ, got, err, c.want)
		}
	}
	for after, want := range map[store.Pos]string{
		0:      `0/m.direct={"c":3} 7/m.direct={"b":2} 7/m.tag={}`,
		1:      `7/m.tag={} 7/m.direct={"b":2} 0/m.direct={"c":3}`,
		first:  `0/m.direct={"c":3}`,
		second: ``,
	} {
		if got := since(t, a, after); got != want {
			t.Errorf("after %d: %s, want %s", after, got, want)
		}
	}
}

func TestDataInPages(t *testing.T) {
	a := withAlice(t)
	var want []string
	start := setData(t, a, 0, "x", "{}")
	for i := range 2*dataPage + 3 {
		typ := fmt.Sprintf("t%03d", i)
		setData(t, a, 1, typ, "{}")
		want = append(want, "1/"+typ+"={}")
	}
	if got := since(t, a, start); got != strings.Join(want, " ") {
		t.Errorf("read %s", got)
	}
	count := 0
	for range a.DataSince(t.Context(), alice, start) {
		if count++; count == dataPage+1 {
			break
		}
	}
	if count != dataPage+1 {
		t.Errorf("stopped after %d", count)
	}
}

func TestBadData(t *testing.T) {
	a := withAlice(t)
	for _, c := range []struct{ typ, content, code string }{
		{"", "{}", matrix.MInvalidParam},
		{strings.Repeat("x", MaxDataType+1), "{}", matrix.MInvalidParam},
		{"m.x", `{"x":"` + strings.Repeat("x", MaxData) + `"}`, matrix.MTooLarge},
		{strings.Repeat("x", MaxDataType), "{}", ""},
		{"with\x00nul", "{}", ""},
	} {
		_, err := a.SetData(t.Context(), alice, 0, c.typ, []byte(c.content))
		wantCode(t, err, c.code)
	}
}

// Threat 12: account data is limited; replacing counts once.
func TestDataIsLimited(t *testing.T) {
	a := withAlice(t)
	big := `{"x":"` + strings.Repeat("x", MaxData-100) + `"}`
	i := 0
	for ; ; i++ {
		_, err := a.SetData(t.Context(), alice, 0, fmt.Sprint("t", i), []byte(big))
		if err != nil {
			wantCode(t, err, matrix.MUserLimitExceeded)
			break
		}
	}
	if size := i * len(big); size > MaxUserData || size < MaxUserData-2*MaxData {
		t.Errorf("%d bytes were let in", size)
	}
	for range 300 {
		setData(t, a, 0, "t0", big)
	}
	setData(t, a, 0, "t0", "{}")
	setData(t, a, 0, "new", big[:len(big)/2]+`"}`)
}

// Every change has one line in the index, however they meet, and also when the client did not wait for the answer.
func TestDataIndexIsExact(t *testing.T) {
	a := withAlice(t)
	start := setData(t, a, 0, "x", "{}")
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			if i%2 == 0 {
				cancel()
			}
			_, _ = a.SetData(ctx, alice, 0, fmt.Sprint("t", i%3), []byte("{}"))
			cancel()
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for d, err := range a.DataSince(t.Context(), alice, start) {
		wantCode(t, err, "")
		if seen[d.Type] {
			t.Errorf("%s came twice", d.Type)
		}
		seen[d.Type] = true
	}
	if len(seen) != 3 {
		t.Errorf("saw %v", seen)
	}
}

func TestDataIsAnnounced(t *testing.T) {
	a := withAlice(t)
	from := a.store.Durable()
	pos := setData(t, a, 7, "m.tag", "{}")
	notes, err := a.store.Follow(t.Context(), from)
	wantCode(t, err, "")
	if len(notes) != 1 || notes[0].Kind != store.KindAccountData || notes[0].User != alice || notes[0].Room != 7 || notes[0].Pos != pos {
		t.Errorf("announced %+v, want position %d", notes, pos)
	}
}
