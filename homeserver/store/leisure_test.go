package store

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestLeisure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLeisure()
		rested := func(ctx context.Context, want time.Duration) {
			t.Helper()
			begin := time.Now()
			l.Rest(ctx)
			if got := time.Since(begin); got != want {
				t.Errorf("rested for %s, want %s", got, want)
			}
		}
		rested(t.Context(), rest)
		l.Hurry()
		l.Hurry() // is the same haste
		rested(t.Context(), 0)
		rested(t.Context(), rest)
		time.AfterFunc(rest/2, l.Hurry)
		rested(t.Context(), rest/2)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		rested(ended, 0)
	})
}
