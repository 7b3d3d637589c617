package push

import (
	"context"
	"fmt"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// TestNotificationsAreBounded: a page costs no more than so much, and the next one goes on where it ended.
func TestNotificationsAreBounded(t *testing.T) {
	w := memory(t)
	const alice, bob = matrix.UserID("@alice:here.example"), matrix.UserID("@bob:here.example")
	r := w.room(alice, bob)
	w.say(r, alice, "long ago")
	for range maxWalked + 1000 { // what does not concern bob
		_, err := w.store.Append(t.Context(), func(tx *store.Tx) { tx.Note(store.Note{Kind: store.KindProfile}) })
		w.must(err)
	}
	w.must(w.store.Settle(t.Context()))
	page, err := w.push.Notifications(t.Context(), bob, "", 10, false)
	w.must(err)
	if len(page.List) != 0 || page.Next == "" {
		t.Fatalf("%d notifications, next %q, want none yet and a token", len(page.List), page.Next)
	}
	page, err = w.push.Notifications(t.Context(), bob, page.Next, 10, false)
	w.must(err)
	if len(page.List) != 1 || page.Next != "" {
		t.Errorf("%d notifications, next %q", len(page.List), page.Next)
	}
}

func FuzzNotificationsToken(f *testing.F) {
	f.Add("n4711")
	f.Add("n-1")
	f.Fuzz(func(t *testing.T, token string) {
		pos, err := readNotificationsToken(token)
		if err == nil && notificationsToken(pos) != token {
			t.Errorf("%q is %d", token, pos)
		}
	})
}

// BenchmarkNotifications asks for the newest page: of a user whom all messages notify, and for highlights where there
// are none.
func BenchmarkNotifications(b *testing.B) {
	w := memory(b)
	const alice, bob = matrix.UserID("@alice:here.example"), matrix.UserID("@bob:here.example")
	r := w.room(alice, bob)
	for i := range 6000 {
		w.say(r, alice, fmt.Sprint("message ", i))
	}
	for name, highlights := range map[string]bool{"newest": false, "none": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, err := w.push.Notifications(context.Background(), bob, "", 50, highlights); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
