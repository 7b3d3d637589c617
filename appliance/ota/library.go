package ota

import "golang.org/x/crypto/blake2b"

// A library finds chunks in the slot that runs, by the manifest of what is installed there.
type library struct {
	places map[[blake2b.Size256]byte]place
	files  []File
}

type place struct {
	file int
	at   int64
}

// library opens the running slot. A file that cannot be read has no chunks: they are sent then.
func (b *Box) library() (*library, error) {
	head, err := b.Installed(b.Running)
	if err != nil {
		return nil, err
	}
	root, err := b.Root(b.Running)
	if err != nil {
		return nil, err
	}
	l := &library{places: make(map[[blake2b.Size256]byte]place), files: []File{root}}
	for n, content := range head.Manifest.Files {
		if n > 0 {
			file, err := b.Boot.Open(b.Running.String()+"/"+content.Name, -1)
			if err != nil {
				continue
			}
			l.files = append(l.files, file)
		}
		var at int64
		for _, chunk := range content.Chunks {
			l.places[chunk.Hash] = place{len(l.files) - 1, at}
			at += int64(chunk.Size)
		}
	}
	return l, nil
}

// read reads a chunk into data, and reports whether it was there and is what it should be.
func (l *library) read(chunk Chunk, data []byte) bool {
	place, ok := l.places[chunk.Hash]
	return ok && holds(l.files[place.file], place.at, data, chunk)
}

func (l *library) close() {
	for _, file := range l.files {
		file.Close()
	}
}
