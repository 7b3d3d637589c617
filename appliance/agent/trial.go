package agent

import (
	"context"
	"errors"
	"strings"
	"time"

	"hearth/appliance/health"
)

// watch sees a trial through: it commits the version that runs when all is well, or goes back to the one of before.
func (a *Agent) watch(ctx context.Context) {
	if a.trial == nil {
		return
	}
	patience := a.Patience
	if patience == 0 {
		patience = TrialPatience
	}
	limit, cancel := context.WithTimeoutCause(ctx, patience, errHanging)
	defer cancel()
	reason := a.await(limit)
	if ctx.Err() != nil {
		return // the machine is being stopped
	}
	if reason != "" {
		a.goBack(reason)
		return
	}
	if err := a.Box.Commit(*a.trial); err != nil {
		a.goBack(err.Error())
		return
	}
	if err := a.note(true); err != nil {
		a.Log.Error("reading how the update went", "err", err) // it is only shown
	}
	a.Log.Warn("the new version is kept", "version", a.trial.ToVersion)
	if err := a.Machine.Admit(ctx); err != nil && ctx.Err() == nil {
		a.Log.Error("letting the outside in after the trial", "err", err)
		a.Machine.Restart("") // the version is kept, and the next start is none of a trial
	}
	a.mu.Lock()
	a.let = true
	a.mu.Unlock()
}

// await returns "" as soon as all is well, or what was not when ctx has ended.
func (a *Agent) await(ctx context.Context) string {
	pause := a.Pause
	if pause == 0 {
		pause = time.Second
	}
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	reason := errHanging.Error()
	for {
		now := a.look(ctx)
		if now == "" {
			return ""
		}
		if reason == errHanging.Error() || ctx.Err() == nil { // a look that ctx has cut short says less than the one before
			reason = now
		}
		select {
		case <-ctx.Done():
			return reason
		case <-ticker.C:
		}
	}
}

// errHanging is why a trial ends in which no look has come to an end.
var errHanging = errors.New("it was not well in time, and hangs")

// look returns "" if all is well now, or what is not.
func (a *Agent) look(ctx context.Context) string {
	done := make(chan string, 1)
	go func() { // ends with its checks, which heed ctx; one that hangs does not hold up the trial's end
		state := health.Look(ctx, a.Checks)
		if causes := state.Causes(); !state.Well {
			done <- strings.Join(causes, "; ")
			return
		}
		if err := a.Probe(ctx); err != nil {
			done <- err.Error()
			return
		}
		done <- ""
	}()
	select {
	case reason := <-done:
		return reason
	case <-ctx.Done():
		return context.Cause(ctx).Error()
	}
}

// GiveUp ends the trial that Wake has told of, because of something without which the box cannot be: the machine restarts into the
// version of before.
func (a *Agent) GiveUp(why error) { a.goBack(why.Error()) }

// goBack restarts into the version of before.
func (a *Agent) goBack(reason string) {
	a.Log.Error("the new version is undone", "version", a.trial.ToVersion, "why", reason)
	if err := a.Box.GiveUp(*a.trial, reason); err != nil {
		a.Log.Error("noting why", "err", err)
	}
	a.Machine.Restart("")
}
