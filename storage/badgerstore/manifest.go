package badgerstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4/pb"
	"google.golang.org/protobuf/proto"

	"hearth/storage/blob"
)

// checkManifest reads Badger's list of tables more strictly than Badger does, which takes a damaged length near the
// end for the trace of a crash, and a list that is missing for an empty store. It returns the tables of the list.
//
// The file is "Bdgr", two versions of 2 bytes, and sets of changes, each preceded by its length and CRC-32C.
func checkManifest(data []byte) (map[uint64]bool, error) {
	const header = 8
	if len(data) < header || string(data[:header]) != "Bdgr\x00\x00\x00\x08" {
		return nil, errors.New("at byte 0: not a list of tables of this version")
	}
	tables := make(map[uint64]bool)
	for at := header; at < len(data); {
		rest := data[at:]
		if len(rest) < 8 {
			return tables, nil // torn by a crash
		}
		n, sum := int(binary.BigEndian.Uint32(rest)), binary.BigEndian.Uint32(rest[4:])
		if n > len(rest)-8 {
			if wholeInside(rest[8:], sum) {
				return nil, fmt.Errorf("at byte %d: a length is damaged", at)
			}
			return tables, nil // torn by a crash
		}
		if crc32.Checksum(rest[8:8+n], castagnoli()) != sum {
			return nil, fmt.Errorf("at byte %d: %w", at, errChecksum)
		}
		if err := applyChanges(tables, rest[8:8+n]); err != nil {
			return nil, fmt.Errorf("at byte %d: %w", at, err)
		}
		at += 8 + n
	}
	return tables, nil
}

// wholeInside reports whether some beginning of data has the checksum, so that only its length is wrong.
func wholeInside(data []byte, sum uint32) bool {
	got := uint32(0) // of nothing, which the first set of a new list holds
	for i := range data {
		if got == sum {
			return true
		}
		got = crc32.Update(got, castagnoli(), data[i:i+1])
	}
	return got == sum
}

func applyChanges(tables map[uint64]bool, data []byte) error {
	var set pb.ManifestChangeSet
	if err := proto.Unmarshal(data, &set); err != nil {
		return errShape
	}
	for _, c := range set.Changes {
		switch c.Op {
		case pb.ManifestChange_CREATE:
			if tables[c.Id] || c.Level > 6 {
				return errShape
			}
			tables[c.Id] = true
		case pb.ManifestChange_DELETE:
			delete(tables, c.Id)
		default:
			return errShape
		}
	}
	return nil
}

// checkFolder checks Badger's folder before Badger sees it: the list of tables, and that each table is there and has
// a sound index, without which Badger would end the process or go on without the table. It returns the tables and the
// sum of their sizes.
func checkFolder(dir string, m mark) (tables []uint64, size int64, err error) {
	path := filepath.Join(dir, "MANIFEST")
	data, err := os.ReadFile(path)
	if err != nil && (m.made || !errors.Is(err, os.ErrNotExist)) {
		return nil, 0, &blob.Error{Kind: blob.Corrupt, Op: "reading " + path, Err: err}
	}
	if err != nil {
		return nil, 0, nil // a new store
	}
	list, err := checkManifest(data)
	if err == nil && m.clean && (m.size != uint64(len(data)) || m.sum != crc32.Checksum(data, castagnoli())) {
		err = errors.New("it is not as it was when the store was closed")
	}
	if err != nil {
		return nil, 0, &blob.Error{Kind: blob.Corrupt, Op: "reading " + path, Err: err}
	}
	var c tableChecker
	for id := range list {
		n, err := c.checkIndex(tablePath(dir, id))
		if err != nil {
			return nil, 0, err
		}
		tables, size = append(tables, id), size+n
	}
	return tables, size, nil
}

// checkIndex checks that a table file is there and its index sound, and returns its size.
func (c *tableChecker) checkIndex(path string) (int64, error) {
	corrupt := func(err error) error { return &blob.Error{Kind: blob.Corrupt, Op: "reading " + path, Err: err} }
	f, err := os.Open(path)
	if err != nil {
		return 0, corrupt(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, corrupt(err)
	}
	if _, err := c.readIndex(f, info.Size()); err != nil {
		return 0, corrupt(err)
	}
	return info.Size(), nil
}
