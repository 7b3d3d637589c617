// Package wire speaks Matrix over HTTP, at both ends: bodies, errors, request signatures, a small client.
//
// # The server's end
//
// A [Mux] finds the [Handler] of a request, answers for endpoints and methods
// that do not exist, answers pre-flight requests, and writes the error that a
// handler returns. A handler reads its body with [ReadObject] or [Read], its
// access token with [Token], its query with [Int], [Bool] and [String], and
// answers with [Answer], [Raw] or, when the answer is large, a [Stream].
//
//	mux := &wire.Mux{CORS: true}
//	mux.Handle("PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}",
//		func(w http.ResponseWriter, r *http.Request) error {
//			content, err := wire.ReadObject(w, r, 65536)
//			if err != nil {
//				return err
//			}
//			...
//			return wire.Answer(w, sent{EventID: id})
//		})
//
// What goes wrong is always a [*matrix.Error] on the wire. Any other error is
// answered as M_UNKNOWN with status 500, without its text, and given to
// Mux.Failed, which alone may log it.
//
// # The client's end
//
// A [Client] calls the Client-Server API; its methods are named after the
// endpoints. Everything a server refuses comes back as a [*matrix.Error].
//
// # Requests between servers
//
// A request from server to server carries the header
//
//	Authorization: X-Matrix origin="a.example",destination="b.example",key="ed25519:1",sig="..."
//
// where sig is the unpadded Base64 of the Ed25519 signature of the canonical
// JSON
//
//	{"content":{...},"destination":"b.example","method":"PUT","origin":"a.example","uri":"/_matrix/..."}
//
// without "content" when the request has no body, and without "destination"
// when the header, from an old server, has none. [Sign] makes the header,
// [ParseAuthorization] reads it, [Authorization.Verify] checks it.
//
// Invariants:
//   - Nothing is decoded before its size is known to be within the limit.
//   - A JSON body has one value, valid UTF-8, bounded depth; member names match
//     exactly, and no name occurs twice at the top.
//   - No redirect is ever answered: a path is what the client wrote.
//   - No token, key or body appears in an error.
package wire
