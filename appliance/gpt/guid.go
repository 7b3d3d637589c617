package gpt

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// A GUID names a disk, a partition or a kind of partition. It is as on disk.
type GUID [16]byte

// The types of partitions that an image has: UEFI 2.10 §5.3.3, and the Discoverable Partitions Specification.
const (
	TypeEFISystem = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	TypeLinuxData = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
)

// ParseGUID reads a GUID like C12A7328-F81F-11D2-BA4B-00A0C93EC93B, in either case.
func ParseGUID(s string) (GUID, error) {
	var g GUID
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != len(g) || len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return g, fmt.Errorf("%q is not a GUID", s)
	}
	copy(g[:], b)
	return g.swapped(), nil
}

// MustParseGUID is ParseGUID of a constant.
func MustParseGUID(s string) GUID {
	g, err := ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}

// IsZero reports whether g names nothing.
func (g GUID) IsZero() bool { return g == GUID{} }

// String returns g as ParseGUID reads it, in upper case.
func (g GUID) String() string {
	b := g.swapped()
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}

// swapped turns the first three numbers from little-endian to big-endian or back.
func (g GUID) swapped() GUID {
	binary.LittleEndian.PutUint32(g[:], binary.BigEndian.Uint32(g[:]))
	binary.LittleEndian.PutUint16(g[4:], binary.BigEndian.Uint16(g[4:]))
	binary.LittleEndian.PutUint16(g[6:], binary.BigEndian.Uint16(g[6:]))
	return g
}
