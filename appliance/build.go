package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hearth/appliance/agent"
	"hearth/appliance/image"
	"hearth/process"
	"hearth/settings"
)

const buildUsage = `Usage: appliance build --board BOARD [--image IMAGE] [--domain NAME] [--set KEY=VALUE]... [--owner]
                       [--out DIR] [--version NAME] [--json]

Builds an image of this source tree for a board. It needs Go and nothing else: no root, no tools for disks. The same commit
gives the same bytes. No password and no key is in an image: the box makes its own.

  --board BOARD      the machine: a file in board-configs (--board help lists them)
  --image IMAGE      what is in it: a file in images; home, which is everything, or minimal (default home)
  --domain NAME      the name of your server, as in @alice:NAME; it cannot be changed once there are users. Without it
                     the server is for your own network, under the name that the box has there
  --set KEY=VALUE    one setting of the box, may be repeated, such as homeserver.registration=closed. They are put into
                     hearth.txt on the boot partition, which any computer can edit once the card is written
  --owner            make the box yours from its first start: it obeys your key (owner.key below ~/.config/hearth, made at
                     first use), and nobody else's. Without it the first who asks a new box becomes its owner
  --out DIR          where to put it: hearth-BOARD.img, and beside it .json, which says what is in it with hashes, and
                     .spdx.json, the list of all its parts (default bin)
  --version NAME     the version's name; by default the commit's day and hash
  --json             print what was built as JSON, and no progress

Then: appliance flash --image bin/hearth-BOARD.img /dev/sdX, or appliance run bin/hearth-BOARD.img
`

// imageBuilt is what build prints as JSON.
type imageBuilt struct {
	Image    string  `json:"image"`
	Bytes    int64   `json:"bytes"`
	SHA256   string  `json:"sha256"`
	Manifest string  `json:"manifest"`
	Parts    string  `json:"parts"`
	Board    string  `json:"board"`
	Version  string  `json:"version"`
	Number   uint64  `json:"number"`
	Root     int64   `json:"root_bytes"`
	Seconds  float64 `json:"seconds"`
}

// order is what build is asked for.
type order struct {
	board, image, out, version string
	settings                   []string
	json, owner                bool
	newest                     bool // a version that is named is newer than all before, also of the same commit
}

func orderBuild(args []string) (*order, error) {
	o := new(order)
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.StringVar(&o.board, "board", "", "")
	flags.StringVar(&o.image, "image", "home", "")
	flags.StringVar(&o.out, "out", "bin", "")
	flags.StringVar(&o.version, "version", "", "")
	flags.BoolVar(&o.owner, "owner", false, "")
	flags.BoolVar(&o.json, "json", false, "")
	add := func(line string) error {
		o.settings = append(o.settings, strings.TrimSpace(line))
		return image.CheckSetting(line)
	}
	flags.Func("set", "", add)
	flags.Func("domain", "", func(name string) error { return add("server_name=" + name) })
	if _, err := parseFlags(flags, args, 0); err != nil {
		return nil, err
	}
	if o.board == "" {
		return nil, &settings.Error{Err: fmt.Errorf("build needs --board: --board help lists them")}
	}
	return o, nil
}

// build makes an image.
func build(ctx context.Context, args []string, std process.Streams) error {
	o, err := orderBuild(args)
	if err != nil {
		return err
	}
	source, err := image.Source(ctx, ".")
	if err != nil {
		return err
	}
	if o.board == "help" {
		return listBoards(source, std.Out)
	}
	begin := time.Now()
	progress := std.Err
	if o.json {
		progress = io.Discard
	}
	system, err := makeSystem(ctx, source, o, progress)
	if err != nil {
		return err
	}
	b, err := o.write(system, progress)
	if err != nil {
		return err
	}
	b.Seconds = time.Since(begin).Seconds()
	if o.json {
		return json.NewEncoder(std.Out).Encode(b)
	}
	_, err = fmt.Fprintf(std.Out, "%s is version %s for %s: %.1f MB, its root %.1f MB, built in %.1f s.\n",
		b.Image, b.Version, b.Board, float64(b.Bytes)/1e6, float64(b.Root)/1e6, b.Seconds)
	return err
}

// makeSystem builds what a slot holds.
func makeSystem(ctx context.Context, source string, o *order, progress io.Writer) (*image.System, error) {
	board, err := image.ReadBoard(source, o.board)
	if err != nil {
		return nil, err
	}
	contents, err := image.ReadContents(source, o.image)
	if err != nil {
		return nil, err
	}
	version, err := image.SourceVersion(ctx, source, time.Now())
	if err != nil && o.version == "" {
		return nil, fmt.Errorf("%w; give --version", err)
	}
	switch {
	case o.version != "" && (err != nil || o.newest):
		version = image.NamedVersion(o.version, time.Now())
	case o.version != "":
		version.Text = o.version
	}
	key, err := o.ownersKey(progress)
	if err != nil {
		return nil, err
	}
	return image.Make(ctx, image.Options{
		Source: source, Board: board, Contents: contents, Version: version, Settings: o.settings, Owner: key,
		Programs: filepath.Join(source, "bin", "linux-"+board.Arch),
		Stage:    func(what string) { fmt.Fprintln(progress, what) },
	})
}

// ownersKey returns the key whom the box is to obey, nil if that is open, and has the settings say so.
func (o *order) ownersKey(notes io.Writer) (ed25519.PrivateKey, error) {
	if !o.owner {
		return nil, nil
	}
	_, key, err := ownLaptop(notes)
	if err != nil {
		return nil, err
	}
	o.settings = append(o.settings, "box.owner="+agent.FormatKey(agent.PublicKey(key)))
	return key, nil
}

// write writes the image and what describes it.
func (o *order) write(system *image.System, progress io.Writer) (*imageBuilt, error) {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder for images: %w", err)
	}
	base := filepath.Join(o.out, "hearth-"+o.board)
	b := &imageBuilt{Image: base + ".img", Manifest: base + ".json", Parts: base + ".spdx.json", Board: o.board,
		Version: system.Manifest.Version, Number: system.Manifest.Number, Root: int64(len(system.Root))}
	var bar *meter
	manifest, err := system.WriteImage(b.Image, func(total int64) { bar = newMeter(progress, "writing the image", total) }, func(n int64) { bar.at(n) })
	if err != nil {
		return nil, err
	}
	bar.done()
	text, err := manifest.Text()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(b.Manifest, text, 0o644); err != nil {
		return nil, fmt.Errorf("writing the manifest: %w", err)
	}
	if err := os.WriteFile(b.Parts, system.SBOM, 0o644); err != nil {
		return nil, fmt.Errorf("writing the list of parts: %w", err)
	}
	b.Bytes, b.SHA256, err = image.FileSum(b.Image)
	return b, err
}

// listBoards prints the boards, and what they are.
func listBoards(source string, out io.Writer) error {
	names, err := image.BoardNames(source)
	if err != nil {
		return err
	}
	for _, name := range names {
		board, err := image.ReadBoard(source, name)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "  %-12s %s\n", name, board.Description); err != nil {
			return err
		}
	}
	return nil
}
