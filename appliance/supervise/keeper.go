package supervise

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"hearth/process"
)

// startFunc starts a program once.
type startFunc func(Program) (child, error)

// child is a started program.
type child interface {
	Ready() <-chan struct{}  // closed when it has said READY=1
	Exited() <-chan struct{} // closed when it and its group are gone and its last line is logged
	Exit() exit              // how it ended; after Exited
	Terminate()              // asks it to end
	Kill()                   // ends it and its group
}

// exit is how a program ended.
type exit struct {
	how    string // for people
	code   int    // its exit status, -1 if there is none
	killed bool   // from outside, by SIGKILL or SIGTERM
}

// keeper keeps one program running. Its goroutine, keep, ends after stop is closed or when it gives up.
type keeper struct {
	program  Program
	attempts int
	start    startFunc
	log      *slog.Logger
	ready    chan struct{} // closed by keep when the program is ready for the first time
	stop     chan struct{} // closed by run
	done     chan struct{} // closed by keep when it ends
}

func newKeeper(p Program, attempts int, start startFunc, log *slog.Logger) *keeper {
	p.ReadyWithin = cmp.Or(p.ReadyWithin, ReadyWithin)
	p.StopWithin = cmp.Or(p.StopWithin, StopWithin)
	return &keeper{
		program: p, attempts: attempts, start: start, log: log.With("program", p.Name),
		ready: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// life is what is known of a program from one start to its end.
type life struct {
	readyAt time.Time // zero if it never was
	exit    exit
}

// keep starts the program again and again. What makes it give up goes to gaveUp.
func (k *keeper) keep(gaveUp chan<- error) {
	defer close(k.done)
	var history history
	tries := 0 // ends of its own doing, before it ever was ready
	for {
		life := k.live()
		if closed(k.stop) {
			return
		}
		if !life.exit.killed {
			tries++
		}
		if !closed(k.ready) && k.attempts > 0 && (tries >= k.attempts || life.exit.code == process.ExitSettings) {
			gaveUp <- fmt.Errorf("%s does not start: %s", k.program.Name, life.exit.how)
			return
		}
		delay := history.died(time.Now(), life.readyAt, life.exit.killed)
		k.report(life, delay, history)
		select {
		case <-time.After(delay):
		case <-k.stop:
			return
		}
	}
}

// report logs that the program ended unasked.
func (k *keeper) report(l life, delay time.Duration, h history) {
	log := k.log.Warn
	message := "ended; starting it again"
	if h.loops() {
		log, message = k.log.Error, "keeps ending; starting it again"
	}
	log(message, "how", l.exit.how, "delay", delay)
}

// live starts the program and watches it until it ends, or ends it when k.stop closes.
func (k *keeper) live() (l life) {
	begun := time.Now()
	c, err := k.start(k.program)
	if err != nil {
		l.exit = exit{how: err.Error(), code: -1}
		return l
	}
	late := time.NewTimer(k.program.ReadyWithin)
	defer late.Stop()
	ready, tooLate := c.Ready(), false
	for {
		select {
		case <-ready:
			ready = nil
			late.Stop()
			l.readyAt = time.Now()
			k.announce(l.readyAt.Sub(begun))
		case <-late.C:
			tooLate = true
			c.Kill()
		case <-k.stop:
			k.end(c)
			return l
		case <-c.Exited():
			l.exit = c.Exit()
			if tooLate {
				l.exit = exit{how: fmt.Sprintf("not ready within %v", k.program.ReadyWithin), code: -1}
			}
			return l
		}
	}
}

func (k *keeper) announce(took time.Duration) {
	k.log.Info("is ready", "after", took.Round(time.Millisecond))
	if !closed(k.ready) {
		close(k.ready)
	}
}

// end asks c to end, and kills it if it does not in time.
func (k *keeper) end(c child) {
	c.Terminate()
	late := time.NewTimer(k.program.StopWithin)
	defer late.Stop()
	select {
	case <-c.Exited():
		return
	case <-late.C:
		k.log.Warn("did not end; killing it", "within", k.program.StopWithin)
	}
	c.Kill()
	<-c.Exited()
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
