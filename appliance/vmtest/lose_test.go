package vmtest_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// newVolume returns an empty disk of 64 sectors.
func newVolume(t *testing.T) *volume {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(name, make([]byte, 64*sector), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := openVolume(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.file.Close() })
	return v
}

func filled(with byte, sectors int) []byte { return bytes.Repeat([]byte{with}, sectors*sector) }

func (v *volume) mustWrite(t *testing.T, with byte, sectors int, at int64, forced bool) {
	t.Helper()
	if powered, err := v.write(filled(with, sectors), at*sector, forced); !powered || err != nil {
		t.Fatalf("writing: %v, %v", powered, err)
	}
}

// holds returns the first byte of each sector.
func (v *volume) holds(t *testing.T, sectors int) []byte {
	t.Helper()
	data := make([]byte, sectors*sector)
	if err := v.read(data, 0); err != nil {
		t.Fatal(err)
	}
	var first []byte
	for i := 0; i < len(data); i += sector {
		first = append(first, data[i])
	}
	return first
}

func TestOnlyWhatIsFlushedLasts(t *testing.T) {
	v := newVolume(t)
	v.mustWrite(t, 1, 4, 0, false)
	if powered, err := v.flush(); !powered || err != nil {
		t.Fatal(powered, err)
	}
	v.mustWrite(t, 2, 2, 0, false)
	v.mustWrite(t, 3, 1, 3, true)
	if got := v.holds(t, 5); !bytes.Equal(got, []byte{2, 2, 1, 3, 0}) {
		t.Errorf("with power it holds %v", got)
	}
	if _, err := v.lose(rand.New(rand.NewPCG(1, 1)), 1); err != nil {
		t.Fatal(err)
	}
	if got := v.holds(t, 5); !bytes.Equal(got, []byte{1, 1, 1, 3, 0}) {
		t.Errorf("after a loss of power it holds %v", got)
	}
}

func TestALiarLosesWhatWasFlushed(t *testing.T) {
	v := newVolume(t)
	v.deafen()
	v.mustWrite(t, 1, 1, 0, true)
	if powered, err := v.flush(); !powered || err != nil {
		t.Fatal(powered, err)
	}
	if _, err := v.lose(rand.New(rand.NewPCG(1, 1)), 1); err != nil {
		t.Fatal(err)
	}
	if got := v.holds(t, 1); got[0] != 0 {
		t.Errorf("what was flushed has lasted: %v", got)
	}
}

// TestAnySubsetOfSectorsMayBeLost sees that a write of several sectors is torn, and that each of two writes may be the one that lasts.
func TestAnySubsetOfSectorsMayBeLost(t *testing.T) {
	luck := rand.New(rand.NewPCG(1, 1))
	seen := make(map[[2]byte]bool)
	for range 500 {
		v := newVolume(t)
		v.mustWrite(t, 1, 2, 0, false)
		v.mustWrite(t, 2, 2, 0, false)
		if _, err := v.lose(luck, 0.5); err != nil {
			t.Fatal(err)
		}
		seen[[2]byte(v.holds(t, 2))] = true
	}
	if len(seen) != 9 {
		t.Errorf("%d of the 9 ways to lose two writes of two sectors happen: %v", len(seen), seen)
	}
}

func TestPowerFailsAtAnEventAndStaysAway(t *testing.T) {
	v := newVolume(t)
	v.failAfter(2)
	v.mustWrite(t, 1, 1, 0, false)
	if powered, _ := v.flush(); powered {
		t.Error("the flush at which power fails is acknowledged")
	}
	if powered, _ := v.write(filled(2, 1), 0, true); powered {
		t.Error("there is power after it has failed")
	}
	select {
	case <-v.failure():
	default:
		t.Error("nobody is told that power has failed")
	}
	if _, err := v.lose(rand.New(rand.NewPCG(1, 1)), 1); err != nil {
		t.Fatal(err)
	}
	v.mustWrite(t, 3, 1, 0, false)
	if got := v.holds(t, 1); got[0] != 3 {
		t.Errorf("with power again it holds %v", got)
	}
}

// TestNBD speaks the protocol as a client does.
func TestNBD(t *testing.T) {
	v := newVolume(t)
	client, server := net.Pipe()
	ended := make(chan error)
	go func() { ended <- v.serve(server) }()
	in := bufio.NewReader(client)
	receive := func(want ...any) {
		t.Helper()
		for _, value := range want {
			got := make([]byte, binary.Size(value))
			if _, err := io.ReadFull(in, got); err != nil {
				t.Fatal(err)
			}
			expected := new(bytes.Buffer)
			if err := binary.Write(expected, binary.BigEndian, value); err != nil || !bytes.Equal(got, expected.Bytes()) {
				t.Fatalf("received %x, want %x", got, expected)
			}
		}
	}
	send := func(values ...any) {
		t.Helper()
		message := new(bytes.Buffer)
		for _, value := range values {
			if err := binary.Write(message, binary.BigEndian, value); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Write(message.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	receive(uint64(nbdMagic), uint64(optionMagic), uint16(newStyle))
	send(uint32(newStyle), uint64(optionMagic), uint32(8), uint32(0))
	receive(uint64(replyMagic), uint32(8), uint32(unsupported), uint32(0))
	send(uint64(optionMagic), uint32(optionGo), uint32(6), [6]byte{})
	receive(uint64(replyMagic), uint32(optionGo), uint32(replyInfo), uint32(12), uint16(0), uint64(64*sector), uint16(canFlush))
	receive(uint64(replyMagic), uint32(optionGo), uint32(replyAck), uint32(0))
	send(uint32(requestMagic), uint16(0), uint16(commandWrite), uint64(7), uint64(sector), uint32(sector), filled(9, 1))
	receive(uint32(answerMagic), uint32(0), uint64(7))
	send(uint32(requestMagic), uint16(0), uint16(commandRead), uint64(8), uint64(0), uint32(2*sector))
	receive(uint32(answerMagic), uint32(0), uint64(8), filled(0, 1), filled(9, 1))
	send(uint32(requestMagic), uint16(0), uint16(commandWrite), uint64(9), uint64(64*sector), uint32(sector), filled(9, 1))
	receive(uint32(answerMagic), uint32(5), uint64(9)) // EIO: beyond the end
	send(uint32(requestMagic), uint16(0), uint16(commandFlush), uint64(10), uint64(0), uint32(0))
	receive(uint32(answerMagic), uint32(0), uint64(10))
	send(uint32(requestMagic), uint16(0), uint16(commandEnd), uint64(0), uint64(0), uint32(0))
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
