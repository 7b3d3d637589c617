package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"hearth/appliance/ota"
)

// SessionHeader names the run of a laptop's command that an update belongs to.
const SessionHeader = "Hearth-Session"

// Missing is what a box lacks of a bundle.
type Missing struct {
	Chunks []ota.Range `json:"chunks"` // numbers of chunks, through all files
	Bytes  int64       `json:"bytes"`
}

// A Stage is how far an update is.
type Stage struct {
	Stage string `json:"stage,omitempty"` // Checking, Saving or Restarting
	Error string `json:"error,omitempty"` // instead: why it ended, as the last line
}

// The stages, after all has been received.
const (
	Checking   = "checking"   // what was written is read back
	Saving     = "saving"     // the programs are stopped, and the data copied
	Restarting = "restarting" // the machine restarts into the new version: the last line
)

// enter begins a request of an update, if no other session has one. Leave must be called when it has been answered. A request of the
// same session whose connection has broken is ended first, for its laptop has come back. The body is to be read by what it returns.
func (a *Agent) enter(w http.ResponseWriter, r *http.Request) (*patient, error) {
	session := r.Header.Get(SessionHeader)
	if session == "" || len(session) > 64 {
		return nil, fail(http.StatusBadRequest, "the header %s is missing", SessionHeader)
	}
	body := &patient{r: r.Body, control: http.NewResponseController(w)}
	for {
		before, err := a.claim(session, body.interrupt)
		if before == nil {
			return body, err
		}
		select {
		case <-before:
		case <-r.Context().Done():
			return nil, fail(http.StatusConflict, "an earlier request of this update has not ended")
		}
	}
}

// claim takes the update for a session's request, which interrupt ends early. If one of the same session is being answered, it
// interrupts that, and returns what is closed when it has ended.
func (a *Agent) claim(session string, interrupt func()) (before <-chan struct{}, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.trial != nil && !a.settled:
		return nil, fail(http.StatusConflict, "version %s is on trial: wait until it is kept or undone", a.trial.ToVersion)
	case a.trying:
		return nil, fail(http.StatusConflict, "an update is being started: wait until the box is back")
	case a.busy != nil && a.session == session:
		a.interrupt()
		return a.busy, nil
	case a.busy != nil:
		return nil, fail(http.StatusConflict, "another update of this box is under way: wait until it has ended")
	case a.session != session && a.session != "" && a.now().Sub(a.heard) < silence:
		return nil, fail(http.StatusConflict, "another update of this box is under way: it is given up if nothing comes of it for a minute")
	}
	a.session, a.heard = session, a.now()
	a.busy, a.interrupt = make(chan struct{}), interrupt
	return nil, nil
}

// leave ends a request. If the session is to go on, nobody else begins for a while.
func (a *Agent) leave(goesOn *bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.busy)
	a.busy, a.heard = nil, a.now()
	if !*goesOn {
		a.session = ""
	}
}

// postUpdate is the first half of an update: the box judges the bundle, makes the idle slot ready and says what it lacks.
func (a *Agent) postUpdate(w http.ResponseWriter, r *http.Request) (any, error) {
	in, err := a.enter(w, r)
	if err != nil {
		return nil, err
	}
	goesOn := false
	defer a.leave(&goesOn)
	body := io.LimitReader(in, ota.MaxHead+1) // one more than a head may have, so that what stands behind it is seen
	head, err := ota.ReadHead(body)
	if err != nil {
		return nil, fail(http.StatusBadRequest, "%w", err)
	}
	if n, err := io.ReadFull(body, make([]byte, 1)); n > 0 || err != io.EOF {
		return nil, fail(http.StatusBadRequest, "more came than a bundle's head")
	}
	a.close()
	install, err := a.Box.Begin(head, a.keys.current())
	if errors.Is(err, ota.ErrRuns) {
		return nil, fail(http.StatusAlreadyReported, "%w", err)
	}
	if err != nil {
		return nil, fail(http.StatusUnprocessableEntity, "%w", err)
	}
	a.install = install
	if err := a.note(false); err != nil {
		return nil, err
	}
	missing := Missing{}
	missing.Chunks, missing.Bytes = install.Missing()
	goesOn = true
	return missing, nil
}

// close lets go of the install of before.
func (a *Agent) close() {
	if a.install != nil {
		a.install.Close()
		a.install = nil
	}
}

// putUpdate is the second half: what was missing comes, is checked, and tried.
func (a *Agent) putUpdate(w http.ResponseWriter, r *http.Request) (any, error) {
	body, err := a.enter(w, r)
	if err != nil {
		return nil, err
	}
	goesOn := true
	defer a.leave(&goesOn)
	if a.install == nil {
		return nil, fail(http.StatusConflict, "nothing was begun: send the bundle's head first")
	}
	install := a.install
	defer a.close()
	if err := install.Receive(body); err != nil {
		return nil, fail(http.StatusUnprocessableEntity, "%w", err)
	}
	goesOn = false
	out := &stages{w: &flushing{body.control, w}}
	out.say(Stage{Stage: Checking})
	if err := install.Finish(); err != nil {
		a.Log.Error("an update could not be installed", "err", err)
		out.say(Stage{Error: err.Error()})
		return nil, nil
	}
	if err := a.note(false); err != nil {
		a.Log.Error("reading what the slots hold", "err", err) // it is only shown
	}
	out.say(Stage{Stage: Saving})
	a.try(context.WithoutCancel(r.Context()), out)
	return nil, nil
}

// try stops the programs and restarts into the new version, or starts them again.
func (a *Agent) try(ctx context.Context, out *stages) {
	a.mu.Lock()
	a.trying = true
	a.mu.Unlock()
	restart, err := "", a.Machine.Quiesce(ctx)
	if err == nil {
		restart, err = a.Box.Try()
	}
	switch {
	case err == nil:
		a.Log.Warn("restarting into a new version")
		out.say(Stage{Stage: Restarting})
		a.Machine.Restart(restart)
		return
	case errors.Is(err, ota.ErrUnsettled):
		a.Log.Error("an update could not be tried", "err", err)
		out.say(Stage{Error: err.Error()})
		a.Machine.Restart("")
		return
	}
	a.Log.Error("an update could not be tried", "err", err)
	a.Machine.Resume()
	a.mu.Lock()
	a.trying = false
	a.mu.Unlock()
	out.say(Stage{Error: fmt.Sprintf("the new version could not be tried: %v", err)})
}

// stages writes lines of JSON. That the laptop has gone does not matter.
type stages struct{ w io.Writer }

func (s *stages) say(stage Stage) {
	line, err := json.Marshal(stage)
	if err == nil {
		_, _ = s.w.Write(append(line, '\n'))
	}
}

// patient reads a body, and gives up when nothing comes for some time, or when it is interrupted.
type patient struct {
	r           io.Reader
	control     *http.ResponseController
	interrupted atomic.Bool
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.control.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	if p.interrupted.Load() { // after the deadline was set, which interrupt would have replaced otherwise
		return 0, errors.New("the laptop has begun anew")
	}
	return p.r.Read(b)
}

func (p *patient) interrupt() {
	p.interrupted.Store(true)
	_ = p.control.SetReadDeadline(time.Unix(1, 0)) // of a connection that is gone
}
