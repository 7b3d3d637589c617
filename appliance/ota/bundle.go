package ota

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"golang.org/x/crypto/blake2b"
)

// A Source is a file that goes into a bundle.
type Source struct {
	Name string
	Open func() (io.ReadCloser, error) // called twice; both times with the same content
}

// Write makes a bundle of a manifest whose Format and Files it fills in, signed by the owner's key. The sources may come in
// any order but for the root image, which is the first.
func Write(w io.Writer, m Manifest, sources []Source, owner ed25519.PrivateKey) error {
	head, err := Seal(m, sources, owner)
	if err != nil {
		return err
	}
	if _, err := w.Write(head.raw); err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	for i, source := range sources {
		file := head.Manifest.Files[i]
		if err := copySource(w, source, file); err != nil {
			return fmt.Errorf("writing %s into the bundle: %w", file.Name, err)
		}
	}
	return nil
}

// Seal returns the head of the bundle that Write makes, which an image has in the folder of its slot too.
func Seal(m Manifest, sources []Source, owner ed25519.PrivateKey) (*Head, error) {
	m.Format, m.Files = Format, nil
	for _, source := range sources {
		content, err := describe(source)
		if err != nil {
			return nil, fmt.Errorf("reading %s for the bundle: %w", source.Name, err)
		}
		m.Files = append(m.Files, *content)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("making a bundle's manifest: %w", err)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("making a bundle's manifest: %w", err)
	}
	raw := binary.BigEndian.AppendUint32([]byte(magic), uint32(len(text)))
	raw = append(raw, text...)
	signature := ed25519.Sign(owner, raw)
	signer := owner.Public().(ed25519.PublicKey)
	raw = append(append(raw, signer...), signature...)
	if len(raw) > MaxHead {
		return nil, fmt.Errorf("making a bundle's manifest: it has %d bytes, more than %d", len(raw), MaxHead)
	}
	return &Head{Manifest: &m, Signer: signer, raw: raw}, nil
}

func describe(source Source) (*FileContent, error) {
	in, err := source.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	f := &FileContent{Name: source.Name, Chunks: Chunks{}}
	whole := sha256.New()
	err = split(io.TeeReader(in, whole), func(c Chunk) error {
		f.Chunks, f.Size = append(f.Chunks, c), f.Size+int64(c.Size)
		return nil
	})
	f.SHA256 = hex.EncodeToString(whole.Sum(nil))
	return f, err
}

func copySource(w io.Writer, source Source, want FileContent) error {
	in, err := source.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	whole := sha256.New()
	if _, err := io.Copy(w, io.TeeReader(in, whole)); err != nil {
		return err
	}
	return sameHash(whole, want)
}

func sameHash(h hash.Hash, want FileContent) error {
	if hex.EncodeToString(h.Sum(nil)) != want.SHA256 {
		return errors.New("its content is not what the manifest says")
	}
	return nil
}

// A Bundle is a whole bundle that can be read from anywhere.
type Bundle struct {
	*Head
	content io.ReaderAt
}

// Open reads the head of a bundle of size bytes, and checks that all is there and nothing more. Verify checks the content.
func Open(r io.ReaderAt, size int64) (*Bundle, error) {
	head, err := ReadHead(bufio.NewReader(io.NewSectionReader(r, 0, size)))
	if err != nil {
		return nil, err
	}
	want := int64(len(head.raw))
	for _, file := range head.Manifest.Files {
		want += file.Size
	}
	switch {
	case size < want:
		return nil, fmt.Errorf("the bundle is cut short: it has %d bytes of %d", size, want)
	case size > want:
		return nil, fmt.Errorf("%d bytes that do not belong to it stand behind the bundle", size-want)
	}
	return &Bundle{Head: head, content: io.NewSectionReader(r, int64(len(head.raw)), size-int64(len(head.raw)))}, nil
}

// Verify reads the whole bundle and compares it with its manifest.
func (b *Bundle) Verify() error {
	var at int64
	for _, file := range b.Manifest.Files {
		if err := verify(b.content, at, file); err != nil {
			return fmt.Errorf("checking %s of the bundle: %w", file.Name, err)
		}
		at += file.Size
	}
	return nil
}

// verify compares what r holds from an offset on with what a file must hold.
func verify(r io.ReaderAt, at int64, want FileContent) error {
	whole := sha256.New()
	buffer := make([]byte, GreatestChunk)
	for _, chunk := range want.Chunks {
		data := buffer[:chunk.Size]
		if _, err := r.ReadAt(data, at); err != nil && err != io.EOF {
			return err
		}
		if blake2b.Sum256(data) != chunk.Hash {
			return errors.New("its content is not what the manifest says")
		}
		whole.Write(data)
		at += int64(chunk.Size)
	}
	return sameHash(whole, want)
}

// A Range is the chunks from From up to but not including To, counted through all files of a bundle.
type Range struct{ From, To int }

// Chunks returns the content of the chunks of some ranges, one after the other, and how many bytes that is.
func (b *Bundle) Chunks(ranges []Range) (io.Reader, int64, error) {
	var ends []int64 // of each chunk, in the content
	var end int64
	for _, file := range b.Manifest.Files {
		for _, chunk := range file.Chunks {
			end += int64(chunk.Size)
			ends = append(ends, end)
		}
	}
	var parts []io.Reader
	var bytes int64
	last := 0
	for _, r := range ranges {
		if r.From < last || r.To <= r.From || r.To > len(ends) {
			return nil, 0, fmt.Errorf("the box asked for the chunks %d to %d, of %d", r.From, r.To, len(ends))
		}
		last = r.To
		var start int64
		if r.From > 0 {
			start = ends[r.From-1]
		}
		parts = append(parts, io.NewSectionReader(b.content, start, ends[r.To-1]-start))
		bytes += ends[r.To-1] - start
	}
	return io.MultiReader(parts...), bytes, nil
}
