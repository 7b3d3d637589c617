package powercut

import (
	"sync"

	"hearth/appliance/ota"
)

// Data is a box's data partition: its file system renames atomically, and what it stands for is one text. It is an ota.Journal and
// an ota.Checkpoint.
type Data struct {
	power *Power
	mu    sync.Mutex // guards Live

	Live  string     // what the programs have written
	Saved *string    // the checkpoint, nil if there is none
	Trial *ota.Trial // the journal
	Full  error      // what Check returns
}

// NewData returns a data partition on which a text was written.
func NewData(live string) *Data { return &Data{power: On(-1), Live: live} }

// Lose returns the partition as it is found after the power was lost.
func (d *Data) Lose(next *Power) *Data {
	return &Data{power: next, Live: d.Content(), Saved: d.Saved, Trial: d.Trial, Full: d.Full}
}

// Write is what a program does.
func (d *Data) Write(text string) {
	d.power.step()
	d.set(text)
}

// Content returns what the programs have written, while they run.
func (d *Data) Content() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Live
}

func (d *Data) set(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Live = text
}

// Check implements ota.Checkpoint.
func (d *Data) Check() error { return d.Full }

// Take implements ota.Checkpoint.
func (d *Data) Take() error {
	d.power.step()
	saved := d.Content()
	d.Saved = &saved
	d.power.step()
	return nil
}

// Restore implements ota.Checkpoint.
func (d *Data) Restore() error {
	d.power.step()
	if d.Saved != nil {
		d.set(*d.Saved)
		d.Saved = nil
	}
	d.power.step()
	return nil
}

// Drop implements ota.Checkpoint.
func (d *Data) Drop() error {
	d.power.step()
	d.Saved = nil
	d.power.step()
	return nil
}

// Load implements ota.Journal.
func (d *Data) Load() (*ota.Trial, error) {
	if d.Trial == nil {
		return nil, nil
	}
	trial := *d.Trial
	return &trial, nil
}

// Store implements ota.Journal.
func (d *Data) Store(trial ota.Trial) error {
	d.power.step()
	d.Trial = &trial
	d.power.step()
	return nil
}

var (
	_ ota.Journal    = (*Data)(nil)
	_ ota.Checkpoint = (*Data)(nil)
)
