package room

import (
	"bytes"
	"testing"
)

// The record in the package comment.
func TestDeletionRecord(t *testing.T) {
	d := Deletion{Room: 7, From: 5, Reason: "spam"}
	data := appendDeletion(nil, &d)
	if !bytes.Equal(data, []byte("\x00\x0aspam")) {
		t.Errorf("wrote %x", data)
	}
	if again, err := readDeletion(7, data); err != nil || again != d {
		t.Errorf("read %+v, %v", again, err)
	}
}

func FuzzDeletion(f *testing.F) {
	f.Add([]byte("\x01\x0aspam"))
	f.Add([]byte("\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := readDeletion(7, data)
		if err != nil {
			return
		}
		if again, err := readDeletion(7, appendDeletion(nil, &d)); err != nil || again != d {
			t.Errorf("%+v became %+v, %v", d, again, err)
		}
	})
}
