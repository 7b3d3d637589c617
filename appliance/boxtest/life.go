package boxtest

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"hearth/appliance/ota"
	"hearth/appliance/powercut"
)

// A life is what happens from a start to the next. It is PID 1.
type life struct {
	box     *Box
	ctx     context.Context
	cancel  context.CancelFunc
	cut     atomic.Bool // it was ended by a loss of power
	luck    powercut.Luck
	machine *powercut.Machine
	slot    ota.Slot
	version Version
	open    bool // guarded by the box's mutex
}

// live runs until the machine is restarted or loses its power.
func (l *life) live(listener net.Listener) error {
	a := l.box.agent(l)
	var trial bool
	var err error
	if !l.powered(func() { trial, err = a.Wake() }) {
		return nil
	}
	if err != nil {
		return err
	}
	if trial && !l.powered(func() { l.machine.Data.Write(l.machine.Data.Live + ", migrated to " + l.version.Name) }) {
		return nil
	}
	if !trial {
		l.admit()
	}
	if err := a.Run(l.ctx, listener); err != nil && l.ctx.Err() == nil {
		return err
	}
	return nil
}

// powered runs something in a goroutine that ends when power is lost, and reports whether it was not.
func (l *life) powered(do func()) bool {
	done := make(chan struct{})
	go func() { // until do ends, or power is lost
		defer close(done)
		do()
	}()
	<-done
	return !l.cut.Load()
}

func (l *life) admit() {
	l.box.mu.Lock()
	defer l.box.mu.Unlock()
	l.open = true
	l.box.notify()
}

// Quiesce implements agent.Machine.
func (l *life) Quiesce(context.Context) error {
	l.box.mu.Lock()
	defer l.box.mu.Unlock()
	l.open = false
	return nil
}

// Resume implements agent.Machine.
func (l *life) Resume() { l.admit() }

// Admit implements agent.Machine.
func (l *life) Admit(context.Context) error {
	l.admit()
	return nil
}

// Restart implements agent.Machine.
func (l *life) Restart(argument string) {
	l.machine.Restart(argument)
	l.cancel()
}

// check is the health tree's.
func (l *life) check(ctx context.Context) (string, error) {
	switch {
	case l.version.Hangs:
		<-ctx.Done()
		return "", context.Cause(ctx)
	case l.version.Sick != "":
		return "", errors.New(l.version.Sick)
	}
	return "", nil
}

// probe is the round trip.
func (l *life) probe(context.Context) error {
	if l.version.Mute {
		return errMute
	}
	return nil
}
