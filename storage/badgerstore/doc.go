// Package badgerstore is the store of package blob on Badger, with a log of its own in front.
//
// Badger keeps the sorted tables. What is durable, and when, is decided here: waiting batches are put together into a
// group, the group is appended to our log as one record and synced once, then it is handed to Badger, which is told not
// to sync and whose own write-ahead log is thrown away when the store is opened. So a group costs one write and one
// sync whatever it holds, a batch of any size is atomic, a full disk is noticed by a write that fails and not by a
// memory map that kills the process, and each byte that recovery depends on is specified here and carries a checksum.
//
// # The folder
//
//	lock         taken while a process has the store open
//	mark         what the log must contain; two slots of 512 bytes, written in turn
//	log-00000001 segments of the log, in order; none after a clean close
//	reserve      space set aside so that a full disk can still be closed and opened
//	lsm/         Badger's folder: MANIFEST and *.sst are read, all else is thrown away at open
//
// # A record of the log
//
// Integers are big-endian. A record begins at a multiple of 512 bytes and is padded with zeros to one (to a multiple
// of the disk's block where that is larger). A segment holds records of consecutive numbers; what follows the last is
// zeros, older records of another segment number, or a record that was never finished.
//
//	 0  4  "hlg1"
//	 4  4  CRC-32C of all that follows, padding included
//	 8  8  the store's salt, from mark: bytes that a client stored cannot pass for a record
//	16  8  number of the segment
//	24  8  number of the group: 1 for the store's first, and one more for each
//	32  4  length of the operations
//	36  4  length of the whole record, padding included
//	40     operations
//
// An operation is the length of the key, the key, one more than the length of the value (0 deletes), the value;
// lengths are unsigned varints. Deleting "k" and setting "l" to "xy" as group 7 of segment 1, salt 9:
//
//	686c6731 191f5df1 0000000000000009 0000000000000001 0000000000000007 00000008 00000200
//	01 6b 00  01 6c 03 7879
//
// # Keys and values in Badger
//
// ns, table and name are the texts themselves, 00 a zero byte; a name of a root in "h" is preceded by its length.
//
//	'b' ns 00 hash             a blob
//	'r' ns 00 table 00 key     a row
//	't' 'b' or 'r' ...         the end of a value that is longer than 2^20-64 bytes
//	'c' ns 00 name             a root's current commit
//	'h' ns 00 len name seq     a commit that was kept
//	's' ns 00 session          the last batches of a session
//
// A value is a byte 0, or 1 if its end is under 't', and the data; but for blobs, which are checked by their hash,
// that is preceded by the CRC-32C of the key and of all that follows the checksum. The row 'a' of table "t" in
// namespace "n" with value "v" is
//
//	key 72 6e00 7400 61, value 66c650c2 00 76
//
// # Invariants
//
//   - A group is acknowledged after its record was synced and Badger can read it.
//   - A segment is given up only when Badger has synced tables that hold all of it.
//   - mark names the oldest group that the log must hold and, without a sync, the newest acknowledged one. So a
//     record that is missing or damaged is told from one that was torn by a crash before anybody relied on it.
//   - Badger merges tables only after all blocks of all tables were checked since the store was opened, because it
//     passes over damaged blocks in silence. Until then, and for good if a block is damaged, nothing is merged, and
//     reads that a damaged block could answer fail and name its file.
//   - Nothing is written unless the disk has room for all that Badger may have to write on its own. Badger writes
//     tables by memory, so if another program takes that room within the moment in which a table is written, the
//     kernel ends the process; what was acknowledged is in the log.
package badgerstore
