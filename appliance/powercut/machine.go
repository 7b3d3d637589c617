package powercut

import (
	"fmt"
	"strings"

	"hearth/appliance/firmware"
	"hearth/appliance/ota"
)

// A Machine is a box's disk and firmware.
type Machine struct {
	Boot  *FAT
	Roots map[ota.Slot]*Block
	Data  *Data

	UEFI bool // systemd-boot; otherwise a Raspberry Pi
	try  bool // the Raspberry Pi's tryboot flag
}

// Restart is what a program does last: the firmware is told something.
func (m *Machine) Restart(argument string) { m.try = !m.UEFI && argument == "0 tryboot" }

// Lose returns the machine as it is found after the power was lost.
func (m *Machine) Lose(luck Luck, next *Power) *Machine {
	return &Machine{
		Boot: m.Boot.Lose(luck, next), UEFI: m.UEFI, Data: m.Data.Lose(next),
		Roots: map[ota.Slot]*Block{ota.A: m.Roots[ota.A].Lose(luck, next), ota.B: m.Roots[ota.B].Lose(luck, next)},
	}
}

// Reset returns the machine as it is after a restart without a loss of power, in which all that was written gets to the disk.
func (m *Machine) Reset(next *Power) *Machine {
	after := m.Lose(func(int, int) fate { return kept }, next)
	after.try = m.try
	return after
}

// Start has the firmware choose, and returns the kernel's content, the slot of the root that it will mount, and
// its command line.
func (m *Machine) Start() (kernel string, slot ota.Slot, commandLine string, err error) {
	var start firmware.Start
	if m.UEFI {
		start, err = firmware.SystemdBoot(m.Boot)
	} else {
		try := m.try
		m.try = false
		start, err = firmware.RaspberryPi(m.Boot, try)
	}
	if err != nil {
		return "", 0, "", err
	}
	text := string(m.Boot.names[start.Kernel].seen)
	for word := range strings.FieldsSeq(start.CommandLine) {
		if label, ok := strings.CutPrefix(word, "root=PARTLABEL=hearth-root-"); ok {
			slot, err = ota.ParseSlot(label)
			return text, slot, start.CommandLine, err
		}
	}
	return "", 0, "", fmt.Errorf("%w: the command line %q names no root", firmware.ErrNothing, start.CommandLine)
}
