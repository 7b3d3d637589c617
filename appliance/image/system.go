package image

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"hearth/appliance/box"
	"hearth/appliance/ota"
	"hearth/appliance/squashfs"
)

// Options say what to build.
type Options struct {
	Source   string // the folder of this module
	Overlay  string // a file that puts others in the place of some of the source's, as go build -overlay reads it; "" for none
	Board    *Board
	Contents *Contents
	Version  Version
	Programs string             // a folder for the built programs, which may be there from before
	Settings []string           // the owner's, as lines KEY = VALUE, for the boot partition
	Owner    ed25519.PrivateKey // signs what the slot holds; updates are compared with that
	Stage    func(what string)  // told what is being done; may be nil
}

// System is what a slot holds: a root image, and the files of its folder on the boot partition.
type System struct {
	Manifest ota.Manifest // without its files, which ota.Write and ota.Seal fill in
	Files    []SlotFile   // those of the folder, in the order of their names, the kernel among them
	Root     []byte
	SBOM     []byte // in SPDX, as it is in the root

	options  Options
	modules  map[string]module
	kernel   string // its version
	programs []program
}

// SlotFile is a file of a slot's folder.
type SlotFile struct {
	Name string
	Data []byte
}

// Sources returns what goes into an update's bundle.
func (s *System) Sources() []ota.Source {
	sources := []ota.Source{sourceOf(ota.RootFile, s.Root)}
	for _, file := range s.Files {
		sources = append(sources, sourceOf(file.Name, file.Data))
	}
	return sources
}

func sourceOf(name string, data []byte) ota.Source {
	return ota.Source{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// Make builds the programs and puts together what a slot holds.
func Make(ctx context.Context, o Options) (*System, error) {
	s := &System{options: o}
	var err error
	if s.modules, err = o.Board.modules(ctx, o.Source); err != nil {
		return nil, err
	}
	o.stage("building the programs for " + o.Board.Arch)
	names := append([]string{filepath.Base(box.Init)}, o.Contents.Programs...)
	if s.programs, err = compile(ctx, o.Source, o.Overlay, o.Programs, o.Board.Arch, o.Version.Text, names); err != nil {
		return nil, err
	}
	o.stage("packing the root")
	if err := s.addKernel(); err != nil {
		return nil, err
	}
	if s.SBOM, err = s.sbom(); err != nil {
		return nil, err
	}
	files, err := s.rootFiles()
	if err != nil {
		return nil, err
	}
	if err := checkSecrets(files); err != nil {
		return nil, err
	}
	if s.Root, err = packRoot(files, o.Version); err != nil {
		return nil, err
	}
	s.Manifest = ota.Manifest{Version: o.Version.Text, Number: o.Version.Number, Board: o.Board.Name, CommandLine: o.Board.commandLine()}
	return s, s.checkSizes()
}

func (o Options) stage(what string) {
	if o.Stage != nil {
		o.Stage(what)
	}
}

// commandLine returns the kernel's command line, with ota.SlotMark where the slot's letter goes.
func (b *Board) commandLine() string {
	root := strings.TrimSuffix(box.RootAPartition, ota.A.String()) + ota.SlotMark
	return strings.Join([]string{"root=PARTLABEL=" + root, "rootwait", box.CommandLine, b.CommandLine}, " ")
}

// overlaysMark must be in the folder of overlays: the Raspberry Pi's firmware takes overlays from a slot's folder only if it is.
const overlaysMark = "overlays/readme"

// addKernel takes the kernel and what the boot loader gives to it.
func (s *System) addKernel() error {
	b := s.options.Board
	m := s.modules[b.Kernel.Module]
	kernel, err := os.ReadFile(filepath.Join(m.Dir, "vmlinuz"))
	if err != nil {
		return b.file.Invalid("kernel.module", "reading the kernel: %w", err)
	}
	if s.kernel, err = b.checkKernel(m, kernel); err != nil {
		return err
	}
	s.Files = []SlotFile{{ota.KernelFile, kernel}}
	trees, err := m.match(b.Kernel.DeviceTrees)
	if err != nil {
		return b.file.Invalid("kernel.device_trees", "%w", err)
	}
	overlays, err := m.match(inFolder("overlays", b.Kernel.Overlays))
	if err != nil {
		return b.file.Invalid("kernel.overlays", "%w", err)
	}
	for _, name := range slices.Concat(trees, overlays) {
		data, err := os.ReadFile(filepath.Join(m.Dir, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("reading a device tree: %w", err)
		}
		s.Files = append(s.Files, SlotFile{name, data})
	}
	if len(overlays) > 0 {
		s.Files = append(s.Files, SlotFile{overlaysMark, []byte("The overlays of this slot's kernel.\n")})
	}
	slices.SortFunc(s.Files, func(a, b SlotFile) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// packRoot makes the root image.
func packRoot(files []squashfs.File, v Version) ([]byte, error) {
	out := new(memory)
	size, err := squashfs.Write(out, files, squashfs.Options{Time: v.Time, Workers: runtime.GOMAXPROCS(0)})
	if err != nil {
		return nil, err
	}
	if size < int64(len(out.data)) {
		return nil, fmt.Errorf("packing the root: it has %d bytes, and %d were written", size, len(out.data))
	}
	return append(out.data, make([]byte, size-int64(len(out.data)))...), nil
}

// memory is a file in memory.
type memory struct{ data []byte }

// WriteAt implements io.WriterAt.
func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	if end := int(at) + len(p); end > len(m.data) {
		m.data = append(m.data, make([]byte, end-len(m.data))...)
	}
	return copy(m.data[at:], p), nil
}

// checkSizes sees that the root and two slots fit their partitions, with an eighth to spare on the boot partition.
func (s *System) checkSizes() error {
	b := s.options.Board
	if size := int64(len(s.Root)); size > int64(b.Partitions.Root) {
		return b.file.Invalid("partitions.root", "the root image has %d MiB, more than %v", size>>20, b.Partitions.Root)
	}
	var slot int64
	for _, file := range s.Files {
		slot += int64(len(file.Data)) + 32<<10 // rounded up to clusters, at most
	}
	if need := 2*slot + 16<<20; need > int64(b.Partitions.Boot)/8*7 {
		return b.file.Invalid("partitions.boot", "two slots and the firmware need %d MiB, which leaves less than an eighth of %v", need>>20, b.Partitions.Boot)
	}
	return nil
}
