package ota

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Format is the version of the bundle format that this package reads and writes.
const Format = 1

// Limits on what comes from outside.
const (
	MaxHead  = 2 << 20 // bytes of a bundle's head
	maxFile  = 1 << 30 // bytes of a file
	maxFiles = 512     // files of a bundle
	maxText  = 64      // bytes of a version and of a board
	maxLine  = 2000    // bytes of a kernel's command line, of which arm64 reads 2,048
	maxName  = 80      // bytes of a file's name
	magic    = "hearth bundle 1\n"
)

// Names of files in every bundle and in every slot's folder.
const (
	RootFile        = "root"        // the root image, which goes to the slot's partition; all others go to its folder
	KernelFile      = "vmlinuz"     // the kernel
	CommandLineFile = "cmdline.txt" // the kernel's command line, which the box writes by the manifest
	ManifestFile    = "manifest"    // the bundle's head, which the box writes when all else is there
)

// SlotMark stands in a manifest's command line for the slot's letter.
const SlotMark = "{slot}"

// A Manifest says what a bundle is and holds.
type Manifest struct {
	Format      int           `json:"format"`       // Format
	Version     string        `json:"version"`      // for people, such as "1.4.0"
	Number      uint64        `json:"number"`       // of the version, 1 or more: a later version has a greater one
	Minimum     uint64        `json:"minimum"`      // the least number of a version that it may replace
	Board       string        `json:"board"`        // the board that it is for, such as "pi4"
	CommandLine string        `json:"command_line"` // the kernel's, with SlotMark where the slot's letter goes
	Files       []FileContent `json:"files"`        // the root image first
}

// FileContent is what a file of a bundle holds.
type FileContent struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // in hexadecimal
	Chunks Chunks `json:"chunks"`
}

// A Head is the beginning of a bundle: what it holds, and who vouches for that.
type Head struct {
	Manifest *Manifest
	Signer   ed25519.PublicKey
	raw      []byte
}

// Bytes returns the head as it stands in a bundle.
func (h *Head) Bytes() []byte { return h.raw }

// ReadHead reads a bundle's head, and no byte more. The signature is right if it returns no error; whose it is, the caller judges.
func ReadHead(r io.Reader) (*Head, error) {
	start := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(r, start); err != nil {
		return nil, cutShort(err)
	}
	if string(start[:len(magic)]) != magic {
		return nil, errors.New("this is not a bundle of format 1: it does not begin as one")
	}
	size := binary.BigEndian.Uint32(start[len(magic):])
	const tail = ed25519.PublicKeySize + ed25519.SignatureSize
	if size == 0 || int64(size)+int64(len(start))+tail > MaxHead {
		return nil, fmt.Errorf("the bundle's manifest has %d bytes, which is too much or nothing", size)
	}
	var rest bytes.Buffer // grows as bytes come, not as they are promised
	if _, err := io.CopyN(&rest, r, int64(size)+tail); err != nil {
		return nil, cutShort(err)
	}
	return parseHead(append(start, rest.Bytes()...), int(size))
}

func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("the bundle is cut short")
	}
	return fmt.Errorf("reading the bundle: %w", err)
}

func parseHead(raw []byte, size int) (*Head, error) {
	signed := raw[:len(magic)+4+size]
	signer := ed25519.PublicKey(raw[len(signed) : len(signed)+ed25519.PublicKeySize])
	signature := raw[len(signed)+ed25519.PublicKeySize:]
	if len(bytes.Trim(signature, "\x00")) == 0 {
		return nil, errors.New("the bundle is not signed")
	}
	if !ed25519.Verify(signer, signed, signature) {
		return nil, errors.New("the bundle's signature is wrong: it was changed after it was signed")
	}
	m, err := ParseManifest(signed[len(magic)+4:])
	if err != nil {
		return nil, err
	}
	return &Head{Manifest: m, Signer: signer, raw: raw}, nil
}

// ParseManifest reads a manifest and checks that it can be one.
func ParseManifest(data []byte) (*Manifest, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	m := new(Manifest)
	if err := decoder.Decode(m); err != nil {
		return nil, fmt.Errorf("reading the bundle's manifest: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("reading the bundle's manifest: something stands behind it")
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("reading the bundle's manifest: %w", err)
	}
	return m, nil
}

func (m *Manifest) check() error {
	switch {
	case m.Format != Format:
		return fmt.Errorf("it is of format %d, and this program reads format %d", m.Format, Format)
	case !plain(m.Version, maxText):
		return fmt.Errorf("%q is not a version", m.Version)
	case m.Number == 0 || m.Number > 1<<53:
		return fmt.Errorf("the version's number is %d, want 1 to 2^53", m.Number)
	case !plain(m.Board, maxText):
		return fmt.Errorf("%q is not a board's name", m.Board)
	case !printable(m.CommandLine, maxLine) || !strings.Contains(m.CommandLine, SlotMark):
		return fmt.Errorf("the command line is too long, has odd characters, or does not contain %s", SlotMark)
	case len(m.Files) > maxFiles:
		return fmt.Errorf("it has %d files, more than %d", len(m.Files), maxFiles)
	}
	seen := make(map[string]bool)
	for i, file := range m.Files {
		if seen[file.Name] || (file.Name == RootFile) != (i == 0) {
			return fmt.Errorf("file %q is there twice, or the root image is not the first", file.Name)
		}
		seen[file.Name] = true
		if err := file.check(); err != nil {
			return fmt.Errorf("file %q: %w", file.Name, err)
		}
	}
	if !seen[RootFile] || !seen[KernelFile] {
		return fmt.Errorf("it lacks %s or %s", RootFile, KernelFile)
	}
	return nil
}

func (f *FileContent) check() error {
	hash, err := hex.DecodeString(f.SHA256)
	switch {
	case !goodName(f.Name):
		return errors.New("this is no name for a file of a slot")
	case f.Size < 0 || f.Size > maxFile:
		return fmt.Errorf("it has %d bytes, want 0 to %d", f.Size, maxFile)
	case err != nil || len(hash) != sha256.Size || strings.ToLower(f.SHA256) != f.SHA256:
		return errors.New("its SHA-256 is not 64 hexadecimal digits")
	case f.Chunks.size() != f.Size:
		return fmt.Errorf("it has %d bytes, and its chunks have %d", f.Size, f.Chunks.size())
	}
	return nil
}

// goodName reports whether a file of this name can be in a slot's folder, or in a folder in it, on any FAT file system without
// being taken for another: lower-case letters, digits, and -_.+ not at the start or end of a part.
func goodName(name string) bool {
	if len(name) > maxName || path.Clean(name) != name || strings.Count(name, "/") > 1 || name == CommandLineFile || name == ManifestFile {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.Trim(part, "-_.+") != part {
			return false
		}
		for _, c := range part {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.+", c) {
				return false
			}
		}
	}
	return true
}

// plain reports whether text is 1 to limit letters, digits and -_.+, as fit for a boot menu's file.
func plain(text string, limit int) bool {
	for _, c := range text {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.+", c) {
			return false
		}
	}
	return text != "" && len(text) <= limit
}

// printable reports whether text is one line of at most limit ASCII characters.
func printable(text string, limit int) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return len(text) <= limit
}

// commandLine returns the kernel's command line in a slot.
func (m *Manifest) commandLine(slot Slot) string {
	return strings.ReplaceAll(m.CommandLine, SlotMark, slot.String())
}

// chunks returns how many chunks the files have together.
func (m *Manifest) chunks() int {
	n := 0
	for _, file := range m.Files {
		n += len(file.Chunks)
	}
	return n
}
