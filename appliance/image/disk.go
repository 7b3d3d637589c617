package image

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hearth/appliance/box"
	"hearth/appliance/ext4"
	"hearth/appliance/fat32"
	"hearth/appliance/gpt"
	"hearth/appliance/ota"
)

// ManifestFile is the name of the Manifest on the boot partition.
const ManifestFile = "hearth.json"

// Manifest says what an image is and holds. It is on the boot partition, where it says what was flashed; and beside the image.
type Manifest struct {
	Version     string   `json:"version"`
	Number      uint64   `json:"number"` // greater in each later version
	Board       string   `json:"board"`
	Image       string   `json:"image"`       // of the file in images
	Description string   `json:"description"` // of the board
	Notes       string   `json:"notes,omitempty"`
	Kernel      string   `json:"kernel"` // its version
	Modules     []Pinned `json:"modules"`
	Files       []Hashed `json:"files"` // the root image as root, and those of the boot partition but for this one and the owner's settings
	Try         Try      `json:"try"`
}

// Pinned is a Go module that the image has files of.
type Pinned struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum"`
}

// Hashed is a file and what it must hold.
type Hashed struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Try is how the image is tried in a virtual machine.
type Try struct {
	Arch    string   `json:"arch"`
	Memory  int64    `json:"memory"` // in bytes
	Machine string   `json:"machine"`
	CPU     string   `json:"cpu"`
	UEFI    bool     `json:"uefi"`
	Console string   `json:"console,omitempty"` // of the kernel, in the place of the board's
	Options []string `json:"options,omitempty"`
}

// settingsHead begins the owner's settings.
const settingsHead = `# Hearth's settings: one KEY = VALUE on each line, read when the box starts. For example
#
#   server_name = example.org          the name in all user ids; it cannot be changed once there are users
#   homeserver.registration = closed   who may register: open, token or closed
#   box.hostname = hearth              the box is found as hearth.local
#
# What is not set here is as the image has it. No passwords and no keys belong here: the box makes its own.

`

// nobody signs what is in the slot of an image that has no owner yet. Anyone can make this key, and no box obeys it: the
// manifest in the slot only says what runs.
func nobody() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

// bootFiles lists the boot partition's files: the board's firmware and boot loader, slot a, and the manifest, but not the
// owner's settings.
func (s *System) bootFiles() ([]SlotFile, *Manifest, error) {
	files, err := s.firmware()
	if err != nil {
		return nil, nil, err
	}
	key := s.options.Owner
	if key == nil {
		key = nobody()
	}
	head, err := ota.Seal(s.Manifest, s.Sources(), key)
	if err != nil {
		return nil, nil, err
	}
	entry := head.Manifest.Entry(ota.A)
	slot := append(slices.Clone(s.Files), SlotFile{ota.CommandLineFile, []byte(entry.CommandLine)}, SlotFile{ota.ManifestFile, head.Bytes()})
	for _, file := range slot {
		files = append(files, SlotFile{ota.A.String() + "/" + file.Name, file.Data})
	}
	if s.options.Board.Boot == SystemdBoot {
		files = append(files, SlotFile{ota.EntryName(ota.A), ota.EntryText(ota.A, entry)}, SlotFile{ota.LoaderSettings, []byte(ota.LoaderConf)})
	}
	slices.SortFunc(files, func(a, b SlotFile) int { return strings.Compare(a.Name, b.Name) })
	m := s.manifest(files)
	text, err := m.Text()
	if err != nil {
		return nil, nil, err
	}
	return append(files, SlotFile{ManifestFile, text}), m, nil
}

// firmware lists what starts the kernel and belongs to no slot.
func (s *System) firmware() ([]SlotFile, error) {
	b := s.options.Board
	switch b.Boot {
	case SystemdBoot:
		from, to := "systemd-bootaa64.efi", "EFI/BOOT/BOOTAA64.EFI"
		if b.Arch == "amd64" {
			from, to = "systemd-bootx64.efi", "EFI/BOOT/BOOTX64.EFI"
		}
		return moduleFiles(s.modules[bootLoaderModule], map[string]string{"third_party/systemd-250.5-1/" + from: to})
	case TryBoot:
		return s.raspberry()
	}
	return nil, nil
}

// raspberry lists the Raspberry Pi's firmware, its config.txt, and the update of its EEPROM.
func (s *System) raspberry() ([]SlotFile, error) {
	b := s.options.Board
	names, err := s.modules[b.Firmware.Module].match(b.Firmware.Files)
	if err != nil {
		return nil, b.file.Invalid("firmware.files", "%w", err)
	}
	copies := make(map[string]string)
	for _, name := range names {
		copies[name] = name
	}
	files, err := moduleFiles(s.modules[b.Firmware.Module], copies)
	if err != nil {
		return nil, err
	}
	config := slices.Concat(b.Firmware.Config, []string{"kernel=" + ota.KernelFile, "os_prefix=" + ota.A.String() + "/", ""})
	files = append(files, SlotFile{ota.ConfigFile, []byte(strings.Join(config, "\n"))})
	if b.Firmware.EEPROM == "" {
		return files, nil
	}
	// The boot ROM starts recovery.bin, which writes pieeprom.upd if its hash is that of the .sig, and renames itself.
	eeprom, err := moduleFiles(s.modules[b.Firmware.EEPROMModule], map[string]string{b.Firmware.EEPROM: "pieeprom.upd", "recovery.bin": "recovery.bin"})
	if err != nil {
		return nil, b.file.Invalid("firmware.eeprom", "%w", err)
	}
	for _, file := range eeprom {
		if file.Name == "pieeprom.upd" {
			eeprom = append(eeprom, SlotFile{"pieeprom.sig", []byte(sum(file.Data) + "\n")})
		}
	}
	return append(files, eeprom...), nil
}

// moduleFiles reads files of a module, under other names.
func moduleFiles(m module, names map[string]string) ([]SlotFile, error) {
	var files []SlotFile
	for from, to := range names {
		data, err := os.ReadFile(filepath.Join(m.Dir, filepath.FromSlash(from)))
		if err != nil {
			return nil, fmt.Errorf("reading %s of %s@%s: %w", from, m.Path, m.Version, err)
		}
		files = append(files, SlotFile{to, data})
	}
	return files, nil
}

func (s *System) manifest(files []SlotFile) *Manifest {
	o, b := s.options, s.options.Board
	m := &Manifest{Version: o.Version.Text, Number: o.Version.Number, Board: b.Name, Image: o.Contents.Name, Description: b.Description,
		Notes: o.Contents.Notes, Kernel: s.kernel, Files: []Hashed{{ota.RootFile, int64(len(s.Root)), sum(s.Root)}},
		Try: Try{b.Arch, int64(b.Memory.Size), b.QEMU.Machine, b.QEMU.CPU, b.QEMU.UEFI, b.QEMU.Console, b.QEMU.Options}}
	for _, module := range s.modules {
		m.Modules = append(m.Modules, Pinned{module.Path, module.Version, module.Sum})
	}
	slices.SortFunc(m.Modules, func(a, b Pinned) int { return strings.Compare(a.Path, b.Path) })
	for _, file := range files {
		m.Files = append(m.Files, Hashed{file.Name, int64(len(file.Data)), sum(file.Data)})
	}
	return m
}

// Text writes the manifest as JSON.
func (m *Manifest) Text() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(m); err != nil {
		return nil, fmt.Errorf("writing the manifest: %w", err)
	}
	return text.Bytes(), nil
}

// ReadManifest reads the manifest of an image, or of a disk that it was flashed to.
func ReadManifest(boot *fat32.Volume) (*Manifest, error) {
	f, err := boot.Open(ManifestFile)
	if err != nil {
		return nil, fmt.Errorf("reading what the image is: %w", err)
	}
	defer f.Close()
	m := new(Manifest)
	if err := json.NewDecoder(io.LimitReader(f, 1<<20)).Decode(m); err != nil {
		return nil, fmt.Errorf("reading what the image is: %w", err)
	}
	return m, nil
}

// OpenBoot opens the boot partition of an image of size bytes.
func OpenBoot(image io.ReaderAt, size int64) (*fat32.Volume, error) {
	table, err := gpt.Read(image, size)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(table.Partitions, func(p gpt.Partition) bool { return p.Name == box.BootPartition })
	if i < 0 {
		return nil, fmt.Errorf("the image has no partition %s: it is not one that appliance build has made", box.BootPartition)
	}
	p := table.Partitions[i]
	return fat32.Open(io.NewSectionReader(image, p.Start, p.Size))
}

// typeBasicData is that of partitions which every computer shows to its users: UEFI 2.10 does not know it, Microsoft does.
const typeBasicData = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"

// WriteImage writes the image to a file, which has its name only when it is whole. Of the bytes that it writes it reports the
// sum so far, which comes to total.
func (s *System) WriteImage(path string, begin func(total int64), report func(written int64)) (*Manifest, error) {
	boot, m, err := s.bootFiles()
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("making the image's file: %w", err)
	}
	defer os.Remove(f.Name()) // fails if it has its name
	err = s.writeDisk(&counter{f: f, report: report}, f.Truncate, boot, begin)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return nil, fmt.Errorf("writing the image: %w", err)
	}
	return m, nil
}

// counter counts what is written to a file.
type counter struct {
	f      io.WriterAt
	done   int64
	report func(int64)
}

// WriteAt implements io.WriterAt.
func (c *counter) WriteAt(p []byte, at int64) (int, error) {
	n, err := c.f.WriteAt(p, at)
	c.done += int64(n)
	c.report(c.done)
	return n, err
}

// writeDisk writes the disk's content, after truncate has given it its size. It must read as zeros.
func (s *System) writeDisk(w io.WriterAt, truncate func(int64) error, boot []SlotFile, begin func(int64)) error {
	names := identity(boot, s.Root)
	table := s.table(names)
	if err := truncate(table.Size); err != nil {
		return err
	}
	total := int64(len(s.Root))
	for _, file := range boot {
		total += int64(len(file.Data))
	}
	begin(total)
	files := append(fatFiles(boot), fat32.File{Path: strings.TrimPrefix(box.OwnersSettings, box.Boot+"/"), Data: s.ownersSettings()})
	err := fat32.Write(part(w, table, 0), files, fat32.Options{Size: table.Partitions[0].Size, Start: table.Partitions[0].Start, Label: "HEARTH",
		ID: binary.BigEndian.Uint32(names), Time: s.options.Version.Time})
	if err != nil {
		return err
	}
	if _, err := part(w, table, 1).WriteAt(s.Root, 0); err != nil {
		return err
	}
	err = ext4.Write(part(w, table, 3), ext4.Options{Size: table.Partitions[3].Size, UUID: guid(names, "data"), Label: box.DataPartition, Time: s.options.Version.Time})
	if err != nil {
		return err
	}
	return table.Write(w)
}

func part(w io.WriterAt, t gpt.Table, i int) io.WriterAt {
	return io.NewOffsetWriter(w, t.Partitions[i].Start)
}

func fatFiles(files []SlotFile) []fat32.File {
	var all []fat32.File
	for _, file := range files {
		all = append(all, fat32.File{Path: file.Name, Data: file.Data})
	}
	return all
}

// ownersSettings is the hearth.txt of the boot partition.
func (s *System) ownersSettings() []byte {
	text := settingsHead
	for _, line := range s.options.Settings {
		text += line + "\n"
	}
	return []byte(text)
}

// table lays the partitions out. Of a Raspberry Pi's the boot partition is one that every computer shows, and is in the MBR too,
// which is all that the boot ROM of older ones knows.
func (s *System) table(names []byte) gpt.Table {
	b := s.options.Board
	kind := gpt.TypeEFISystem
	if b.Boot == TryBoot {
		kind = typeBasicData
	}
	t := gpt.Table{ID: guid(names, "disk")}
	for _, p := range []struct {
		kind, name string
		size       int64
	}{
		{kind, box.BootPartition, int64(b.Partitions.Boot)},
		{gpt.TypeLinuxData, box.RootAPartition, int64(b.Partitions.Root)},
		{gpt.TypeLinuxData, box.RootBPartition, int64(b.Partitions.Root)},
		{gpt.TypeLinuxData, box.DataPartition, int64(b.Partitions.Data)},
	} {
		t.Partitions = append(t.Partitions, gpt.Partition{Type: gpt.MustParseGUID(p.kind), ID: guid(names, p.name), Name: p.name, Size: p.size})
	}
	t.Size = gpt.Arrange(t.Partitions)
	if b.Boot == TryBoot {
		t.Legacy = []gpt.Legacy{{Partition: 0, Type: gpt.LegacyFAT32, Active: true}}
	}
	return t
}

// identity is a hash of all that an image holds, of which its names are made.
func identity(boot []SlotFile, root []byte) []byte {
	h := sha256.New()
	for _, file := range boot {
		fmt.Fprintf(h, "%s %d %s\n", file.Name, len(file.Data), sum(file.Data))
	}
	fmt.Fprintf(h, "%s\n", sum(root))
	return h.Sum(nil)
}

// guid makes a GUID of an identity and a name, of version 8 (RFC 9562 §5.8).
func guid(identity []byte, name string) gpt.GUID {
	h := sha256.Sum256(append(slices.Clone(identity), name...))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	text := hex.EncodeToString(h[:16])
	return gpt.MustParseGUID(strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-"))
}
