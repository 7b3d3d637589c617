package socket

import (
	"fmt"

	"hearth/storage/blob"
)

// call is one request of the client. Until it is answered or given up it is in Client.calls, whose mutex guards
// its fields but for those of the answer: these belong to the receiving goroutine until it finishes the call.
type call struct {
	typ    byte
	id     uint32
	serial uint64 // in order of sending
	gone   bool   // nobody waits for it any more; its slot is taken until it is answered

	hashes  []blob.Hash   // of Get
	keys    []blob.RowKey // of Rows
	batch   *blob.Batch   // of Apply
	batchID blob.BatchID
	weight  int64
	body    []byte // the payload of any other request

	values [][]byte // of Get and Rows, filled up to next
	next   int
	raw    []byte // the payloads of any other answer
	err    error
	ready  chan struct{} // gets a value when the call is finished
	done   func(error)   // is called instead, if not nil
	stream *stream       // is told instead, if not nil
}

// op says in an error what was being done.
func (cl *call) op() string {
	switch cl.typ {
	case typeGet:
		return "reading blobs"
	case typeRows:
		return "reading rows"
	case typeRoot:
		return "reading root"
	case typeHistory:
		return "reading history"
	case typeRootNames:
		return "listing roots"
	case typeScan:
		return "scanning"
	case typeApply:
		return "applying batch"
	case typeVerify:
		return "verifying"
	}
	return "reading statistics"
}

// append appends the request's frame.
func (cl *call) append(b []byte) []byte {
	b, at := beginFrame(b, cl.typ, cl.id)
	switch cl.typ {
	case typeGet:
		b = appendGet(b, cl.hashes)
	case typeRows:
		b = appendRows(b, cl.keys)
	case typeApply:
		b = appendBatch(b, cl.batch, cl.batchID)
	default:
		b = append(b, cl.body...)
	}
	return endFrame(b, at)
}

// forget gives up everything that belongs to the caller.
func (cl *call) forget() {
	cl.gone = true
	cl.hashes, cl.keys, cl.batch, cl.body, cl.done = nil, nil, nil, nil, nil
}

// reset prepares the call for being sent again; it is false if that cannot be.
func (cl *call) reset() bool {
	if cl.stream != nil && cl.stream.begun() {
		return false
	}
	cl.next, cl.raw = 0, nil
	return true
}

// maxRaw is the longest answer that a client collects, of History or RootNames.
const maxRaw = 256 << 20

// receive takes the payload of one More or Done, which is the call's if owned.
func (cl *call) receive(typ byte, p []byte, owned bool) error {
	switch {
	case cl.values != nil:
		return cl.receiveValues(typ, p, owned)
	case cl.stream != nil:
		return cl.stream.push(typ, p)
	case len(cl.raw)+len(p) > maxRaw:
		return fmt.Errorf("%w: answer of more than %d bytes", errFrame, maxRaw)
	}
	cl.raw = append(cl.raw, p...)
	return nil
}

func (cl *call) receiveValues(typ byte, p []byte, owned bool) error {
	c := cursor{b: p}
	for len(c.b) > 0 && cl.next < len(cl.values) {
		v := c.opt32()
		if v != nil && !owned {
			v = append(make([]byte, 0, len(v)), v...)
		}
		cl.values[cl.next] = v
		cl.next++
	}
	if !c.end() || typ == typeDone && cl.next < len(cl.values) {
		return fmt.Errorf("%w: values in an answer", errFrame)
	}
	return nil
}
