package boot

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
)

// Of <linux/input.h> and <linux/input-event-codes.h>: an event has 24 bytes, of which the first 16 are its time.
const (
	eventSize = 24
	eventKey  = 1
	keyPower  = 116
)

// PowerButton calls pressed each time that one of the machine's power buttons is pressed. It listens to the buttons that
// there are now, for as long as the machine runs.
func PowerButton(devices string, pressed func()) {
	files, _ := filepath.Glob(devices) // the pattern is well formed
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			continue
		}
		go func() { // until the device is gone
			defer file.Close()
			listen(file, pressed)
		}()
	}
}

func listen(r io.Reader, pressed func()) {
	event := make([]byte, eventSize)
	for {
		if _, err := io.ReadFull(r, event); err != nil {
			return
		}
		kind, code, value := binary.NativeEndian.Uint16(event[16:]), binary.NativeEndian.Uint16(event[18:]), binary.NativeEndian.Uint32(event[20:])
		if kind == eventKey && code == keyPower && value == 1 {
			pressed()
		}
	}
}
