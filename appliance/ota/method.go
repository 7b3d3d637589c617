package ota

// A Method is how a board's firmware is told which slot to start, so that a new one is tried once.
type Method interface {
	// Disarm makes sure that the next start leads to the slot that runs, and that nothing leads to the other one any more,
	// which can then be overwritten.
	Disarm(boot Boot, running Slot) error

	// Arm makes the next start a trial of a slot, and the one after it lead to the slot of before, unless Commit comes
	// between. The machine must be restarted with the argument that it returns.
	Arm(boot Boot, slot Slot, e Entry) (restart string, err error)

	// Trial reports whether the slot that runs was not committed, and makes sure that it is not started once more.
	Trial(boot Boot, running Slot) (bool, error)

	// Commit makes the slot that runs the one that every start leads to.
	Commit(boot Boot, running Slot, e Entry) error
}

// An Entry is what a boot loader knows of a slot.
type Entry struct {
	Version     string
	Number      uint64
	CommandLine string
}

// Entry returns what a boot loader must know of a bundle in a slot.
func (m *Manifest) Entry(slot Slot) Entry {
	return Entry{Version: m.Version, Number: m.Number, CommandLine: m.commandLine(slot)}
}
