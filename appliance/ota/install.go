package ota

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/crypto/blake2b"
)

// An Install writes a bundle into the slot that does not run. Nothing leads to that slot before Box.Try.
//
// It is not for several goroutines at once. What a cut connection or a loss of power leaves needs no care: the next Install
// finds the chunks that are there.
type Install struct {
	box     *Box
	slot    Slot
	head    *Head
	root    Partition
	files   []File // those of the manifest, in its order
	missing []Range
	bytes   int64
}

// Begin admits a bundle, makes the idle slot ready for it, and fills in the chunks that the box has.
func (b *Box) Begin(head *Head, owner ed25519.PublicKey) (*Install, error) {
	if err := b.Admit(head, owner); err != nil {
		return nil, err
	}
	if trial, err := b.Journal.Load(); err != nil {
		return nil, err
	} else if trial != nil && trial.Outcome == Undecided {
		return nil, fmt.Errorf("version %s is on trial: wait until it is kept or undone", trial.ToVersion)
	}
	if err := b.Data.Check(); err != nil {
		return nil, err
	}
	if err := b.Method.Disarm(b.Boot, b.Running); err != nil {
		return nil, err
	}
	i := &Install{box: b, slot: b.Running.Other(), head: head}
	if err := i.prepare(); err != nil {
		i.Close()
		return nil, fmt.Errorf("preparing slot %s: %w", i.slot, explain(err))
	}
	return i, nil
}

// explain says what a full disk means.
func explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("the boot partition is full: the new version's kernel and device trees do not fit (%w)", err)
	}
	return err
}

func (i *Install) prepare() error {
	if err := i.clear(); err != nil {
		return err
	}
	root, err := i.box.Root(i.slot)
	if err != nil {
		return err
	}
	i.root = root
	size, err := root.Size()
	if err != nil {
		return err
	}
	if want := i.head.Manifest.Files[0].Size; want > size {
		return fmt.Errorf("the root image has %d bytes, and its partition only %d", want, size)
	}
	for n, content := range i.head.Manifest.Files {
		file := File(root)
		if n > 0 {
			if file, err = i.box.Boot.Open(i.slot.String()+"/"+content.Name, content.Size); err != nil {
				return err
			}
		}
		i.files = append(i.files, file)
	}
	return i.fill()
}

// clear removes what the slot's folder holds and the bundle does not. The manifest goes first: the slot is not whole any more.
func (i *Install) clear() error {
	folder := i.slot.String() + "/"
	if err := i.box.Boot.Remove(folder + ManifestFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := i.box.Boot.Sync(); err != nil {
		return err
	}
	keep := map[string]bool{CommandLineFile: true}
	for _, file := range i.head.Manifest.Files[1:] {
		keep[file.Name] = true
	}
	names, err := walk(i.box.Boot, i.slot.String())
	if err != nil {
		return err
	}
	for _, name := range names {
		if keep[strings.TrimPrefix(name, folder)] {
			continue
		}
		if err := i.box.Boot.Remove(name); err != nil {
			return err
		}
	}
	return i.box.Boot.Sync()
}

// walk returns the paths of all files below a folder.
func walk(boot Boot, folder string) ([]string, error) {
	names, err := boot.List(folder)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, name := range names {
		name = folder + "/" + name
		below, isFolder := strings.CutSuffix(name, "/")
		if !isFolder {
			files = append(files, name)
			continue
		}
		inside, err := walk(boot, below)
		if err != nil {
			return nil, err
		}
		files = append(files, inside...)
	}
	return files, nil
}

// fill copies the chunks that the running slot has, leaves those that are in their place, and notes the others as missing.
func (i *Install) fill() error {
	old, err := i.box.library()
	if err != nil {
		return err
	}
	defer old.close()
	buffer := make([]byte, GreatestChunk)
	number := 0
	for n, content := range i.head.Manifest.Files {
		var at int64
		for _, chunk := range content.Chunks {
			data := buffer[:chunk.Size]
			switch {
			case holds(i.files[n], at, data, chunk):
			case old.read(chunk, data):
				if _, err := i.files[n].WriteAt(data, at); err != nil {
					return err
				}
			default:
				i.miss(number, chunk)
			}
			at += int64(chunk.Size)
			number++
		}
	}
	return nil
}

// holds reports whether a file has a chunk at its place, using data to read it.
func holds(file File, at int64, data []byte, chunk Chunk) bool {
	n, err := file.ReadAt(data, at)
	return n == len(data) && (err == nil || err == io.EOF) && blake2b.Sum256(data) == chunk.Hash
}

func (i *Install) miss(number int, chunk Chunk) {
	i.bytes += int64(chunk.Size)
	if last := len(i.missing) - 1; last >= 0 && i.missing[last].To == number {
		i.missing[last].To++
		return
	}
	i.missing = append(i.missing, Range{number, number + 1})
}

// Missing returns the chunks that the box does not have, and how many bytes they are.
func (i *Install) Missing() ([]Range, int64) { return slices.Clone(i.missing), i.bytes }

// Receive reads the missing chunks, one after the other and nothing else, and writes those that are right.
func (i *Install) Receive(r io.Reader) error {
	buffer := make([]byte, GreatestChunk)
	number, missing := 0, i.missing
	for n, content := range i.head.Manifest.Files {
		var at int64
		for _, chunk := range content.Chunks {
			if len(missing) > 0 && number == missing[0].To {
				missing = missing[1:]
			}
			if len(missing) > 0 && number >= missing[0].From {
				if err := i.receive(r, n, at, chunk, buffer[:chunk.Size]); err != nil {
					return fmt.Errorf("receiving %s: %w", content.Name, err)
				}
			}
			at += int64(chunk.Size)
			number++
		}
	}
	if n, err := io.ReadFull(r, buffer[:1]); n > 0 {
		return errors.New("more came than was missing")
	} else if err != io.EOF {
		return fmt.Errorf("receiving the end: %w", err)
	}
	return nil
}

func (i *Install) receive(r io.Reader, n int, at int64, chunk Chunk, data []byte) error {
	if _, err := io.ReadFull(r, data); err != nil {
		return cutShort(err)
	}
	if blake2b.Sum256(data) != chunk.Hash {
		return errors.New("what came is not what the manifest says")
	}
	if _, err := i.files[n].WriteAt(data, at); err != nil {
		return explain(err)
	}
	return nil
}

// Finish syncs the slot, reads all of it back and compares it with the manifest. Only then the slot has a manifest: it is whole.
func (i *Install) Finish() error {
	if err := i.sync(); err != nil {
		return err
	}
	for n, content := range i.head.Manifest.Files {
		if err := i.readBack(n, content); err != nil {
			return fmt.Errorf("reading back %s from slot %s: %w; the disk may be failing", content.Name, i.slot, err)
		}
	}
	if err := i.put(CommandLineFile, []byte(i.head.Manifest.commandLine(i.slot)+"\n")); err != nil {
		return err
	}
	return i.put(ManifestFile, i.head.raw)
}

// readBack closes a file that was written, opens it anew and compares it with the manifest.
func (i *Install) readBack(n int, content FileContent) error {
	if n == 0 {
		return verify(i.root, 0, content)
	}
	if err := i.files[n].Close(); err != nil {
		return err
	}
	file, err := i.box.Boot.Open(i.slot.String()+"/"+content.Name, -1)
	if err != nil {
		return err
	}
	i.files[n] = file
	size, err := file.Size()
	if err == nil && size != content.Size {
		err = fmt.Errorf("it has %d bytes, want %d", size, content.Size)
	}
	if err != nil {
		return err
	}
	return verify(file, 0, content)
}

func (i *Install) sync() error {
	if err := i.root.Sync(); err != nil {
		return fmt.Errorf("syncing the root of slot %s: %w", i.slot, err)
	}
	return syncBoot(i.box.Boot)
}

// put writes a small file of the slot, and reads it back.
func (i *Install) put(name string, data []byte) error {
	path := i.slot.String() + "/" + name
	if err := writeFile(i.box.Boot, path, data); err != nil {
		return fmt.Errorf("writing %s: %w", path, explain(err))
	}
	if err := syncBoot(i.box.Boot); err != nil {
		return err
	}
	if got, err := readFile(i.box.Boot, path, int64(len(data))); err != nil || !bytes.Equal(got, data) {
		return fmt.Errorf("reading back %s: it is not what was written (%w)", path, orDifferent(err))
	}
	return nil
}

// Close lets go of the slot, in whatever state it is.
func (i *Install) Close() {
	files := i.files
	if len(files) > 0 {
		files = files[1:] // the first is the root
	}
	for _, file := range files {
		file.Close() // what matters was synced
	}
	i.files = nil
	if i.root != nil {
		i.root.Close()
		i.root = nil
	}
}
