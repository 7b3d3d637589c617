package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"hearth/appliance/agent"
	"hearth/appliance/image"
	"hearth/appliance/ota"
	"hearth/process"
)

const updateUsage = `Usage: appliance update [--bundle FILE] [--image IMAGE] [--version NAME] [--json] [--fingerprint KEY] HOST

Builds this source tree for the box, signs it with your key and sends what the box does not have yet. The box writes it
beside what runs, checks it, and tries it once: if all is healthy and a message makes its way, it keeps it. If not, or if power is
lost on the way, it goes back to the version and the data of before by itself. This command waits for that, and says how it went.

It takes a few minutes. Clients cannot reach the box while it is tried, and nothing that they were told is lost.

  --bundle FILE      send a bundle that was built before
  --image IMAGE      what is in it: a file in images (default home)
  --version NAME     the version's name, which then is newer than all before; by default the commit's day and hash
  --json             print how it went as JSON, and no progress

` + targetUsage

// updatePatience is how long a box may take to restart, try a version, and restart once more.
const updatePatience = 15 * time.Minute

// updated is what update prints as JSON.
type updated struct {
	Updated  bool   `json:"updated"` // the version runs
	Version  string `json:"version"` // which runs now
	Sentence string `json:"sentence"`
}

func updateBox(ctx context.Context, args []string, std process.Streams) error {
	t := newTarget("update")
	name := t.flags.String("bundle", "", "")
	asJSON := t.flags.Bool("json", false, "")
	o := new(order)
	t.flags.StringVar(&o.image, "image", "home", "")
	t.flags.StringVar(&o.version, "version", "", "")
	if err := t.parse(args); err != nil {
		return err
	}
	notes := std.Err
	if *asJSON {
		notes = io.Discard
	}
	client, err := t.connect(ctx, std.Err)
	if err != nil {
		return err
	}
	defer client.Close()
	bundle, done, err := openBundle(ctx, client, *name, o, notes)
	if err != nil {
		return err
	}
	defer done()
	result, err := sendBundle(ctx, client, bundle, notes)
	if err != nil {
		return fmt.Errorf("updating %s: %w", t.host, err)
	}
	if *asJSON {
		err = json.NewEncoder(std.Out).Encode(result)
	} else {
		_, err = fmt.Fprintln(std.Out, result.Sentence)
	}
	if err == nil && !result.Updated {
		err = fmt.Errorf("%s could not be updated, and serves as before", t.host)
	}
	return err
}

// openBundle opens a bundle, or builds one, and checks all of it. Done lets go of it.
func openBundle(ctx context.Context, client *agent.Client, name string, o *order, notes io.Writer) (b *ota.Bundle, done func(), err error) {
	var file *os.File
	if name == "" {
		file, err = buildBundle(ctx, client, o, notes)
	} else {
		file, err = os.Open(name)
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil {
		b, err = ota.Open(file, info.Size())
	}
	if err == nil {
		err = b.Verify()
	}
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("opening the bundle: %w", err)
	}
	return b, func() { file.Close() }, nil
}

// buildBundle builds this source tree for the board that the box is, into a file without a name.
func buildBundle(ctx context.Context, client *agent.Client, o *order, notes io.Writer) (*os.File, error) {
	status, err := client.Status(ctx)
	if err != nil {
		return nil, err
	}
	source, err := image.Source(ctx, ".")
	if err != nil {
		return nil, fmt.Errorf("%w; give --bundle outside of the source tree", err)
	}
	o.board, o.newest = status.Board, true
	system, err := makeSystem(ctx, source, o, notes)
	if err != nil {
		return nil, err
	}
	laptop, err := agent.OpenLaptop()
	if err != nil {
		return nil, err
	}
	key, _, err := laptop.Key()
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "hearth-*.bundle")
	if err != nil {
		return nil, fmt.Errorf("making a file for the bundle: %w", err)
	}
	if err := errors.Join(os.Remove(file.Name()), ota.Write(file, system.Manifest, system.Sources(), key)); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// sendBundle sends a bundle and waits until the box has decided about it.
func sendBundle(ctx context.Context, client *agent.Client, bundle *ota.Bundle, notes io.Writer) (*updated, error) {
	shown := &updateProgress{notes: notes}
	err := client.Update(ctx, bundle, shown)
	shown.end()
	var refused *agent.Refusal
	if errors.As(err, &refused) && refused.Status == http.StatusAlreadyReported {
		version := bundle.Manifest.Version
		return &updated{Updated: true, Version: version, Sentence: fmt.Sprintf("Version %s runs already.", version)}, nil
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, updatePatience)
	defer cancel()
	status, err := client.Await(ctx, bundle.Manifest.Number)
	if err != nil {
		return nil, err
	}
	return &updated{Updated: status.Update.Outcome == ota.Committed, Version: status.Version, Sentence: status.Sentence}, nil
}

// updateProgress shows how an update goes on.
type updateProgress struct {
	notes io.Writer

	mu   sync.Mutex // guards the fields below: what is sent is read in a goroutine of its own
	bar  *meter
	sent bool
}

// Sending implements agent.Progress.
func (p *updateProgress) Sending(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent {
		return
	}
	if p.bar == nil {
		p.bar = newMeter(p.notes, "sending", total)
	}
	p.bar.at(done)
}

// Stage implements agent.Progress.
func (p *updateProgress) Stage(stage string) {
	p.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = true
	switch stage {
	case agent.Checking:
		fmt.Fprintln(p.notes, "the box reads it back")
	case agent.Saving:
		fmt.Fprintln(p.notes, "the box stops its programs and keeps a copy of the data")
	case agent.Restarting:
		fmt.Fprintln(p.notes, "the box restarts and tries the new version")
	}
}

// end ends the bar.
func (p *updateProgress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.done()
		p.bar = nil
	}
}
