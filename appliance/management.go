package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"hearth/appliance/agent"
	"hearth/appliance/box"
	"hearth/appliance/disk"
	"hearth/appliance/ota"
)

// spare is what must be left free on the data partition when it is copied before an update.
const spare = 64 << 20

// hands are what the agent has of PID 1.
type hands struct{ *household }

// Restart has PID 1 end everything and start the machine anew, with an argument for the firmware.
func (hands) Restart(argument string) {
	if argument != "" {
		os.WriteFile(box.RebootArgument, []byte(argument), 0o600) // without it the firmware starts the version that is kept
	}
	syscall.Kill(1, box.RebootSignal) // a signal to oneself arrives
}

// newAgent returns what manages the box; nil if it has no slots, as when QEMU starts the kernel itself.
func (m *machine) newAgent(h *household) (*agent.Agent, error) {
	root, label, err := disk.OfRoot(sysfs)
	if err != nil {
		return nil, err
	}
	running, ok := slotOf(label)
	if !ok {
		return nil, nil
	}
	board, err := os.ReadFile(box.Board)
	if err != nil {
		return nil, fmt.Errorf("reading the board's name: %w", err)
	}
	updates := &ota.Box{
		Boot: ota.BootFolder{Folder: box.Boot, ReadOnly: true},
		Root: func(slot ota.Slot) (ota.Partition, error) {
			p, err := disk.Find(sysfs, labelOf(slot), root)
			if err != nil {
				return nil, err
			}
			return ota.OpenPartition(disk.Device(p.Name), slot != running)
		},
		Method:  methodOf(box.Boot),
		Running: running,
		Board:   strings.TrimSpace(string(board)),
		Journal: ota.JournalFile(filepath.Join(box.Own, "update")),
		Data:    ota.FolderCheckpoint{Folder: box.StorageFolder, Spare: spare},
	}
	trip := &agent.RoundTrip{
		Folder: box.Own, Client: m.owner.plan.url(), Admin: m.site.path("homeserver", "homeserver.sock"),
		Storage: m.site.path("storage", "storage.sock"), DNS: m.site.path("dnsprimary", "dns.sock"), Zone: m.owner.plan.zone(),
		Reopen: h.reopen,
	}
	return &agent.Agent{
		Box: updates, Machine: hands{h}, Checks: m.tree(), Probe: trip.Probe,
		Folder: box.Own, Owner: m.owner.key, Logs: box.Logs, Data: box.Data, Log: m.log,
	}, nil
}

// slotOf returns the slot that a root partition belongs to.
func slotOf(label string) (ota.Slot, bool) {
	for _, slot := range []ota.Slot{ota.A, ota.B} {
		if label == labelOf(slot) {
			return slot, true
		}
	}
	return 0, false
}

func labelOf(slot ota.Slot) string {
	if slot == ota.A {
		return box.RootAPartition
	}
	return box.RootBPartition
}

// methodOf tells by the boot partition how the firmware chooses a slot.
func methodOf(folder string) ota.Method {
	if _, err := os.Stat(filepath.Join(folder, ota.ConfigFile)); err == nil {
		return ota.TryBoot{}
	}
	if _, err := os.Stat(filepath.Join(folder, "loader")); err == nil {
		return ota.SystemdBoot{}
	}
	return fixed{}
}

// fixed is the Method of a machine whose kernel comes from outside, as QEMU can bring it: it starts what it starts.
type fixed struct{}

var errFixed = errors.New("this machine's kernel does not come from its disk, so it cannot be updated")

// Disarm implements ota.Method.
func (fixed) Disarm(ota.Boot, ota.Slot) error { return errFixed }

// Arm implements ota.Method.
func (fixed) Arm(ota.Boot, ota.Slot, ota.Entry) (string, error) { return "", errFixed }

// Trial implements ota.Method.
func (fixed) Trial(ota.Boot, ota.Slot) (bool, error) { return false, nil }

// Commit implements ota.Method.
func (fixed) Commit(ota.Boot, ota.Slot, ota.Entry) error { return errFixed }

// abandon starts the machine anew, into the version of before, if this start is a trial of one that cannot even run the programs.
func (m *machine) abandon(ctx context.Context, why error) {
	a, err := m.newAgent(&household{ctx: ctx})
	if a == nil && err == nil {
		return
	}
	trial := false
	if err == nil {
		trial, err = a.Box.Abandon(why.Error())
	}
	if err != nil {
		m.log.Error("whether this is a trial is not known for sure", "err", err)
	}
	if trial {
		m.log.Error("the new version is undone", "why", why)
		hands{}.Restart("")
	}
}

// manage wakes the agent, then runs the programs, and the agent if there is one, until ctx ends.
func (m *machine) manage(ctx context.Context) error {
	h := &household{ctx: ctx, run: m.runPrograms}
	a, err := m.newAgent(h)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	defer running.Wait()
	if a != nil {
		if h.inside, err = a.Wake(); err != nil {
			return err
		}
		listener, err := net.Listen("tcp", ":"+agent.Port)
		if err != nil {
			err = fmt.Errorf("opening the management port: %w", err)
			if h.inside {
				a.GiveUp(err)
			}
			return err
		}
		running.Go(func() {
			if err := a.Run(ctx, listener); err != nil {
				m.log.Error("the box cannot be managed", "err", err)
			}
		})
	}
	h.Resume()
	<-ctx.Done()
	h.Quiesce(context.Background()) // the programs have their own time limits
	return h.fault()
}
