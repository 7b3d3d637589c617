package agent

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"hearth/appliance/ota"
)

// Limits of the management port.
const (
	maxConnections = 16
	headerPatience = 10 * time.Second
	silence        = time.Minute // after which a connection, or an upload's next bytes, are given up
)

// Wake is called at every start, before any program uses the data, which it may put back. It reports whether this start is a
// trial, in which the outside must not be let in. If it fails, no program may use the data.
func (a *Agent) Wake() (trial bool, err error) {
	a.started = a.now()
	a.trial, err = a.Box.Wake()
	if err == nil {
		err = a.note(false)
	}
	if err != nil && a.trial != nil {
		a.GiveUp(err)
	}
	if err != nil {
		return a.trial != nil, fmt.Errorf("finishing the last update: %w", err)
	}
	return a.trial != nil, nil
}

// note reads from the disks what Status tells of slots and updates. Whoever calls it is the only one who changes them. Settled says that the trial is.
func (a *Agent) note(settled bool) error {
	last, err := a.Box.Journal.Load()
	if err != nil {
		return err
	}
	var slots []SlotState
	for _, slot := range []ota.Slot{ota.A, ota.B} {
		state := SlotState{Slot: slot.String()}
		if head, err := a.Box.Installed(slot); err == nil {
			state.Version, state.Number = head.Manifest.Version, head.Manifest.Number
		}
		slots = append(slots, state)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.slots, a.last = slots, last
	a.settled = a.settled || settled
	return nil
}

// Run serves a listener, and sees a trial through, until ctx ends. A version that cannot be managed does not pass its trial.
func (a *Agent) Run(ctx context.Context, listener net.Listener) error {
	err := a.run(ctx, listener)
	a.mu.Lock()
	undecided := a.trial != nil && !a.settled
	a.mu.Unlock()
	if err != nil && undecided {
		a.GiveUp(err)
	}
	return err
}

func (a *Agent) run(ctx context.Context, listener net.Listener) error {
	var err error
	if a.keys, err = openKeys(a.Folder, a.Owner); err != nil {
		return err
	}
	config, err := secure(a.keys.own, func(ed25519.PublicKey) error { return nil }) // whose it is, each request judges
	if err != nil {
		return err
	}
	if owner := a.keys.current(); owner == nil {
		a.Log.Warn("this box has no owner yet: the first who asks will be", "fingerprint", a.keys.fingerprint())
	}
	server := &http.Server{
		Handler: a.handler(), ReadHeaderTimeout: headerPatience, IdleTimeout: silence, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    log.New(nothing{}, "", 0), // failed handshakes of strangers
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() { // until the trial is decided, or ctx ends
		defer close(done)
		a.watch(ctx)
	}()
	closed := make(chan struct{})
	go func() { // until the last answer is given, after ctx has ended
		defer close(closed)
		<-serving.Done()
		end(server)
	}()
	err = server.Serve(tls.NewListener(netutil.LimitListener(listener, maxConnections), config))
	stop()
	<-closed
	<-done
	a.close()
	if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving the management port: %w", err)
}

// lastAnswers is how long answers may take when the box ends.
const lastAnswers = 5 * time.Second

// end lets requests that are being answered end.
func end(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), lastAnswers)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close()
	}
}

type nothing struct{}

func (nothing) Write(p []byte) (int, error) { return len(p), nil }

// failure is an answer that is an error.
type failure struct {
	status int
	err    error
}

func (f *failure) Error() string { return f.err.Error() }

func fail(status int, format string, args ...any) error {
	return &failure{status, fmt.Errorf(format, args...)}
}

// handlers by their patterns. What they return is answered; a nil answer was given already.
func (a *Agent) handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, handler func(http.ResponseWriter, *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { a.answer(w, r, handler) })
	}
	handle("GET /v1/status", a.getStatus)
	handle("GET /v1/logs", a.getLogs)
	handle("POST /v1/reboot", a.postReboot)
	handle("POST /v1/update", a.postUpdate)
	handle("PUT /v1/update", a.putUpdate)
	handle("/", func(http.ResponseWriter, *http.Request) (any, error) {
		return nil, fail(http.StatusNotFound, "there is no such request: this box may have another version than the command")
	})
	enrolling := http.NewServeMux()
	enrolling.Handle("/", a.ownersOnly(mux))
	enrolling.HandleFunc("POST /v1/enrol", func(w http.ResponseWriter, r *http.Request) { a.answer(w, r, a.postEnrol) })
	return enrolling
}

// ownersOnly lets nobody through but the owner.
func (a *Agent) ownersOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := peerKey(r.TLS)
		owner := a.keys.current()
		switch {
		case err != nil:
			err = fail(http.StatusForbidden, "%w", err)
		case owner == nil:
			err = fail(http.StatusForbidden, "this box has no owner yet: enrol first")
		case !owner.Equal(peer):
			err = fail(http.StatusForbidden, "this box does not belong to your key, %s", ota.Fingerprint(peer))
		}
		if err != nil {
			w.Header().Set("Connection", "close")
			a.answer(w, r, func(http.ResponseWriter, *http.Request) (any, error) { return nil, err })
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (a *Agent) answer(w http.ResponseWriter, r *http.Request, handler func(http.ResponseWriter, *http.Request) (any, error)) {
	out, err := handler(w, r)
	status := http.StatusOK
	if err != nil {
		status = http.StatusInternalServerError
		var known *failure
		if errors.As(err, &known) {
			status = known.status
		} else {
			a.Log.Error("management failed", "request", r.Pattern, "err", err)
		}
		out = problem{err.Error()}
	}
	if out == nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(out) // who has gone needs no answer
}

// problem is the body of an answer that is an error.
type problem struct {
	Error string `json:"error"`
}

// Enrolled is the answer to who has become the owner, or was it already.
type Enrolled struct {
	Owner string `json:"owner"` // the fingerprints
	Box   string `json:"box"`
}

func (a *Agent) postEnrol(_ http.ResponseWriter, r *http.Request) (any, error) {
	peer, err := peerKey(r.TLS)
	if err != nil {
		return nil, fail(http.StatusForbidden, "%w", err)
	}
	before := a.keys.current()
	if err := a.keys.enrol(peer); errors.Is(err, errOwned) {
		return nil, fail(http.StatusForbidden, "this box does not belong to your key, %s", ota.Fingerprint(peer))
	} else if err != nil {
		return nil, err
	}
	if before == nil {
		a.Log.Warn("this box has an owner now", "fingerprint", ota.Fingerprint(peer))
	}
	return Enrolled{Owner: ota.Fingerprint(peer), Box: a.keys.fingerprint()}, nil
}

func (a *Agent) postReboot(http.ResponseWriter, *http.Request) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy != nil || a.trying {
		return nil, fail(http.StatusConflict, "an update is under way: wait until it has ended")
	}
	a.Machine.Restart("")
	return struct{}{}, nil
}
