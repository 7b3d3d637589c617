package timeline

import (
	"strconv"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// Hole is a place in rendered events for an event's age or for its transaction id.
type Hole struct {
	At     int    // the index in the rendering before which it goes
	Time   int64  // of an age: origin_server_ts in ms
	Txn    string // the transaction id; "" for an age
	Device string // that sent the event, of a transaction id
}

func (v *View) appendAge(dst []byte, e *store.Event) []byte {
	if v.Holes != nil {
		*v.Holes = append(*v.Holes, Hole{At: len(dst), Time: e.Time})
		return dst
	}
	return strconv.AppendInt(dst, max(0, v.Now-e.Time), 10)
}

// appendTransaction writes the transaction id of an event of the user's own, for the device that sent it.
func (v *View) appendTransaction(dst []byte, e *store.Event) []byte {
	if v.Holes != nil {
		*v.Holes = append(*v.Holes, Hole{At: len(dst), Device: e.Device, Txn: e.Txn})
		return dst
	}
	if e.Device != v.Device {
		return dst
	}
	return appendTxn(dst, e.Txn)
}

func appendTxn(dst []byte, txn string) []byte {
	return matrix.AppendString(append(dst, `,"transaction_id":`...), txn)
}

// Fill appends a rendering whose holes were collected, for a device that reads it now, in ms since 1970.
func Fill(dst, rendering []byte, holes []Hole, now int64, device string) []byte {
	at := 0
	for i := range holes {
		h := &holes[i]
		dst = append(dst, rendering[at:h.At]...)
		at = h.At
		switch {
		case h.Txn == "":
			dst = strconv.AppendInt(dst, max(0, now-h.Time), 10)
		case h.Device == device:
			dst = appendTxn(dst, h.Txn)
		}
	}
	return append(dst, rendering[at:]...)
}
