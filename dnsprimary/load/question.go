package main

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/miekg/dns"
)

// origin is the zone that is served.
const origin = "bench.example."

// writeZone writes a zone of n names in master-file syntax.
func writeZone(w io.Writer, n int) error {
	_, err := fmt.Fprintf(w, "$ORIGIN %s\n$TTL 3600\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n", origin)
	for i := range n - 2 {
		if err == nil {
			_, err = fmt.Fprintf(w, "%s A 10.%d.%d.%d\n", host(i), i>>16, i>>8&255, i&255)
		}
	}
	return err
}

func host(i int) string { return fmt.Sprintf("host-%06d", i) }

// question is a message with the id 0, and what its answer must say.
type question struct {
	wire  []byte
	rcode byte
}

// deck is how many questions are asked in turn. It divides 65,536, so that the id of a message tells the question.
const deck = 1 << 13

// questions returns the questions for a zone of n names. The same call gives the same ones.
func questions(n int) ([]question, error) {
	all := make([]question, deck)
	for i := range all {
		name, rcode := host(i*7919%(n-2)), byte(dns.RcodeSuccess)
		if i%10 == 3 || i%10 == 6 || i%10 == 9 {
			name, rcode = "no-"+name, dns.RcodeNameError
		}
		m := new(dns.Msg).SetQuestion(name+"."+origin, dns.TypeA).SetEdns0(1232, i%10 >= 8)
		m.Id, m.RecursionDesired = 0, false
		wire, err := m.Pack()
		if err != nil {
			return nil, fmt.Errorf("making a question: %w", err)
		}
		all[i] = question{wire, rcode}
	}
	return all, nil
}

const headerSize = 12

// underWay is which ids wait for an answer, and what was wrong with answers.
type underWay struct {
	questions []question
	waits     [1 << 16]bool
	next      uint16
	count     int // of ids that wait
	answered  int
	faults    faults
}

// faults count what should not be.
type faults struct{ lost, strange, wrong int }

func (f *faults) add(g faults) {
	f.lost, f.strange, f.wrong = f.lost+g.lost, f.strange+g.strange, f.wrong+g.wrong
}

func (f faults) sum() int { return f.lost + f.strange + f.wrong }

func (f faults) String() string {
	return fmt.Sprintf("%d not answered, %d not asked, %d wrong", f.lost, f.strange, f.wrong)
}

// ask appends the next question.
func (u *underWay) ask(dst []byte) []byte {
	id := u.next
	u.next++
	if !u.waits[id] {
		u.waits[id] = true
		u.count++
	}
	at := len(dst)
	dst = append(dst, u.questions[int(id)%len(u.questions)].wire...)
	binary.BigEndian.PutUint16(dst[at:], id)
	return dst
}

// take checks an answer.
func (u *underWay) take(answer []byte) {
	if len(answer) < headerSize || answer[2]&0x80 == 0 {
		u.faults.strange++
		return
	}
	id := binary.BigEndian.Uint16(answer)
	if !u.waits[id] {
		u.faults.strange++
		return
	}
	u.waits[id] = false
	u.count--
	u.answered++
	const truncated = 2
	if answer[2]&truncated != 0 || answer[3]&15 != u.questions[int(id)%len(u.questions)].rcode {
		u.faults.wrong++
	}
}

// giveUp forgets what waits.
func (u *underWay) giveUp() {
	u.faults.lost += u.count
	u.count = 0
	clear(u.waits[:])
}
