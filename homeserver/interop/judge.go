package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth/homeserver/contract"
	"hearth/homeserver/rig"
)

//go:embed testdata/*.txt testdata/exceptions/*.txt
var testdata embed.FS

type options struct {
	programs string   // the folder of the built programs
	data     string   // an empty folder for what the servers keep
	short    bool     // only the conversations that are marked so
	areas    []string // only these; all if empty
	verbose  bool
	seeds    []uint64      // of walks
	steps    int           // of each walk
	shrink   time.Duration // how long to make a walk that differs smaller
	log      *os.File      // of both servers
}

// atOnce is how many conversations are held at the same time.
const atOnce = 4

// judge holds the conversations on both servers and compares what they answered.
func judge(ctx context.Context, o options) (*report, error) {
	areas, exceptions, err := load()
	if err != nil {
		return nil, err
	}
	chosen, err := choose(areas, o)
	if err != nil {
		return nil, err
	}
	r := &report{exceptions: exceptions, whole: !o.short && len(o.areas) == 0, verbose: o.verbose}
	if folder := contract.Folder(); folder != "" {
		if r.contract, err = contract.Open(folder); err != nil {
			return nil, err
		}
	}
	answers := make([]pair, len(chosen))
	for _, f := range flavours() {
		err := o.hold(ctx, f, chosen, answers, r)
		if err != nil {
			return nil, err
		}
	}
	for i, c := range chosen {
		for j, s := range c.steps {
			r.judge(s, answers[i].reference[j], answers[i].ours[j])
		}
	}
	return r, nil
}

// load reads the conversations and the exceptions, both in the order of their files' names.
func load() (areas []*area, exceptions []*exception, err error) {
	err = eachFile("testdata", func(name, text string) error {
		a, err := parse(name, text)
		areas = append(areas, a)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	err = eachFile("testdata/exceptions", func(name, text string) error {
		more, err := parseExceptions(name, text)
		exceptions = append(exceptions, more...)
		return err
	})
	return areas, exceptions, err
}

// eachFile calls do with the name, without .txt, and the content of every file in a folder of testdata.
func eachFile(folder string, do func(name, text string) error) error {
	entries, err := testdata.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		content, err := testdata.ReadFile(folder + "/" + entry.Name())
		if err != nil {
			return err
		}
		if err := do(strings.TrimSuffix(entry.Name(), ".txt"), string(content)); err != nil {
			return err
		}
	}
	return nil
}

func choose(areas []*area, o options) ([]*conversation, error) {
	var chosen []*conversation
	for _, a := range areas {
		if len(o.areas) > 0 && !slices.Contains(o.areas, a.name) {
			continue
		}
		for _, c := range a.conversations {
			if _, err := findFlavour(c.flavour); err != nil {
				return nil, fmt.Errorf("%s.txt, %q: %w", a.name, c.title, err)
			}
			if c.short || !o.short {
				chosen = append(chosen, c)
			}
		}
	}
	if len(chosen) == 0 && len(o.seeds) == 0 {
		return nil, errors.New("there are no such conversations")
	}
	return chosen, nil
}

// A pair is what both servers answered to the steps of a conversation.
type pair struct{ reference, ours []*answer }

// hold starts both servers of a flavour and holds the conversations that want it, and the walks if it is theirs.
func (o options) hold(ctx context.Context, f flavour, chosen []*conversation, answers []pair, r *report) error {
	walked := len(o.seeds) > 0 && f.name == walksFlavour
	if !walked && !slices.ContainsFunc(chosen, func(c *conversation) bool { return c.flavour == f.name }) {
		return nil
	}
	reference, ours, stop, err := o.start(ctx, f)
	if err != nil {
		return err
	}
	defer stop()
	if err := f.provide(ctx, reference, o.ourData(f)); err != nil {
		return err
	}
	if err := reference.holdAll(ctx, ours, f, chosen, answers); err != nil || !walked {
		return err
	}
	h := &walks{reference: reference, ours: ours, report: r, steps: o.steps, patience: o.shrink, shown: make(map[string]bool)}
	return h.hold(ctx, o.seeds)
}

// holdAll holds the conversations of a flavour.
func (reference *server) holdAll(ctx context.Context, ours *server, f flavour, chosen []*conversation, answers []pair) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, c := range chosen {
		if c.flavour != f.name {
			continue
		}
		group.Go(func() (err error) {
			answers[i].reference, err = reference.play(ctx, c)
			return err
		})
		group.Go(func() (err error) {
			answers[i].ours, err = ours.play(ctx, c)
			return err
		})
	}
	return group.Wait()
}

func (o options) ourData(f flavour) string { return filepath.Join(o.data, "hearth-"+f.name) }

// start starts both servers.
func (o options) start(ctx context.Context, f flavour) (reference, ours *server, stop func(), err error) {
	var mutex sync.Mutex // guards stops
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	var group errgroup.Group
	group.Go(func() error {
		s, err := startSynapse(ctx, filepath.Join(o.data, "synapse-"+f.name), f.synapse, o.log)
		if err != nil {
			return err
		}
		mutex.Lock()
		defer mutex.Unlock()
		stops = append(stops, s.stop)
		reference = newServer("Synapse", s.url())
		return nil
	})
	group.Go(func() error {
		s, err := rig.Start(rig.Options{
			Programs: o.programs, Data: o.ourData(f), Name: serverName,
			Set: append([]string{"registration_secret=" + secret}, f.ours...), Log: o.log,
		})
		if err != nil {
			return err
		}
		mutex.Lock()
		defer mutex.Unlock()
		stops = append(stops, func() { _ = s.Kill(context.WithoutCancel(ctx)) }) // its data is thrown away
		ours = newServer("Hearth", s.URL())
		return s.WaitReady(ctx)
	})
	if err := group.Wait(); err != nil {
		stop()
		return nil, nil, nil, err
	}
	return reference, ours, stop, nil
}
