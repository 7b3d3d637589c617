// Package socket is the local protocol between a program and its storage over a unix socket: its specification, the client and the server.
//
// # The idea
//
// One connection carries any number of requests at once. Each request is one frame with an id that the client
// chooses, each is answered by one or more frames with that id, and answers come in any order. So the price of a
// call is a few bytes and a share of a system call. What is large is cut into frames that do not hold others up.
//
// # Connecting
//
// The client connects and sends Hello, which names the protocol's version, one namespace, and the session that the
// client drew at random when it was made. The server asks the kernel who the peer is (SO_PEERCRED), and answers
// Done, or Error with kind Denied if that user may not open the namespace, with kind Invalid if it does not speak
// the version. After Error it closes the connection. Nothing else may be sent before the answer has come.
//
// A session has one connection. If the same user has another one with this session, it is lost: before the server
// answers Hello it ends that one, and waits until each of its batches was applied or dropped.
//
// # Frames
//
// Integers are unsigned and big-endian. A frame is
//
//	4  length of what follows: 5 + the payload's length
//	1  type
//	4  request id: 0 for Hello, else any number that no unanswered request of this connection has
//	…  payload
//
// In payloads, str8 and str16 are a length of 1 or 2 bytes and so many bytes; bytes32 is a length of 4 bytes and
// so many bytes; opt32 is 4 bytes that are 0 for what is absent and else 1 + the length, and so many bytes; a
// hash is 32 bytes; a time is milliseconds since 1970 in 8 bytes, in two's complement.
//
// Requests, and the payload of their answers:
//
//	type            payload                                                    answer
//	01 Hello        "hearth", version (2), session (16), namespace str8        version (2), now 1
//	02 Get          count (2), count × hash                                    count × opt32
//	03 Rows         count (2), count × (table str8, key str16)                 count × opt32
//	04 Root         name str8                                                  nothing, or a commit
//	05 History      name str8, limit (4)                                       commits
//	06 RootNames    prefix str8                                                names, each str8
//	07 Scan         flags (1: 1 reverse, 2 from is given, 4 to is given),      rows, each key str16, value bytes32
//	                limit (8; 0 is none), table str8, from str16, to str16
//	08 Apply        a batch                                                    nothing
//	09 Verify       nothing                                                    More: damages; Done: the counts
//	0a Stats        nothing                                                    the stats
//	0b Credit       bytes (4)                                                  is not answered
//	0c Cancel       nothing                                                    is not answered itself
//
// Answers:
//
//	80 More         a part of the answer, others follow; only whole items are in a part
//	81 Done         the answer, or its last part
//	82 Error        kind (1: the number of a blob.Kind), what was being done str16, the cause str16
//
// Every request is answered by any number of More and then exactly one Done or Error, a cancelled one too.
//
//	commit          hash, parent hash, seq (8), time (8), message str16
//	damage          what str8, name str16, detail str16
//	counts          blobs, rows, roots, bytes, damaged (8 each)
//	stats           batches, groups, reads, logical bytes, bytes written to the disk, size of the store,
//	                50th and 99th percentile of a commit in nanoseconds (8 each)
//	batch           session (16), seq (8), number of blobs, rows and root edits (4 each), then these:
//	blob            bytes32
//	row             table str8, key str16, value opt32 (absent deletes the row)
//	root edit       name str8, old hash, new hash, flags (1: 1 keep), time (8), message str16
//
// # Limits
//
// The limits of package blob hold. A payload is at most 64 bytes in Hello, 131,074 in Get, 4,337,666 in Rows,
// 5 MiB in Apply, 4 KiB in any other request, 2 MiB in an answer. A peer checks the length before it makes room
// for the payload, and the numbers of items before it makes room for the items.
//
// At most 256 long requests may be unanswered on a connection: these are Scan, Verify, History, RootNames, Stats,
// and Get and Rows of more than 16 items. One more is answered with kind TooLarge. At most 256 batches may be
// unanswered; beyond that, or beyond 16 MiB of them, the server reads no further until some are answered.
//
// A frame that breaks these rules ends the connection. The server first says why in an Error with id 0.
//
// # Order
//
// Batches of one connection are handed to the store in the order of their frames. Nothing else is ordered: a
// read sees a batch for certain only if it was sent after the batch's answer arrived.
//
// # Back-pressure
//
// A Scan or Verify begins with a credit of 262,144 bytes. The server sends a part while credit is left and takes
// the payload's length off it, so the last part may overdraw it. The client gives credit back as it consumes.
// Anything else is asked for by somebody who waits for all of it, so the client's reader never stops for long;
// the server stops reading requests while a client does not read its answers.
//
// # Losing the connection
//
// The client connects again and resends what is unanswered, batches in their old order under their old ids
// (blob.BatchID: the session and a sequence number), which the store applies once.
// A Scan or Verify of which a part has arrived cannot be resumed, as its snapshot is gone: it fails with kind
// Unavailable. A server that shuts down answers the batches that it handed to the store, drops the others, and
// closes the connection.
//
// # Example
//
// A client (>) opens the namespace "demo", stores the blob "hi" and the row "k" = "v" of table "t" in one batch,
// reads the blob, reads this row and one that is absent, scans the table, and asks for a root without a name, which
// the server (<) answers with kind Invalid, "checking root name" and "0 bytes, want 1 to 255". In hexadecimal, one
// frame a line:
//
//	> 00000022 01 00000000 686561727468 0001 000102030405060708090a0b0c0d0e0f 04 64656d6f
//	< 00000007 81 00000000 0001
//	> 00000039 08 00000001 000102030405060708090a0b0c0d0e0f 0000000000000001 00000001 00000001 00000000 00000002 6869 01 74 0001 6b 00000002 76
//	< 00000005 81 00000001
//	> 00000027 02 00000002 0001 6815cb4aeb1580a91ef673e63ff03bdb6e855c3a896db3f2765e03281a61134a
//	< 0000000b 81 00000002 00000003 6869
//	> 00000011 03 00000003 0002 01 74 0001 6b 01 74 0001 78
//	< 0000000e 81 00000003 00000002 76 00000000
//	> 00000014 07 00000004 00 0000000000000000 01 74 0000 0000
//	< 0000000d 81 00000004 0001 6b 00000001 76
//	> 00000006 04 00000005 00
//	< 00000032 82 00000005 05 0012 636865636b696e6720726f6f74206e616d65 0016 302062797465732c2077616e74203120746f20323535
package socket
