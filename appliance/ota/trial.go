package ota

import (
	"errors"
	"fmt"
)

// ErrUnsettled is returned by Try if it could not be taken back: the machine must be restarted before any program runs, and
// will then take it back.
var ErrUnsettled = errors.New("the boot partition is in between: the machine must be restarted")

// Try takes a checkpoint and makes the next start a trial of the slot that an Install has finished. No program may use the
// data from before Try until the restart, for which the machine needs the argument that Try returns. If Try fails, nothing has
// changed and the programs may go on, unless the error is ErrUnsettled.
func (b *Box) Try() (restart string, err error) {
	slot := b.Running.Other()
	next, err := b.Installed(slot)
	if err != nil {
		return "", err
	}
	now, err := b.Installed(b.Running)
	if err != nil {
		return "", err
	}
	if err := b.Data.Take(); err != nil {
		return "", errors.Join(fmt.Errorf("taking a checkpoint of the data: %w", err), b.Data.Drop())
	}
	trial := Trial{From: b.Running, To: slot, FromVersion: now.Manifest.Version, ToVersion: next.Manifest.Version, Number: next.Manifest.Number}
	if err := b.Journal.Store(trial); err != nil {
		return "", b.takeBack(trial, err)
	}
	restart, err = b.Method.Arm(b.Boot, slot, next.Manifest.Entry(slot))
	if err != nil {
		return "", b.takeBack(trial, err)
	}
	return restart, nil
}

// takeBack undoes what Try did, because of err.
func (b *Box) takeBack(trial Trial, err error) error {
	trial.Outcome, trial.Reason = Undone, "it could not be tried: "+err.Error()
	if undo := b.Method.Disarm(b.Boot, b.Running); undo != nil {
		return fmt.Errorf("%w (%w; %w)", ErrUnsettled, err, undo)
	}
	if undo := b.Journal.Store(trial); undo != nil {
		return fmt.Errorf("%w (%w; %w)", ErrUnsettled, err, undo)
	}
	return errors.Join(err, b.Data.Drop())
}

// Wake is called at every start, before any program uses the data. It finishes what a loss of power left undone, and puts the
// data back if a trial has failed. It returns the trial that this start is, nil if it is none.
func (b *Box) Wake() (*Trial, error) {
	trial, err := b.Journal.Load()
	if err != nil {
		return nil, err
	}
	if trial == nil || trial.Outcome != Undecided {
		return b.wakeSettled()
	}
	if b.Running == trial.From {
		return nil, b.undo(*trial)
	}
	onTrial, err := b.Method.Trial(b.Boot, b.Running)
	if err != nil {
		return trial, err
	}
	if !onTrial { // power was lost in Commit
		return nil, b.settle(*trial, Committed)
	}
	trial.Started = true
	if err := b.Journal.Store(*trial); err != nil {
		return trial, err
	}
	return trial, nil
}

// wakeSettled is Wake if the journal knows of no trial. If the boot partition does, the journal is not that box's (the data are of
// another disk, say): what runs must prove itself all the same.
func (b *Box) wakeSettled() (*Trial, error) {
	if err := b.Data.Drop(); err != nil {
		return nil, fmt.Errorf("removing a checkpoint that is not used: %w", err)
	}
	onTrial, err := b.Method.Trial(b.Boot, b.Running)
	if err != nil || !onTrial {
		return nil, err
	}
	trial := &Trial{From: b.Running.Other(), To: b.Running, FromVersion: "unknown", ToVersion: "unknown", Started: true}
	if now, err := b.Installed(b.Running); err == nil {
		trial.ToVersion, trial.Number = now.Manifest.Version, now.Manifest.Number
	}
	if before, err := b.Installed(trial.From); err == nil {
		trial.FromVersion = before.Manifest.Version
	}
	return trial, nil
}

// undo puts the data back after a trial that has failed, and makes sure that it is not repeated.
func (b *Box) undo(trial Trial) error {
	if err := b.Data.Restore(); err != nil {
		return fmt.Errorf("putting the data back as they were before version %s: %w", trial.ToVersion, err)
	}
	if err := b.Method.Disarm(b.Boot, b.Running); err != nil {
		return err
	}
	return b.settle(trial, Undone)
}

// settle notes how a trial ended, then removes what it needed.
func (b *Box) settle(trial Trial, outcome Outcome) error {
	trial.Outcome = outcome
	if err := b.Journal.Store(trial); err != nil {
		return err
	}
	if err := b.Data.Drop(); err != nil {
		return fmt.Errorf("removing the checkpoint: %w", err)
	}
	return nil
}

// Commit keeps the version that is on trial. The outside may be let in when it has returned nil; otherwise the machine is to be
// restarted, which leads to one of the two versions.
func (b *Box) Commit(trial Trial) error {
	head, err := b.Installed(b.Running)
	if err != nil {
		return err
	}
	if err := b.Method.Commit(b.Boot, b.Running, head.Manifest.Entry(b.Running)); err != nil {
		return fmt.Errorf("keeping version %s: %w", trial.ToVersion, err)
	}
	return b.settle(trial, Committed)
}

// GiveUp notes why the version on trial is to be undone. The machine is to be restarted whether or not that succeeds.
func (b *Box) GiveUp(trial Trial, reason string) error {
	trial.Reason = reason
	return b.Journal.Store(trial)
}

// Abandon gives up the trial that this start is, if it is one, without whatever else is needed to see it through, even without the
// data. It reports whether it was one: then the machine is to be restarted.
func (b *Box) Abandon(reason string) (trial bool, err error) {
	trial, err = b.Method.Trial(b.Boot, b.Running)
	if err != nil || !trial {
		return false, err
	}
	noted, err := b.Journal.Load()
	if err != nil || noted == nil || noted.Outcome != Undecided || noted.To != b.Running {
		return true, err
	}
	noted.Started = true
	return true, b.GiveUp(*noted, reason)
}
