// Package boxtest runs a box in a test's own process: the agent on a model of disks and firmware, which starts what the firmware chooses.
//
// A version is a bundle like any other, whose root and kernel say which it is; what its programs do is said by a Version. Everything
// that the agent does is real, and so are its connections.
package boxtest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/appliance/agent"
	"hearth/appliance/health"
	"hearth/appliance/ota"
	"hearth/appliance/powercut"
)

// Board is what the boxes are.
const Board = "pc"

// A Version is a version of the whole box.
type Version struct {
	Name   string
	Number uint64

	DoesNotStart bool   // its kernel panics
	Sick         string // what its health tree says fails
	Mute         bool   // it is healthy and cannot send a message
	Hangs        bool   // its checks never end
	Deaf         bool   // it cannot read its keys, and so not serve its management
	Size         int    // bytes of its root that no other version has; 0 for some
}

// patience is how long a trial of the version may take. One that is well has all the time that a real box has; of the others a look
// has to end in it, however busy the machine is.
func (v Version) patience() time.Duration {
	switch {
	case v.Hangs:
		return 50 * time.Millisecond
	case v.Sick != "" || v.Mute:
		return 3 * time.Second
	}
	return agent.TrialPatience
}

// Bundle returns the version as its owner signs it.
func (v Version) Bundle(t testing.TB, owner ed25519.PrivateKey) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := ota.Write(&b, v.manifest(), v.sources(), owner); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (v Version) manifest() ota.Manifest {
	return ota.Manifest{Version: v.Name, Number: v.Number, Board: Board, CommandLine: "root=PARTLABEL=hearth-root-{slot}"}
}

func (v Version) root() string {
	return "root of " + v.Name + "\n" + noise(v.Number, max(v.Size, 40<<10)) + noise(0, 200<<10)
}

func (v Version) kernel() string { return "kernel of " + v.Name + "\n" }

func (v Version) sources() []ota.Source {
	source := func(name, text string) ota.Source {
		return ota.Source{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
	}
	return []ota.Source{source(ota.RootFile, v.root()), source(ota.KernelFile, v.kernel())}
}

// noise returns bytes that do not repeat, always the same of a seed.
func noise(seed uint64, size int) string {
	random := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return string(data)
}

// A Box is one that runs. Its methods may be called at any time.
type Box struct {
	Address string // host:port of its management
	Folder  string // its keys
	Logs    string // its journal

	t        testing.TB
	owner    ed25519.PublicKey
	versions []made
	patience time.Duration
	cut      func(start int) (at int, luck powercut.Luck)

	mu      sync.Mutex // guards what follows
	machine *powercut.Machine
	now     *life
	state   State
	changed chan struct{} // closed when state has changed
}

// State is what a box does.
type State struct {
	Version string // which runs
	Starts  int    // how often anything was started
	Cuts    int    // how often power was lost
	Open    bool   // the programs serve the outside
	Data    string // what the programs have written
	Lost    error  // why nothing starts any more
}

// Options say what a Box is.
type Options struct {
	UEFI     bool               // systemd-boot; otherwise a Raspberry Pi
	Owner    ed25519.PrivateKey // who signs what is flashed
	Enrolled bool               // the owner's key is in the image
	Versions []Version          // the first is flashed
	Patience time.Duration      // of a trial of a version that is not well; 0 for as little as shows that

	// Cut says at which step of a start power is lost, and what of what was not synced is kept; at a negative one it is not. The
	// first start is 1. Nil never cuts.
	Cut func(start int) (at int, luck powercut.Luck)
}

// Start flashes a box and turns it on, until the test ends.
func Start(t testing.TB, o Options) *Box {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	versions, size := makeAll(o.Versions)
	b := &Box{
		Address: listener.Addr().String(), Folder: t.TempDir(), Logs: t.TempDir(), t: t, versions: versions, patience: o.Patience,
		machine: flash(t, o, size), cut: o.Cut, changed: make(chan struct{}),
	}
	if o.Enrolled {
		b.owner = o.Owner.Public().(ed25519.PublicKey)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // until the test ends
		defer close(ended)
		b.run(ctx, listener)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return b
}

// flash returns a machine with the first version in slot a.
func flash(t testing.TB, o Options, size int) *powercut.Machine {
	v := o.Versions[0]
	head, err := ota.Seal(v.manifest(), v.sources(), o.Owner)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"a/" + ota.KernelFile: v.kernel(), "a/" + ota.ManifestFile: string(head.Bytes()),
		"a/" + ota.CommandLineFile: "root=PARTLABEL=hearth-root-a\n",
		ota.ConfigFile:             "kernel=vmlinuz\nos_prefix=a/\n",
	}
	if o.UEFI {
		files[ota.LoaderSettings] = ota.LoaderConf
		files[ota.EntryName(ota.A)] = string(ota.EntryText(ota.A, head.Manifest.Entry(ota.A)))
	}
	return &powercut.Machine{
		Boot: powercut.NewFAT(files, "stale"), Data: powercut.NewData("messages"), UEFI: o.UEFI,
		Roots: map[ota.Slot]*powercut.Block{ota.A: powercut.NewBlock(size, v.root()), ota.B: powercut.NewBlock(size, "")},
	}
}

// State returns what the box does now.
func (b *Box) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.state
	if b.now != nil {
		s.Open = b.now.open
		s.Data = b.machine.Data.Content()
	}
	return s
}

// Wait waits until the box does what is wanted.
func (b *Box) Wait(ctx context.Context, wanted func(State) bool) (State, error) {
	for {
		b.mu.Lock()
		changed := b.changed
		b.mu.Unlock()
		if s := b.State(); wanted(s) || s.Lost != nil {
			return s, s.Lost
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return b.State(), ctx.Err()
		}
	}
}

func (b *Box) notify() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// run starts the box again and again until ctx ends, or nothing starts.
func (b *Box) run(ctx context.Context, listener net.Listener) {
	for ctx.Err() == nil {
		l, err := b.begin(ctx)
		if err == nil && l != nil {
			err = l.live(listener)
			b.end(l)
			listener.Close()
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				listener, err = net.Listen("tcp", b.Address)
			}
		}
		if err != nil {
			b.mu.Lock()
			b.state.Lost = err
			b.notify()
			b.mu.Unlock()
			listener.Close()
			return
		}
	}
	listener.Close()
}

// begin has the firmware start something; nil if that ends at once.
func (b *Box) begin(ctx context.Context) (*life, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.notify()
	b.state.Starts++
	l := &life{box: b}
	at := -1
	if b.cut != nil {
		at, l.luck = b.cut(b.state.Starts)
	}
	power := powercut.On(at)
	l.ctx, l.cancel = context.WithCancel(ctx)
	power.OnCut = func() {
		l.cut.Store(true)
		l.cancel()
	}
	b.machine = b.machine.Reset(power)
	var slot ota.Slot
	var kernel string
	var err error
	started := make(chan struct{})
	go func() { // until the firmware has chosen, or power is lost
		defer close(started)
		kernel, slot, _, err = b.machine.Start()
	}()
	<-started
	if l.cut.Load() {
		b.machine = b.machine.Lose(l.luck, powercut.On(-1))
		b.state.Cuts++
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l.version, err = b.find(kernel, slot)
	if err != nil || l.version.DoesNotStart {
		l.cancel()
		return nil, err
	}
	l.machine, l.slot = b.machine, slot
	b.now = l
	b.state.Version = l.version.Name
	return l, nil
}

// made is a version with its files.
type made struct {
	Version
	root, kernel string
}

// makeAll makes the files of versions, and says how large a partition must be that holds any.
func makeAll(versions []Version) (all []made, size int) {
	for _, v := range versions {
		all = append(all, made{v, v.root(), v.kernel()})
		size = max(size, len(v.root()))
	}
	return all, size
}

// find returns the version that a kernel belongs to, if the slot's root does too.
func (b *Box) find(kernel string, slot ota.Slot) (Version, error) {
	for _, v := range b.versions {
		if v.kernel == kernel && b.machine.Roots[slot].Begins(v.root) {
			return v.Version, nil
		}
	}
	return Version{}, fmt.Errorf("what starts in slot %s is no version: its kernel is %q", slot, kernel)
}

// end puts what is left of a life into the next.
func (b *Box) end(l *life) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.cancel()
	b.now = nil
	if l.cut.Load() {
		b.machine = l.machine.Lose(l.luck, powercut.On(-1))
		b.state.Cuts++
	}
	b.notify()
}

// agent returns the agent of a life.
func (b *Box) agent(l *life) *agent.Agent {
	m := l.machine
	a := &agent.Agent{
		Machine: l, Folder: filepath.Join(b.Folder, "agent"), Owner: b.owner, Logs: b.Logs, Data: b.Folder,
		Patience: cmp.Or(b.patience, l.version.patience()), Pause: time.Millisecond, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Box: &ota.Box{
			Boot: m.Boot, Running: l.slot, Board: Board, Journal: m.Data, Data: m.Data, Method: ota.TryBoot{},
			Root: func(s ota.Slot) (ota.Partition, error) { return m.Roots[s], nil },
		},
		Checks: health.Check{Name: "box", Test: l.check},
		Probe:  l.probe,
	}
	if l.version.Deaf {
		a.Folder = os.DevNull
	}
	if m.UEFI {
		a.Box.Method = ota.SystemdBoot{}
	}
	if os.Getenv("BOXTEST_LOG") != "" {
		a.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return a
}

var errMute = errors.New("sending a message: M_UNKNOWN: the store does not take it")
