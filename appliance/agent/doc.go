// Package agent is the box's side of its management, and the laptop's client of it.
//
// The box serves HTTP/1.1 over TLS 1.3 on Port: nothing here gains by HTTP/2, and this process may do anything. Both sides show a self-signed certificate with an Ed25519 key, which is
// all that counts of it: neither names, authorities nor times are looked at.
//
//   - The box makes its key at its first start; the laptop remembers it at first contact, and refuses another one
//     later (Laptop).
//   - The box obeys one key, its owner's. It comes with the image or the settings on the boot partition, or is the first that
//     asks (POST /v1/enrol, while there is none). Both keys have a fingerprint (ota.Fingerprint), which both sides show.
//
// Nobody else gets an answer but 403, and there is no way to run a program, read a file or change a setting through this port.
// It knows these requests:
//
//	GET  /v1/status         Status
//	GET  /v1/logs           the latest lines of the box's log, as text; lines=N says how many, and follow=true goes on
//	POST /v1/enrol          makes who asks the owner; Enrolled
//	POST /v1/reboot         restarts the machine
//	POST /v1/update         the body is a bundle's head (package ota); Missing says what the box lacks of it
//	PUT  /v1/update         the body is just that; the answer is lines of JSON, a Stage each, as the update goes on
//
// An error is {"error": "One sentence."} with a status of 400 or more. A Stage of an error ends a PUT.
//
// The two requests of an update carry the header Hearth-Session with a random text of the laptop's, the same for one run of its
// command. Another session is answered 409 until this one has been silent for a minute. An upload that was cut off is gone
// on with by beginning anew: what came is in the slot, and is not asked for again.
//
// # A trial
//
// PID 1 calls Wake before it starts a program that uses the data. If that returns true this start is a trial: the programs are to
// listen on loopback addresses only. Run then watches until the tree of checks is well and a message has made its way
// (Probe), commits, and has PID 1 let the outside in; or else, when patience is at its end, notes why and restarts the machine,
// which leads to the version of before with the data of before.
package agent

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"sync"
	"time"

	"hearth/appliance/health"
	"hearth/appliance/ota"
)

// Port is where the box serves its management, on TCP.
const Port = "8422"

// A Machine is what PID 1 does for the agent.
type Machine interface {
	// Quiesce ends all programs, and starts none before Resume.
	Quiesce(ctx context.Context) error

	// Resume starts the programs again.
	Resume()

	// Admit lets the outside in after a trial: the programs listen where their settings say.
	Admit(ctx context.Context) error

	// Restart restarts the machine soon, with an argument for the firmware, "" for none. It does not wait for it.
	Restart(argument string)
}

// An Agent manages a box. Its fields are set before use; Run serves.
type Agent struct {
	Box     *ota.Box
	Machine Machine
	Checks  health.Check
	Probe   func(ctx context.Context) error // the round trip that a trial must make; see RoundTrip

	Folder string            // where the keys are kept, for root only
	Owner  ed25519.PublicKey // the owner by the image or the boot partition; nil: who asks first
	Logs   string            // the folder of package journal
	Data   string            // the data partition, for its size

	Patience time.Duration    // of a trial, until all must be well; 0 for TrialPatience
	Pause    time.Duration    // between two looks at a trial; 0 for a second
	Now      func() time.Time // nil for time.Now
	Log      *slog.Logger

	keys    *keys
	trial   *ota.Trial // set by Wake, before all else
	started time.Time  // set by Wake

	mu        sync.Mutex    // guards what follows
	settled   bool          // the trial was committed
	let       bool          // the outside was let in after it
	slots     []SlotState   // what the slots hold
	last      *ota.Trial    // the last update
	session   string        // whose update is under way
	heard     time.Time     // when the session was heard of last
	busy      chan struct{} // closed when the request of the session that is being answered has been; nil if there is none
	interrupt func()        // ends that early
	install   *ota.Install  // the session's, which only a request that is in uses
	trying    bool          // the machine is about to be restarted for an update
}

// TrialPatience is how long a trial may take to be well.
const TrialPatience = 4 * time.Minute

func (a *Agent) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}
