package ota_test

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"hearth/appliance/ota"
	"hearth/appliance/powercut"
)

const commandLine = "console=ttyS0 root=PARTLABEL=hearth-root-{slot} ro panic=10"

// ownersKey is the same in every test.
func ownersKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
}

func owner() ed25519.PublicKey { return ownersKey().Public().(ed25519.PublicKey) }

// version is a whole system.
type version struct {
	manifest ota.Manifest
	files    map[string]string // by name
	order    []string
}

// noise returns bytes that look like a file's, always the same of a seed.
func noise(seed uint64, size int) string {
	random := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return string(data)
}

// common is a part that all versions of a root share.
func common() string { return noise(99, 100<<10) }

func newVersion(number uint64, name string) version {
	return version{
		manifest: ota.Manifest{Version: name, Number: number, Minimum: 1, Board: "pc", CommandLine: commandLine},
		files: map[string]string{
			ota.RootFile:   "root of " + name + noise(number, 20<<10) + common(),
			ota.KernelFile: "kernel of " + name + noise(number+1000, 3000),
			"dtb/pc.dtb":   "device tree of " + name,
		},
		order: []string{ota.RootFile, ota.KernelFile, "dtb/pc.dtb"},
	}
}

func (v version) sources() []ota.Source {
	var sources []ota.Source
	for _, name := range v.order {
		sources = append(sources, ota.Source{Name: name, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(v.files[name])), nil
		}})
	}
	return sources
}

// bytes returns the version as a bundle.
func (v version) bytes(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := ota.Write(&b, v.manifest, v.sources(), ownersKey()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (v version) bundle(t testing.TB) *ota.Bundle {
	t.Helper()
	data := v.bytes(t)
	b, err := ota.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const partition = 320 << 10

// flashed returns a machine that has a version in slot a, and perhaps an older one in slot b.
func flashed(t testing.TB, uefi bool, a version, b *version) *powercut.Machine {
	t.Helper()
	files := map[string]string{}
	roots := map[ota.Slot]*powercut.Block{ota.B: powercut.NewBlock(partition, "")}
	put := func(slot ota.Slot, v version) {
		head := v.bundle(t).Head
		folder := slot.String() + "/"
		for name, text := range v.files {
			if name != ota.RootFile {
				files[folder+name] = text
			}
		}
		files[folder+ota.ManifestFile] = string(head.Bytes())
		files[folder+ota.CommandLineFile] = strings.ReplaceAll(commandLine, "{slot}", slot.String()) + "\n"
		if uefi && slot == ota.A { // Commit leaves the entry of what runs alone
			files[ota.EntryName(slot)] = string(ota.EntryText(slot, head.Manifest.Entry(slot)))
		}
		roots[slot] = powercut.NewBlock(partition, v.files[ota.RootFile])
	}
	put(ota.A, a)
	if b != nil {
		put(ota.B, *b)
	}
	if uefi {
		files[ota.LoaderSettings] = ota.LoaderConf
	} else {
		files[ota.ConfigFile] = "# firmware\narm_64bit=1\nkernel=vmlinuz\nos_prefix=a/\nenable_uart=1\n"
	}
	stale := "title old\nsort-key hearth\nversion 99\nlinux /b/vmlinuz\noptions root=PARTLABEL=hearth-root-"
	return &powercut.Machine{Boot: powercut.NewFAT(files, stale), Roots: roots, UEFI: uefi, Data: powercut.NewData("message")}
}

// box returns what runs on a machine in a slot.
func box(m *powercut.Machine, running ota.Slot) *ota.Box {
	b := &ota.Box{
		Boot: m.Boot, Running: running, Board: "pc", Journal: m.Data, Data: m.Data,
		Root: func(s ota.Slot) (ota.Partition, error) { return m.Roots[s], nil },
	}
	b.Method = ota.TryBoot{}
	if m.UEFI {
		b.Method = ota.SystemdBoot{}
	}
	return b
}

// install writes a bundle into the idle slot.
func install(b *ota.Box, bundle *ota.Bundle) error {
	i, err := b.Begin(bundle.Head, owner())
	if err != nil {
		return err
	}
	defer i.Close()
	ranges, _ := i.Missing()
	content, _, err := bundle.Chunks(ranges)
	if err != nil {
		return err
	}
	if err := i.Receive(content); err != nil {
		return err
	}
	return i.Finish()
}

// update installs a bundle and restarts into its trial.
func update(m *powercut.Machine, running ota.Slot, bundle *ota.Bundle) error {
	b := box(m, running)
	if err := install(b, bundle); err != nil {
		return err
	}
	restart, err := b.Try()
	if err != nil {
		return err
	}
	m.Restart(restart)
	return nil
}

// methods runs a test for both ways to tell the firmware.
func methods(t *testing.T, test func(t *testing.T, uefi bool)) {
	t.Run("systemd-boot", func(t *testing.T) { test(t, true) })
	t.Run("tryboot", func(t *testing.T) { test(t, false) })
}
