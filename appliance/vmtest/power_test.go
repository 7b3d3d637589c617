package vmtest_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/appliance/image"
)

// cuts returns how often power is to fail.
func cuts(t *testing.T) int {
	t.Helper()
	text := os.Getenv("HEARTH_VMTEST_CUTS")
	if text == "" {
		return 20
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("HEARTH_VMTEST_CUTS: %q is no number of cuts", text)
	}
	return n
}

// lucky returns the randomness of a test, which its output names so that a run can be done again.
func lucky(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("HEARTH_VMTEST_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("HEARTH_VMTEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// powerless takes the machine's power, and what its disk has not kept.
func (m *machine) powerless(t *testing.T, luck *rand.Rand, probability float64) {
	t.Helper()
	m.kill()
	lost, err := m.volume.lose(luck, probability)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("power is lost, and with it the latest of %d sectors", lost)
}

// probability is how likely a write is lost: all, none, or any.
func probability(luck *rand.Rand) float64 {
	return []float64{1, 0.5, 0.1, luck.Float64()}[luck.IntN(4)]
}

// TestPowerWhileWriting takes the power while messages are sent, and every fourth time while the box starts, beginning with its
// first start.
func TestPowerWhileWriting(t *testing.T) {
	long(t)
	luck := lucky(t)
	m := newMachine(t, version(t, "qemu-arm64", "1.0", 10))
	m.withVolume(t)
	var k *talker
	toCheck := false
	for i := range cuts(t) {
		starting := i%4 == 0
		if starting {
			m.volume.failAfter(1 + luck.IntN(150))
		}
		m.start(t)
		err := m.untilFailure(t, func(ctx context.Context) (err error) {
			if err := m.await(ctx); err != nil {
				return err
			}
			if k == nil {
				k, err = register(ctx, m.client, "alice"+strconv.Itoa(i))
				return err
			}
			return k.check(ctx)
		})
		if err == nil {
			m.volume.failAfter(1 + luck.IntN(400))
			err = m.untilFailure(t, func(ctx context.Context) error {
				k.talk(ctx)
				return errors.New("power does not fail though messages are sent")
			})
		}
		if !errors.Is(err, errPower) {
			t.Fatalf("cut %d: %v", i+1, err)
		}
		m.powerless(t, luck, probability(luck))
		toCheck = m.dataSound(t)
		if k != nil {
			t.Logf("cut %d: %d messages are acknowledged", i+1, k.count())
		}
	}
	m.boot(t)
	if note := m.note(t); toCheck && !strings.Contains(note, "checked at the start: it is sound") {
		t.Errorf("after the last loss of power the data's state is: %s", note)
	}
	if k == nil {
		t.Fatal("power failed so often that nobody could talk")
	}
	m.serves(t, k)
}

// errPower is returned if a machine's power fails.
var errPower = errors.New("power has failed")

// untilFailure does something, which ends by its context at the latest when power fails: it returns errPower then.
func (m *machine) untilFailure(t *testing.T, do func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), comesUp)
	defer cancel()
	failed := m.volume.failure()
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-failed:
			cancel()
		case <-ctx.Done():
		}
	})
	err := do(ctx)
	cancel()
	watching.Wait()
	select {
	case <-failed:
		return errPower
	default:
		return err
	}
}

// TestADiskThatLiesIsFound is the control of the tests that take the power: of a disk that does not heed flushes they must find
// something lost, or that the box does not start.
func TestADiskThatLiesIsFound(t *testing.T) {
	long(t)
	luck := lucky(t)
	m := newMachine(t, version(t, "qemu-arm64", "1.0", 10))
	m.withVolume(t)
	k := m.served(t)
	m.volume.deafen()
	m.volume.failAfter(200)
	err := m.untilFailure(t, func(ctx context.Context) error {
		k.talk(ctx)
		return errors.New("power does not fail though messages are sent")
	})
	if !errors.Is(err, errPower) {
		t.Fatal(err)
	}
	m.powerless(t, luck, 1)
	m.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := m.await(ctx); err != nil {
		t.Logf("as it should be: the box does not come up: %v", err)
		return
	}
	if err := k.check(t.Context()); err == nil {
		t.Errorf("nothing of %d messages is lost: a loss of power takes too little", k.count())
	} else {
		t.Logf("as it should be: %v", err)
	}
}

// TestPowerWhileUpdating takes the power while updates are sent, written and tried, every second time while messages are sent too. A
// whole update without such tells how many writes and flushes there are to choose from.
func TestPowerWhileUpdating(t *testing.T) {
	long(t)
	luck := lucky(t)
	m := newMachine(t, version(t, uefi, "1.0", 10))
	m.withVolume(t)
	systems := []*image.System{version(t, uefi, "even", 0), version(t, uefi, "odd", 0)}
	k := m.served(t)
	before := m.volume.count()
	systems[1].Manifest.Number = 11
	if out, err := m.appliance(t.Context(), "update", "--bundle", m.bundle(t, systems[1]), m.management); err != nil {
		t.Fatalf("the update without a loss of power: %s%v", out, err)
	}
	whole := m.volume.count() - before
	t.Logf("an update is %d writes and flushes", whole)
	for i := range max(1, cuts(t)/2) {
		system := systems[i%2]
		system.Manifest.Number = uint64(12 + i)
		name := m.bundle(t, system)
		talking := i % 2
		m.volume.failAfter(1 + luck.IntN(whole*(1+talking)))
		m.updateUntil(t, k, talking == 1, "update", "--json", "--bundle", name, m.management)
		m.powerless(t, luck, probability(luck))
		os.Remove(name)
		m.start(t)
		if err := m.await(t.Context()); err != nil {
			t.Fatalf("after cut %d: %v", i+1, err)
		}
		if err := k.check(t.Context()); err != nil {
			t.Fatalf("after cut %d: %v", i+1, err)
		}
		t.Logf("after cut %d version %s runs, %d messages are acknowledged", i+1, m.status(t), k.count())
	}
	systems[0].Manifest.Number = 1000
	if out, err := m.appliance(t.Context(), "update", "--bundle", m.bundle(t, systems[0]), m.management); err != nil {
		t.Fatalf("the update after all losses of power: %s%v", out, err)
	}
	m.serves(t, k)
}

// updateUntil runs the owner's command, while somebody talks if that is wanted, until power fails or the update has ended.
func (m *machine) updateUntil(t *testing.T, k *talker, talking bool, args ...string) {
	t.Helper()
	var out string
	err := m.untilFailure(t, func(ctx context.Context) (err error) {
		update := func() { out, err = m.appliance(ctx, args...) }
		if talking {
			k.meanwhile(ctx, update)
		} else {
			update()
		}
		return err
	})
	t.Logf("the update ends with: %v %s", err, strings.TrimSpace(out))
}
