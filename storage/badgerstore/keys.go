package badgerstore

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"hearth/storage/blob"
)

// The first byte of a key in Badger.
const (
	kindBlob    = 'b'
	kindCommit  = 'c'
	kindHistory = 'h'
	kindRow     = 'r'
	kindSession = 's'
	kindTail    = 't'
)

func appendSpace(buf []byte, kind byte, ns string) []byte {
	buf = append(buf, kind)
	buf = append(buf, ns...)
	return append(buf, 0)
}

func appendBlobKey(buf []byte, ns string, h blob.Hash) []byte {
	return append(appendSpace(buf, kindBlob, ns), h[:]...)
}

func appendRowKey(buf []byte, ns, table string, key []byte) []byte {
	buf = append(appendSpace(buf, kindRow, ns), table...)
	buf = append(buf, 0)
	return append(buf, key...)
}

func appendCommitKey(buf []byte, ns, name string) []byte {
	return append(appendSpace(buf, kindCommit, ns), name...)
}

func appendHistoryKey(buf []byte, ns, name string, seq uint64) []byte {
	buf = append(appendSpace(buf, kindHistory, ns), byte(len(name)))
	buf = append(buf, name...)
	return binary.BigEndian.AppendUint64(buf, seq)
}

func appendSessionKey(buf []byte, ns string, session [16]byte) []byte {
	return append(appendSpace(buf, kindSession, ns), session[:]...)
}

func tailKey(key []byte) []byte { return append([]byte{kindTail}, key...) }

// describe names the thing under a key of Badger as blob.Damage does.
func describe(key []byte) (what, name string) {
	unknown := func() (string, string) { return "row", "unreadable key " + hex.EncodeToString(key) }
	if len(key) == 0 {
		return unknown()
	}
	kind := key[0]
	_, rest, ok := bytes.Cut(key[1:], []byte{0})
	if !ok {
		return unknown()
	}
	switch kind {
	case kindBlob:
		return "blob", hex.EncodeToString(rest)
	case kindCommit:
		return "root", string(rest)
	case kindHistory:
		if len(rest) == 0 || len(rest) != 1+int(rest[0])+8 {
			return unknown()
		}
		name := rest[1 : 1+int(rest[0])]
		return "root", fmt.Sprintf("%s, commit %d", name, binary.BigEndian.Uint64(rest[1+len(name):]))
	case kindRow:
		table, key, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			return unknown()
		}
		return "row", string(table) + "/" + hex.EncodeToString(key)
	case kindSession:
		return "row", "session " + hex.EncodeToString(rest)
	}
	return unknown()
}
