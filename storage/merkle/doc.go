// Package merkle keeps ordered maps as hash trees over blobs: get, edit, scan, diff, merge, prove.
//
// A map is named by its root, the hash of one node. The tree is canonical: equal content has an equal root, whatever
// edits in whatever order led to it. The empty map has no node; its root is the zero Hash. Keys are ordered as bytes.
//
// # Levels
//
// Level 0 is the sequence of all entries. It is cut into nodes, the leaves. Level 1 is the sequence of the leaves, each
// an item with the leaf's first key; it is cut into nodes again, and so on until a level is one node: the root.
//
// # Where nodes begin
//
// An item has a weight: on level 0 its key's and value's length plus 4, but at most 1025; above, 1. A level has a
// limit: 1024 on level 0, 12 above. And a key has a priority on each level: the first 8 bytes, the highest first, of the
// BLAKE2b-256 of the level as one byte and the key. Of equal priorities the later key's counts as more.
//
// Let c be the nearest item before item i that has more priority, or the level's first, and d the nearest after i that
// has more. Item i begins a node if it is the level's first, or if the items from c to before d weigh more than the
// limit. One exception: a map of at most 32 entries, none heavier than 1024 and all together at most 4096, is one leaf.
//
// It follows, for every set of keys:
//
//   - A node weighs no more than the limit, or has one item. For were it heavier, the item of most priority after its
//     first would reach over all of it, and begin a node. So a leaf of several entries has at most about 1 KiB (a small
//     map 4 KiB), and an interior node at most 12 keys and hashes: with keys of 45 bytes some 700 bytes, with keys of
//     the greatest length 13 KiB.
//   - All items of a node but the first have less priority than it and than the next node's first. So whether they
//     begin a node depends on their own node alone, and whether a first item does depends on the weights and first
//     items of the nodes around, no further away than the limit. An edit changes a few neighbours on each level, never
//     a long run of nodes.
//   - With keys that nobody chose for their hashes, nodes are half full on average, and a level has about six times
//     fewer nodes than the one below.
//
// Members of a room choose their own keys, and know this function. To make nodes smaller than they should be one needs
// runs of more than 12 keys of rising priority, which takes dozens of tries for each key; and priorities of different
// levels have nothing to do with each other, so the cost multiplies with each further level that is to be spoilt. What
// is won is small nodes in the part of the map between such keys, and the tree higher by that many levels. No choice of
// keys makes a node larger. A tree has at most 64 levels.
//
// # Nodes
//
// Numbers are unsigned, the highest byte first.
//
//	offset  size
//	     0     1  'M'
//	     1     1  level
//	     2     2  n, the number of items, at least 1
//	     4     2  p, the length of the longest prefix that all keys share (of a single item: the whole key)
//	     6     p  that prefix
//	   6+p    2n  where each item begins, from the first item's first byte; so the first is 0
//	6+p+2n        the items, in order of their keys, without gaps
//
// An item of level 0 is 2 bytes, the length of its key without the prefix; these bytes of the key; and the value, which
// ends where the next item begins. An item of a higher level is the child's hash (32 bytes), the number of entries below
// it (4), the child's weight (2; the sum of its items' weights), and its first key without the prefix.
//
// The map that has value "Alice" for key "m.name" and "" for "m.topic" is one leaf of 30 bytes:
//
//	4d 00 0002 0002 6d2e        M, level 0, 2 items, prefix of 2 bytes "m."
//	0000 000b                   items at 0 and 11
//	0004 6e616d65 416c696365    "name", "Alice"
//	0005 746f706963             "topic", ""
//
// Its root is 63c06502c50792173f38514cc30f093a1f979e752c59dc3a3e131271d6d757fe.
//
// # Reading
//
// Every node that is read is checked: that it is well-formed, and that level, weight, number of entries and first key
// are what its parent says. Otherwise, or if it is missing, the call fails with kind blob.Corrupt and names the hash.
// That a blob's bytes are those of its hash is for the store to check; a Proof checks it itself. Lookups search in a
// node's bytes where they are. There is no cache here: a caller gives a blob.Getter that has one.
package merkle
