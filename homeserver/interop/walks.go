package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// walksArea is the area of conversations that are made up.
const walksArea = "random"

// walksFlavour is how the servers are set up that they are held on.
const walksFlavour = "open"

// walks are conversations made up by chance, held on two running servers.
type walks struct {
	reference, ours *server
	report          *report
	steps           int           // of each
	patience        time.Duration // that shrinking takes

	held atomic.Int64 // conversations so far: it tells apart users and rooms of one from another's

	mu    sync.Mutex
	shown map[string]bool // differences that were shrunk, by their shape
}

// hold holds a walk for each seed.
func (h *walks) hold(ctx context.Context, seeds []uint64) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, seed := range seeds {
		group.Go(func() error { return h.walk(ctx, seed) })
	}
	return group.Wait()
}

// walk holds the walk of a seed. It ends early if the servers do not agree on what was changed, for then nothing that
// follows can be compared.
func (h *walks) walk(ctx context.Context, seed uint64) error {
	s, err := h.stage(ctx, fmt.Sprintf("The walk of seed %d", seed))
	if err != nil {
		return err
	}
	w := newWalk(seed, s.v)
	for range h.steps {
		m := w.next()
		step, answers, err := s.take(ctx, m.line)
		if err != nil {
			return err
		}
		open := h.report.judge(step, answers[0], answers[1])
		if m.learn != nil && answers[0].status == 200 {
			m.learn(answers[0])
		}
		if len(open) == 0 {
			continue
		}
		if h.patience > 0 {
			if err := h.shrink(ctx, seed, s.lines, open); err != nil {
				return err
			}
		}
		if step.method != "GET" && answers[0].status != answers[1].status {
			break
		}
	}
	return nil
}

// A stage is a conversation as it is made up: both servers take each step before the next is known.
type stage struct {
	*walks
	c     *conversation
	lines []string
	v     [2]variables
}

func (h *walks) stage(ctx context.Context, title string) (*stage, error) {
	number := int(h.held.Add(1))
	s := &stage{walks: h, c: &conversation{area: walksArea, title: title, number: number, hurried: true}}
	for _, name := range people() {
		s.c.addActor(name)
	}
	s.c.addActor("alice/phone")
	s.c.addActor(reader + "/phone")
	err := s.both(func(i int, server *server) (err error) {
		s.v[i], err = server.cast(ctx, s.c)
		return err
	})
	return s, err
}

// both does something on both servers at the same time.
func (s *stage) both(do func(i int, server *server) error) error {
	var group errgroup.Group
	for i, server := range []*server{s.reference, s.walks.ours} {
		group.Go(func() error { return do(i, server) })
	}
	return group.Wait()
}

// settles matches what Synapse answers from statistics that it keeps when it finds the time.
var settles = regexp.MustCompile(`^/publicRooms|^/v1/room_summary/|/hierarchy|^/search`)

// take takes a step on both servers. Where an answer may take its time, both are asked until they agree.
func (s *stage) take(ctx context.Context, text string) (*step, [2]*answer, error) {
	s.lines = append(s.lines, text)
	if err := s.c.parseLine(line{len(s.lines), text}); err != nil {
		return nil, [2]*answer{}, err
	}
	step := s.c.steps[len(s.c.steps)-1]
	var answers [2]*answer
	deadline := time.Now().Add(settling)
	for {
		err := s.both(func(i int, server *server) (err error) {
			answers[i], err = server.take(ctx, step, s.v[i])
			return err
		})
		if err != nil {
			return nil, answers, fmt.Errorf("asking for %s: %w", step, err)
		}
		if !settles.MatchString(step.path) || time.Now().After(deadline) || len(s.report.open(step, answers[0], answers[1])) == 0 {
			return step, answers, nil
		}
		select {
		case <-time.After(10 * askAgain):
		case <-ctx.Done():
			return nil, answers, ctx.Err()
		}
	}
}

const settling = 3 * time.Second

// digits are what a shape has none of.
var digits = regexp.MustCompile(`\d+`)

// shape is what two differences have in common that have the same cause, as far as can be told.
func shape(s *step, d *difference) string {
	path, _, _ := strings.Cut(s.path, "?")
	return digits.ReplaceAllString(s.method+" "+path+" "+d.path, "")
}

// parseSeeds reads a list of numbers and ranges, as 1-24,99.
func parseSeeds(text string) ([]uint64, error) {
	var seeds []uint64
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err := strconv.ParseUint(from, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading the seeds %q: %w", text, err)
		}
		last, err := strconv.ParseUint(to, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading the seeds %q: %w", text, err)
		}
		for seed := first; seed <= last; seed++ {
			seeds = append(seeds, seed)
		}
	}
	return seeds, nil
}
