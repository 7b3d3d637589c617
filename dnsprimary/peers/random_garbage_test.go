package peers_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// TestRandomGarbage spoils questions: whatever comes, we end nothing, and say nothing that cannot be read or is too long.
func TestRandomGarbage(t *testing.T) {
	gardens, questions := 10, 400
	if long() {
		gardens, questions = 40, 2000
	}
	e := newExam(t, seed(t), gardens)
	answered := make(map[string]int)
	for i, g := range e.gardens {
		x := newExaminer(e.seed, uint64(i), g)
		for id := range questions {
			q := x.probe()
			message := spoil(x.Rand, wire(t, q.message(uint16(id))))
			reply := e.ours.answer(message, q.stream)
			if len(reply) == 0 {
				answered["nothing"]++
				continue
			}
			m := new(dns.Msg)
			if err := m.Unpack(reply); err != nil {
				t.Fatalf("%x is answered %x, which cannot be read: %v", message, reply, err)
			}
			if !q.stream && len(reply) > 1232 || !m.Response || reply[0] != message[0] || reply[1] != message[1] {
				t.Fatalf("%x is answered with %d bytes: %s", message, len(reply), m)
			}
			answered[dns.RcodeToString[m.Rcode]]++
		}
	}
	t.Log(answered)
	for _, rcode := range []string{"nothing", "FORMERR", "NOERROR", "NXDOMAIN", "REFUSED", "NOTIMP"} {
		if answered[rcode] == 0 {
			t.Errorf("nothing was answered %s: what is spoilt is of one kind only", rcode)
		}
	}
}

// spoil changes some bytes of a message, cuts it off, or puts something behind or into it.
func spoil(chance *rand.Rand, message []byte) []byte {
	for range 1 + chance.IntN(3) {
		at := chance.IntN(len(message))
		switch chance.IntN(8) {
		case 0:
			message = message[:max(at, 2)]
		case 1:
			message = append(message, byte(chance.IntN(256)))
		case 2:
			message = slices.Insert(message, max(at, 2), byte(chance.IntN(256)))
		case 3:
			message[at] = 0xc0 // a pointer, perhaps
		case 4:
			message[min(2+chance.IntN(10), len(message)-1)] ^= 1 << chance.IntN(8) // flags and counts
		default:
			message[at] ^= 1 << chance.IntN(8)
		}
	}
	return message
}
