package agent

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hearth/appliance/health"
)

// A look that the end of the trial cuts short says nothing of the box; what the one before found is why the version is undone.
func TestTheReasonIsWhatWasFoundInTime(t *testing.T) {
	for want, first := range map[string]error{
		"box: the disk is gone":      errors.New("the disk is gone"),
		"box: " + errHanging.Error(): nil, // it hangs from the beginning
	} {
		for range 100 { // which of an answer and the end is seen first is chance
			synctest.Test(t, func(t *testing.T) {
				var looks atomic.Int64
				a := &Agent{Checks: health.Check{Name: "box", Test: func(ctx context.Context) (string, error) {
					if looks.Add(1) == 1 && first != nil {
						return "", first
					}
					<-ctx.Done()
					return "", context.Cause(ctx)
				}}}
				ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, errHanging)
				defer cancel()
				if got := a.await(ctx); got != want && "box: "+got != want {
					t.Fatalf("the reason is %q, want %q", got, want)
				}
			})
		}
	}
}
