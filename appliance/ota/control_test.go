package ota_test

import (
	"testing"

	"hearth/appliance/ota"
	"hearth/appliance/powercut"
)

// naive is what one would write first: files are written under their names, and replaced by removing them.
type naive struct{ ota.Method }

func put(boot ota.Boot, name string, text []byte) error {
	if err := boot.Remove(name); err != nil {
		_ = err // it may not be there
	}
	file, err := boot.Open(name, int64(len(text)))
	if err != nil {
		return err
	}
	_, err = file.WriteAt(text, 0)
	return err
}

func (n naive) Arm(boot ota.Boot, slot ota.Slot, e ota.Entry) (string, error) {
	if _, pi := n.Method.(ota.TryBoot); pi {
		return n.Method.Arm(boot, slot, e)
	}
	return "", put(boot, ota.EntriesFolder+"/hearth-"+slot.String()+"+1.conf", ota.EntryText(slot, e))
}

func (n naive) Commit(boot ota.Boot, slot ota.Slot, e ota.Entry) error {
	if _, pi := n.Method.(ota.TryBoot); pi {
		return put(boot, ota.ConfigFile, []byte("arm_64bit=1\nkernel=vmlinuz\nos_prefix="+slot.String()+"/\n"))
	}
	return put(boot, ota.EntryName(slot), ota.EntryText(slot, e))
}

// TestTheModelFindsWhatIsNaive is the control of the tests with power cuts: they must fail for such a method.
func TestTheModelFindsWhatIsNaive(t *testing.T) {
	methods(t, func(t *testing.T, uefi bool) {
		s := newStory(t, uefi, true, nil)
		faults := 0
		for at := 0; ; at++ {
			power := powercut.On(at)
			m := s.armed().Reset(power)
			cut := power.Run(func() {
				slot, _, err := s.start(m)
				if err != nil {
					t.Fatal(err)
				}
				b := box(m, slot)
				b.Method = naive{b.Method}
				trial, err := b.Wake()
				if err == nil {
					err = b.Commit(*trial)
				}
				if err != nil {
					t.Fatal(err)
				}
			})
			if !cut {
				break
			}
			for _, luck := range s.lucks {
				if _, err := s.settle(m.Lose(luck, powercut.On(-1))); err != nil {
					faults++
				}
			}
		}
		if faults == 0 {
			t.Error("a naive method survives every loss of power: the model is too kind")
		}
	})
}
