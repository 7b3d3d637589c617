// Package fat32 builds FAT32 volumes with long file names, and reads them.
//
// The format is Microsoft's FAT32 File System Specification 1.03 of 2000; sectors are 512 bytes, numbers little-endian.
// A volume is
//
//	sector        what
//	0             boot sector
//	1             FSInfo: how many clusters are free and where to look for them
//	6, 7          copies of both
//	32            the file allocation table, 4 bytes for each cluster
//	32 + f        a copy of the table
//	32 + 2f       cluster 2, the first of the root directory; then cluster 3, and so on
//
// where f is a multiple of 8 so that clusters are aligned to 4 KiB. A table entry is the next cluster of the same file, or
// 0fffffff at its end, or zero if the cluster is free; entries 0 and 1 hold the medium, 0ffffff8, and 0fffffff: cleanly
// unmounted. The volume is FAT32, and no other FAT, because it has at least 65,525 clusters; so clusters are as large as
// that allows, up to 4 KiB (8 KiB from 8 GiB on, doubling with the size).
//
// A directory is a list of entries of 32 bytes:
//
//	0  11  short name: 8 characters and 3, padded with spaces       20  2  first cluster, upper half
//	11  1  attributes: 08 label, 10 directory, 20 file               22  2  time: hour<<11 | minute<<5 | second/2
//	12  2  zero                                                      24  2  date: (year-1980)<<9 | month<<5 | day
//	14  4  time and date of creation, as at 22                       26  2  first cluster, lower half
//	18  2  date of last access                                       28  4  size in bytes, zero for a directory
//
// and every directory but the root begins with `.` (itself) and `..` (its parent, as cluster zero if that is the root). A
// name that is not of 8 and 3 capital letters, digits and some signs comes before its entry in as many entries as it
// needs of 13 characters each, last part first:
//
//	0   1  number of the part, from 1; 40 is added for the last one   13  1  sum over the short name
//	1  10  5 characters of UTF-16                                     14 12  6 characters
//	11  1  0f                                                         28  4  2 characters
//
// padded with a zero and then ffff. The sum of the eleven bytes is taken byte by byte: rotate right by one, add. For
// example cmdline.txt in 2026, whose own short name is CMDLINE TXT, has the part
//
//	41 63 00 6d 00 64 00 6c 00 69 00 0f 00 94 6e 00 65 00 2e 00 74 00 78 00 74 00 00 00 00 00 ff ff
//
// # Volumes that Write makes
//
// Files are in consecutive clusters, in the order of their paths, each directory before what is in it. All times are
// arguments, taken as they are in UTC. Only what is not zero is written: the target must read as zeros.
package fat32

import (
	"fmt"
	"io"
	"time"
)

const (
	sector           = 512
	reserved         = 32 // sectors before the first table
	backupBoot       = 6
	entrySize        = 32
	minClusters      = 65525 // with fewer a volume is FAT16
	maxClusters      = 0x0ffffff5 - 2
	maxDirectory     = 65536 * entrySize
	rootCluster      = 2
	endOfChain       = 0x0fffffff
	medium           = 0xf8
	attrLabel        = 0x08
	attrDirectory    = 0x10
	attrFile         = 0x20
	attrLongName     = 0x0f
	preferredCluster = 8 // sectors
)

// A File is a file or a directory of a volume to be written.
type File struct {
	Path      string    // slashed, without a slash at the start; directories on the way need no File of their own
	Data      []byte    // empty if it is a directory
	Directory bool      // may be empty
	Time      time.Time // last written; zero means the volume's
}

// Options are what a volume is, besides its files.
type Options struct {
	Size  int64     // in bytes, a multiple of 512; at least 34 MiB
	Start int64     // where on its disk the volume will be, in bytes; firmware that boots from it by BIOS calls needs it
	Label string    // at most 11 capital letters, digits, spaces
	ID    uint32    // shown as XXXX-XXXX
	Time  time.Time // of the label, and of files without one; from 1980 to 2107
}

// Write writes a volume with the files to w, which must read as zeros.
func Write(w io.WriterAt, files []File, o Options) error {
	g, err := o.geometry()
	if err != nil {
		return err
	}
	root, err := tree(files, o.Time)
	if err != nil {
		return fmt.Errorf("building a FAT32 volume: %w", err)
	}
	v := &volume{w: w, o: o, g: g, next: rootCluster}
	if err := v.write(root); err != nil {
		return fmt.Errorf("building a FAT32 volume: %w", err)
	}
	return nil
}

// geometry is how a volume is divided.
type geometry struct {
	sectors  int64 // of the volume
	table    int64 // sectors of one file allocation table
	before   int64 // sectors before the first cluster
	cluster  int64 // sectors of a cluster
	clusters int64 // how many there are
}

// data returns the first byte of a cluster.
func (g geometry) data(cluster uint32) int64 {
	return (g.before + int64(cluster-rootCluster)*g.cluster) * sector
}

func (g geometry) clusterSize() int64 { return g.cluster * sector }

// geometry divides a volume into the largest clusters that leave it a FAT32 one.
func (o Options) geometry() (geometry, error) {
	if o.Size%sector != 0 || o.Size < 0 || o.Size/sector > 1<<32-1 || o.Start%sector != 0 || o.Start < 0 {
		return geometry{}, fmt.Errorf("a FAT32 volume cannot have %d bytes from %d", o.Size, o.Start)
	}
	cluster := int64(preferredCluster)
	for limit := int64(8 << 30); o.Size >= limit && cluster < 64; limit *= 2 {
		cluster *= 2
	}
	for ; cluster > 0; cluster /= 2 {
		g := divide(o.Size/sector, cluster)
		// The specification advises to stay clear of the limit, since others count differently.
		if g.clusters >= minClusters+16 && g.clusters <= maxClusters-16 {
			return g, nil
		}
	}
	return geometry{}, fmt.Errorf("%d bytes are too few for a FAT32 volume", o.Size)
}

func divide(sectors, cluster int64) geometry {
	g := geometry{sectors: sectors, cluster: cluster}
	for {
		g.before = reserved + 2*g.table
		g.clusters = (sectors - g.before) / cluster
		need := ((g.clusters+rootCluster)*4 + sector - 1) / sector
		need = (need + 7) / 8 * 8
		if g.clusters <= 0 || need <= g.table {
			return g
		}
		g.table += 8
	}
}
