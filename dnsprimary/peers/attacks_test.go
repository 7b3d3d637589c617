package peers_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// tryAttacks is threat 13, against the program that runs.
func tryAttacks(t *testing.T, programs string) {
	need(t, "nsupdate", "dig")
	a := &attack{t: t, owner: newKey("owner", "hmac-sha256"), reader: newKey("reader", "hmac-sha256")}
	a.box = newBox(t, programs, []string{"example.org"}, "dnssec.sign=true", "serial=increment")
	a.box.sets = append(a.box.sets, "keys="+a.owner.file(t, a.box.folder, "update example.org example.org", "transfer example.org")+","+a.reader.file(t, a.box.folder))
	a.box.start()
	a.box.load("example.org", world)
	t.Run("zones go to nobody without the right", a.transfers)
	t.Run("updates need a signature", a.unsigned)
	t.Run("updates are not done twice", a.replayed)
	t.Run("loops end", a.loops)
	t.Run("floods are not amplified", a.flood)
	a.box.quiet()
}

type attack struct {
	t             *testing.T
	box           *box
	owner, reader key
}

func (a *attack) transfers(t *testing.T) {
	stranger := newKey("owner", "hmac-sha256")
	for title, k := range map[string]*key{"no key": nil, "a key without rights": &a.reader, "a wrong secret": &stranger} {
		if records, err := transfer(a.box.address, "example.org.", k); err == nil {
			t.Errorf("%s: got %d records", title, len(records))
		}
	}
	for _, typ := range []uint16{dns.TypeAXFR, dns.TypeIXFR} {
		m := new(dns.Msg).SetQuestion("example.org.", typ)
		if typ == dns.TypeIXFR {
			m.SetIxfr("example.org.", 1, "ns1.example.org.", "hostmaster.example.org.")
		}
		answer, _, err := new(dns.Client).Exchange(m, a.box.address)
		if err != nil || answer.Rcode != dns.RcodeRefused || len(answer.Answer) > 0 {
			t.Errorf("%s over UDP: %v\n%v", dns.Type(typ), err, answer)
		}
	}
}

// sent is an UPDATE that adds a record, signed by the owner, as it goes over the wire.
func (a *attack) sent(t *testing.T, record string) []byte {
	t.Helper()
	m := new(dns.Msg).SetUpdate("example.org.")
	rr, err := dns.NewRR(record)
	if err != nil {
		t.Fatal(err)
	}
	m.Insert([]dns.RR{rr})
	m.SetTsig("owner.", dns.HmacSHA256, 300, now())
	wire, _, err := dns.TsigGenerate(m, a.owner.secret, "", false)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// raw sends bytes over TCP and returns the reply.
func (a *attack) raw(t *testing.T, message []byte) *dns.Msg {
	t.Helper()
	conn, err := net.Dial("tcp", a.box.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	c := &dns.Conn{Conn: conn}
	if _, err := c.Write(message); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, dns.MaxMsgSize)
	n, err := c.Read(p)
	if err != nil {
		t.Fatal(err)
	}
	answer := new(dns.Msg)
	if err := answer.Unpack(p[:n]); err != nil {
		t.Fatal(err)
	}
	return answer
}

func (a *attack) has(t *testing.T, name string) bool {
	t.Helper()
	answer, err := ask(a.box.address, name, dns.TypeA, nil)
	if err != nil {
		t.Fatal(err)
	}
	return len(answer.Answer) > 0
}

func (a *attack) unsigned(t *testing.T) {
	wire := a.sent(t, "evil.example.org. 2 A 192.0.2.66")
	var m dns.Msg
	if err := m.Unpack(wire); err != nil {
		t.Fatal(err)
	}
	m.Extra = nil // the signature is cut off
	bare, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if got := a.raw(t, bare).Rcode; got != dns.RcodeRefused {
		t.Errorf("without a signature: %s", dns.RcodeToString[got])
	}
	changed := []byte(strings.Replace(string(wire), "evil", "good", 1))
	if got := a.raw(t, changed).Rcode; got != dns.RcodeNotAuth {
		t.Errorf("changed on the way: %s", dns.RcodeToString[got])
	}
	if a.has(t, "evil.example.org.") || a.has(t, "good.example.org.") {
		t.Error("the update was done")
	}
}

// replayed sends an update again after it was undone, and once more after a restart.
func (a *attack) replayed(t *testing.T) {
	wire := a.sent(t, "again.example.org. 2 A 192.0.2.66")
	if got := a.raw(t, wire).Rcode; got != dns.RcodeSuccess || !a.has(t, "again.example.org.") {
		t.Fatalf("the first time: %s", dns.RcodeToString[got])
	}
	if said := a.box.nsupdate(a.owner, "zone example.org\nupdate delete again.example.org."); said != "" {
		t.Fatal(said)
	}
	if got := a.raw(t, wire).Rcode; got != dns.RcodeSuccess { // as to who lost the reply
		t.Errorf("the second time: %s", dns.RcodeToString[got])
	}
	if a.has(t, "again.example.org.") {
		t.Error("the update was done a second time")
	}
	a.box.primary.kill()
	a.box.start()
	a.raw(t, wire)
	if a.has(t, "again.example.org.") {
		t.Error("the update was done again after a restart")
	}
}

// loops sends names whose pointers lead in circles, forward, and out of the message.
func (a *attack) loops(t *testing.T) {
	header := []byte{0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for title, name := range map[string]string{
		"to itself": "\xc0\x0c", "in a circle": "\x01a\xc0\x10\xc0\x0c", "forward": "\xc0\x40", "into the header": "\xc0\x00", "no end": "\x3fa", "a strange label": "\x80a\x00",
	} {
		message := append(append([]byte(nil), header...), name+"\x00\x01\x00\x01"...)
		for _, network := range []string{"udp", "tcp"} {
			await(t, title+" over "+network+" is answered", func() error { // over UDP not always, since errors are limited too
				reply, err := a.bytes(network, message)
				if err == nil && (len(reply) < 12 || reply[3]&15 != dns.RcodeFormatError) {
					err = fmt.Errorf("the reply is %x", reply)
				}
				return err
			})
		}
	}
	if !a.has(t, "www.example.org.") {
		t.Error("afterwards nothing is answered")
	}
}

// bytes sends a message that need not be one, and returns the reply.
func (a *attack) bytes(network string, message []byte) ([]byte, error) {
	conn, err := net.Dial(network, a.box.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if network == "tcp" {
		message = append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
	}
	if _, err := conn.Write(message); err != nil {
		return nil, err
	}
	reply := make([]byte, 512)
	n, err := conn.Read(reply)
	if network == "tcp" {
		return reply[min(2, n):n], err
	}
	return reply[:n], err
}

// flood asks the same over UDP in great number from one address and many ports, as in the name of a victim. Few answers may
// come, and those over the rate are no longer than the questions. Who shows a cookie is answered meanwhile.
func (a *attack) flood(t *testing.T) {
	const burst, bursts, perSecond = 20, 40, 50
	for title, name := range map[string]string{"one name": "example.org.", "ever other names": "x%.wild.example.org."} {
		begin := time.Now()
		var got replies
		bytes := 0
		for i := range bursts {
			conn, err := net.Dial("udp", a.box.address)
			if err != nil {
				t.Fatal(err)
			}
			for j := range burst {
				m := new(dns.Msg).SetQuestion(strings.Replace(name, "%", strings.Repeat("y", 1+i)+strings.Repeat("z", j), 1), dns.TypeTXT)
				m.SetEdns0(4096, true)
				wire, err := m.Pack()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := conn.Write(wire); err != nil {
					t.Fatal(err)
				}
				bytes += len(wire)
			}
			got.collect(conn)
			conn.Close()
		}
		took := time.Since(begin)
		if most := int(perSecond * (1.5 + took.Seconds())); got.full > most || got.full == 0 {
			t.Errorf("%s: %d of %d questions in %s were answered in full, want at most %d", title, got.full, burst*bursts, took, most)
		}
		if got.short == 0 || got.short > burst*bursts*6/10 {
			t.Errorf("%s: %d of %d answers say that TCP be used", title, got.short, burst*bursts)
		}
		t.Logf("%s: %d questions of %d bytes in %s: %d answers in full, %d cut short, %d bytes", title, burst*bursts, bytes, took.Round(time.Millisecond), got.full, got.short, got.bytes)
		out, err := try(t, "", "dig", "@127.0.0.1", "-p", number(a.box.address), "+norec", "+tries=3", "+cookie", "example.org", "TXT")
		if err != nil || !strings.Contains(out, "v=spf1") {
			t.Errorf("%s: who comes with a cookie is not answered: %v\n%s", title, err, out)
		}
	}
}

// replies counts what came back.
type replies struct{ full, short, bytes int }

// collect reads the replies until none comes for a moment.
func (r *replies) collect(conn net.Conn) {
	buf := make([]byte, 4096)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		r.bytes += n
		if buf[2]&2 != 0 {
			r.short++
		} else {
			r.full++
		}
	}
}
