package agent_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"hearth/appliance/agent"
	"hearth/appliance/boxtest"
	"hearth/appliance/powercut"
)

// TestPowerLostAtEachWrite cuts the power of the box at each step of an update, once while it comes and once while it is tried, as
// the laptop goes on as a person would: it tries again until the new version runs.
func TestPowerLostAtEachWrite(t *testing.T) {
	methods(t, func(t *testing.T, uefi bool) {
		lucks := powercut.Lucks(rand.New(rand.NewPCG(3, 4)), 7)
		for life := 1; life <= 2; life++ {
			for at := 0; ; at++ {
				luck := lucks[at%len(lucks)]
				cuts, err := updateWithACut(t, uefi, func(start int) (int, powercut.Luck) {
					if start == life {
						return at, luck
					}
					return -1, nil
				})
				if err != nil {
					t.Fatalf("power lost at step %d of life %d: %v", at, life, err)
				}
				if cuts == 0 {
					if at < 10 {
						t.Errorf("life %d has only %d steps", life, at)
					}
					break
				}
			}
		}
	})
}

// updateWithACut updates a box until the new version runs, and returns how often power was lost.
func updateWithACut(t *testing.T, uefi bool, cut func(start int) (int, powercut.Luck)) (int, error) {
	l, key := laptop(t)
	b := boxtest.Start(t, boxtest.Options{UEFI: uefi, Owner: key, Enrolled: true, Versions: []boxtest.Version{v1(), v2()}, Cut: cut})
	c, ctx := dial(t, l, b), patience(t)
	bundle := open(t, v2().Bundle(t, key))
	for range 20 {
		updated := c.Update(ctx, bundle, new(stages))
		state, err := b.Wait(ctx, func(s boxtest.State) bool { return s.Open })
		if err != nil {
			return 0, fmt.Errorf("after %w: %w", updated, err)
		}
		var status *agent.Status
		if err := untilAnswered(ctx, func() (err error) { status, err = c.Status(ctx); return err }); err != nil {
			return 0, err
		}
		if status.Trial || status.Version != state.Version {
			continue // it went on meanwhile
		}
		want := map[string]string{"1.0": "messages", "1.1": "messages, migrated to 1.1"}[status.Version]
		if data := b.State().Data; data != want {
			return 0, fmt.Errorf("version %s has the data %q", status.Version, data)
		}
		if status.Version == "1.1" {
			return b.State().Cuts, nil
		}
	}
	return 0, fmt.Errorf("the new version never runs; the box is %+v", b.State())
}
