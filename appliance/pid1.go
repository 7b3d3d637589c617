package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hearth/appliance/boot"
	"hearth/appliance/box"
	"hearth/appliance/clock"
	"hearth/appliance/disk"
	"hearth/appliance/journal"
	"hearth/appliance/network"
	"hearth/appliance/supervise"
	"hearth/process"
)

// sysfs is where the box has it.
const sysfs = "/sys"

// The times of the box.
const (
	clockWithin = 30 * time.Second // how long programs that judge time wait for it
	diskWithin  = 10 * time.Second // how long the data partition may take to appear
	endWithin   = 45 * time.Second // how long the programs may take to end, until the watchdog is left to end them
)

// machine is the box while it runs. What stands before mu is set before anything runs beside pid1.
type machine struct {
	console io.Writer
	log     *slog.Logger
	lines   io.Writer // where log lines go: the journal, or the console if there is none
	owner   *owner
	site    *site
	clock   *clock.Clock
	network *network.Network
	journal *journal.Journal // nil without data
	data    disk.Partition
	checked disk.Checked
	without error // why the programs do not run: no data, or settings that cannot be read

	mu   sync.Mutex // guards what follows, and without once all runs
	well time.Time  // when the box was last well, or started
	once bool       // it was well since then
	ends time.Time  // when the end began; zero before
}

// pid1 is the first process of a box. It returns only if the machine cannot be ended.
func pid1() {
	m := &machine{console: os.Stdout, lines: os.Stdout, well: time.Now()}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, box.RebootSignal, box.PowerOffSignal, syscall.SIGINT)
	ctx, cancel := context.WithCancel(context.Background())
	m.open()
	boot.PowerButton("/dev/input/event*", func() { syscall.Kill(1, box.PowerOffSignal) }) // a signal to oneself arrives
	running := m.start(ctx)
	s := <-ended
	what := "starts anew"
	if s == box.PowerOffSignal {
		what = "turns off"
	}
	fmt.Fprintf(m.console, "\n=== Hearth %s ===\n", what)
	m.mu.Lock()
	m.ends = time.Now()
	m.mu.Unlock()
	cancel()
	running.Wait()
	m.end(s)
}

// open makes ready what all that runs needs. What fails is shown by the health tree and on the console.
func (m *machine) open() {
	mounted := boot.Mount()
	m.without = m.openData()
	m.log = process.Logger(m.named("box"), slog.LevelInfo)
	if mounted != nil {
		m.log.Warn("something is not mounted", "err", mounted)
	}
	if m.checked.Found != "" {
		m.log.Info("the data partition was checked", "found", m.checked.Found, "took", m.checked.Took.Round(time.Millisecond))
	}
	var err error
	if m.owner, err = m.readSettings(); err != nil {
		m.without = errors.Join(m.without, err)
		m.owner = newOwner()
	}
	if err := unix.Sethostname([]byte(m.owner.hostname)); err != nil {
		m.log.Warn("the box has no name", "err", err)
	}
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF); err != nil { // it becomes a SIGINT
		m.log.Warn("Ctrl-Alt-Del ends the box at once", "err", err)
	}
	resolvers, err := boot.Overlay(box.Resolvers, "/run")
	if err != nil {
		m.log.Warn("names cannot be resolved", "err", err)
	}
	m.network = network.New(m.owner.hostname, resolvers, sysfs, m.log)
	m.clock = &clock.Clock{File: filepath.Join(box.Own, "clock"), Built: built(), Servers: m.clocks, Changed: m.network.Changed, Log: m.log, Now: time.Now}
	if err := m.clock.Start(ownClock(sysfs, time.Now())); err != nil {
		m.log.Warn("the clock cannot be set", "err", err)
	}
	m.site = &site{programs: box.Programs, storage: box.StorageFolder, sockets: box.Sockets, users: true}
	if err := os.MkdirAll(box.Sockets, 0o711); err != nil {
		m.without = errors.Join(m.without, fmt.Errorf("making the folder for sockets: %w", err))
	}
}

// named returns where lines go with a name before them, as those of the programs.
func (m *machine) named(name string) io.Writer { return prefixed{m.lines, name + ": "} }

type prefixed struct {
	w      io.Writer
	prefix string
}

// Write writes one line, of which slog makes one call.
func (p prefixed) Write(line []byte) (int, error) {
	if _, err := p.w.Write(append([]byte(p.prefix), line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// openData finds, checks, mounts and grows the data partition, and opens the journal on it.
func (m *machine) openData() error {
	root, _, err := disk.OfRoot(sysfs)
	if err != nil {
		fmt.Fprintln(m.console, "box:", err)
	}
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		m.data, err = disk.Find(sysfs, box.DataPartition, root)
		if err == nil || !errors.Is(err, disk.ErrMissing) || time.Since(begun) > diskWithin {
			break
		}
	}
	if err != nil {
		return err
	}
	if m.checked, err = disk.CheckData(m.data, box.Data); err != nil {
		return err
	}
	if err := disk.MountData(m.data, box.Data); err != nil {
		return fmt.Errorf("%w; nothing is written to it. Turn the box off, and look at its disk with another computer. %s", err, m.checked.Found)
	}
	for _, grow := range []func() error{
		func() error { return disk.GrowPartition(m.data) },
		func() error { return disk.GrowFileSystem(sysfs, m.data, box.Data) },
	} {
		if err := grow(); err != nil { // the box runs with the room that it has
			fmt.Fprintln(m.console, "box:", err)
			break
		}
	}
	for folder, mode := range map[string]os.FileMode{box.Data: 0o755, box.Own: 0o700} {
		if err := own(folder, mode, 0); err != nil {
			return err
		}
	}
	if m.journal, err = journal.Open(box.Logs); err != nil {
		return err
	}
	m.lines = m.journal
	return nil
}

// readSettings mounts the boot partition and reads the settings of the image and of the owner.
func (m *machine) readSettings() (*owner, error) {
	root, _, err := disk.OfRoot(sysfs)
	if err != nil {
		return nil, err
	}
	files := []string{box.Settings}
	p, err := disk.Find(sysfs, box.BootPartition, root)
	switch {
	case err == nil:
		if err := disk.MountBoot(p, box.Boot); err != nil { // it may hold the server's name, so going on would be wrong
			return nil, err
		}
		files = append(files, box.OwnersSettings)
	case !errors.Is(err, disk.ErrMissing):
		return nil, err
	}
	o := newOwner()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = o.read(text)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the settings in %s: %w", file, err)
		}
	}
	return o, o.complete()
}

// built returns a time before which the box cannot be: that of its programs, or of this line.
func built() time.Time {
	at := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	if info, err := os.Stat(box.Init); err == nil && info.ModTime().After(at) {
		at = info.ModTime()
	}
	return at
}

// ownClock reports whether the kernel's time is that of a clock which the machine has, and which runs without power.
func ownClock(sys string, now time.Time) bool {
	text, err := os.ReadFile(filepath.Join(sys, "class/rtc/rtc0/since_epoch"))
	if err != nil {
		return false
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return err == nil && now.Sub(time.Unix(seconds, 0)).Abs() < 3*time.Second
}

// clocks returns the time servers to ask: none before there is a network, since who looks for a name then remembers for seconds that there is
// nobody to ask.
func (m *machine) clocks() []string {
	if len(m.network.Addresses()) == 0 {
		return nil
	}
	if len(m.owner.clocks) > 0 {
		return m.owner.clocks
	}
	return append(m.network.Clocks(), "0.pool.ntp.org", "1.pool.ntp.org", "2.pool.ntp.org", "3.pool.ntp.org")
}

// start starts all that runs until ctx ends, and the watchdog's feeding, which goes on.
func (m *machine) start(ctx context.Context) *sync.WaitGroup {
	var running sync.WaitGroup
	running.Go(func() { m.network.Run(ctx) })
	running.Go(func() { m.clock.Run(ctx) })
	running.Go(func() { boot.Reap(ctx) })
	running.Go(func() { m.look(ctx) })
	running.Go(func() { m.serve(ctx) })
	switch dog, err := boot.OpenWatchdog("/dev/watchdog"); {
	case err == nil:
		m.log.Info("the watchdog watches")
		go dog.Keep(context.Background(), m.fit) // until the machine ends
	case !errors.Is(err, fs.ErrNotExist):
		m.log.Warn("the box is without watchdog", "err", err)
	}
	return &running
}

// serve runs the programs, or says why they do not run.
func (m *machine) serve(ctx context.Context) {
	err := m.without
	if err == nil {
		err = m.manage(ctx)
	} else {
		m.abandon(ctx, err)
	}
	if err == nil {
		return
	}
	m.fail(err)
	if err := apologise(ctx, m.owner.plan.value(keyListen), err); err != nil {
		m.log.Error("nobody is told so", "err", err)
	}
}

// runPrograms runs the programs until ctx ends; inside says that they are to listen to this machine only.
func (m *machine) runPrograms(ctx context.Context, inside bool) error {
	err := m.supervise(ctx, inside)
	if err != nil {
		m.fail(err)
	}
	return err
}

// fail remembers why the programs do not run.
func (m *machine) fail(err error) {
	m.mu.Lock()
	m.without = err
	m.mu.Unlock()
	m.log.Error("the programs do not run", "err", err)
}

func (m *machine) supervise(ctx context.Context, inside bool) error {
	if err := m.site.prepare(); err != nil {
		return err
	}
	if err := m.site.writeKey(); err != nil {
		return err
	}
	m.limit()
	plan := m.owner.plan
	if inside {
		plan = plan.inside()
	}
	programs, err := plan.programs(m.site)
	if err != nil {
		return err
	}
	for i := range programs {
		programs[i].Dir, programs[i].Env = "/", []string{}
		if programs[i].Name == "storage" { // it judges no time
			continue
		}
		prepare := programs[i].Prepare
		programs[i].Prepare = func(cmd *exec.Cmd) error {
			if err := m.waitForClock(ctx); err != nil {
				return err
			}
			return prepare(cmd)
		}
	}
	return supervise.Run(ctx, programs, supervise.Options{Log: m.lines, Dir: box.Sockets})
}

// waitForClock returns when the time is known, or does not become known for long.
func (m *machine) waitForClock(ctx context.Context) error {
	select {
	case <-m.clock.Known():
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(m.started().Add(clockWithin))):
	}
	return nil
}

// started returns when the machine started.
func (m *machine) started() time.Time {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return time.Now()
	}
	return time.Now().Add(-time.Duration(info.Uptime) * time.Second)
}

// limit makes the programs' control groups. Their shares of the memory add up to more than there is: what they hold of the
// disk's pages counts too, and is given back when another needs it.
func (m *machine) limit() {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		m.log.Warn("memory is not limited", "err", err)
		return
	}
	total := int64(info.Totalram) * int64(info.Unit)
	for program, percent := range map[string]int64{"storage": 40, "dnsprimary": 25, "homeserver": 60} {
		if _, err := boot.Group("/sys/fs/cgroup", program, total*percent/100, 512); err != nil {
			m.log.Warn("a program's memory is not limited", "err", err)
			return
		}
	}
	m.site.groups = "/sys/fs/cgroup"
}

// end ends the machine as the signal says.
func (m *machine) end(s os.Signal) {
	if _, known := m.clock.Note(); known && m.journal != nil {
		if err := clock.Keep(m.clock.File, time.Now()); err != nil {
			m.log.Warn("the time is not kept", "err", err)
		}
	}
	end, argument := boot.Reboot, ""
	if s == box.PowerOffSignal {
		end = boot.PowerOff
	}
	if text, err := os.ReadFile(box.RebootArgument); err == nil {
		argument = string(text)
	}
	if m.journal != nil {
		m.journal.Close() // what it says would go into it
	}
	fmt.Fprintln(m.console, boot.Down(end, argument, box.Data, box.Boot))
}
