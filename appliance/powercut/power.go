// Package powercut models a box's disks for tests, whose power is lost at any step.
//
// What is not synced is lost, or kept, in any combination: a FAT file system orders nothing. A sector that is being written is torn:
// half of it is new. A file whose place in its folder was written and whose content was not holds what those sectors held
// before. A rename is two changes, of which any may be kept. Only what Sync has returned for is certain.
package powercut

import (
	"math/rand/v2"
	"runtime"
	"sync"
)

// A Power counts the steps of what it feeds, each of which may be the last. Several goroutines may be fed by it.
type Power struct {
	// OnCut, if set before use, is called when the power is cut, and goroutines that need power then end where they are.
	// Without it they panic, which Run sees.
	OnCut func()

	mu   sync.Mutex // guards what follows
	left int        // steps until it is cut; negative: never
	gone bool       // it was cut
}

// On returns a power that is cut at a step, or never if that is negative.
func On(cutAt int) *Power { return &Power{left: cutAt} }

// out is what a step panics with when the power is cut.
type out struct{}

// step is called before each change of anything, and ends the program if power is cut.
func (p *Power) step() {
	p.mu.Lock()
	now := p.left == 0 && !p.gone
	p.gone = p.gone || p.left == 0
	gone := p.gone
	if !gone {
		p.left--
	}
	p.mu.Unlock()
	switch {
	case !gone:
	case p.OnCut == nil:
		panic(out{})
	default:
		if now {
			p.OnCut()
		}
		runtime.Goexit()
	}
}

// Run runs a program until it ends or power is cut, and reports whether it was.
func (p *Power) Run(program func()) (cut bool) {
	defer func() {
		if fault := recover(); fault != nil {
			if _, ok := fault.(out); !ok {
				panic(fault)
			}
			cut = true
		}
	}()
	program()
	return false
}

// A fate is what becomes of a change that was not synced.
type fate int

const (
	lost fate = iota
	kept
	torn
)

// Luck decides the fate of each of some changes when power is lost.
type Luck func(change, of int) fate

// Lucks are all lost, all kept, the last or the first alone torn, lost or kept, and some at random.
func Lucks(random *rand.Rand, some int) []Luck {
	all := []Luck{
		func(int, int) fate { return lost },
		func(int, int) fate { return kept },
		func(i, n int) fate { return pick(i == n-1, torn, kept) },
		func(i, n int) fate { return pick(i == n-1, torn, lost) },
		func(i, n int) fate { return pick(i == n-1, lost, kept) },
		func(i, n int) fate { return pick(i == n-1, kept, lost) },
		func(i, n int) fate { return pick(i == 0, lost, kept) },
		func(i, n int) fate { return pick(i == 0, kept, lost) },
		func(i, n int) fate { return pick(i == 0, torn, kept) },
	}
	for range some {
		seed := random.Uint64()
		all = append(all, func(i, _ int) fate {
			return fate(rand.New(rand.NewPCG(seed, uint64(i))).IntN(3))
		})
	}
	return all
}

func pick(condition bool, yes, no fate) fate {
	if condition {
		return yes
	}
	return no
}
