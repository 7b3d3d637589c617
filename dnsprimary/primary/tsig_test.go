package primary

import (
	"bytes"
	"crypto/hmac"
	"errors"
	"strings"
	"testing"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// provider signs for the message library with any algorithm, and keeps only some bytes if length is not 0.
type provider struct {
	secret string
	length int
}

func (p provider) Generate(message []byte, t *dns.TSIG) ([]byte, error) {
	n, err := zone.ParseName(t.Algorithm)
	if err != nil {
		return nil, err
	}
	newHash, size := algorithm(n)
	if size == 0 {
		newHash, size = algorithm(HMACSHA256)
	}
	h := hmac.New(newHash, []byte(p.secret))
	h.Write(message)
	mac := h.Sum(nil)
	if p.length > len(mac) {
		return append(mac, make([]byte, p.length-len(mac))...), nil
	}
	if p.length > 0 {
		size = p.length
	}
	return mac[:size], nil
}

func (p provider) Verify(message []byte, t *dns.TSIG) error {
	mac, err := p.Generate(message, t)
	if err != nil || bytes.Equal(mac, unhex(t.MAC)) {
		return err
	}
	return dns.ErrSig
}

// sign signs a message as the message library does, at the world's time. Changes are made to TSIG before.
func (w *world) sign(m *dns.Msg, key string, p provider, change ...func(*dns.TSIG)) (wire []byte, mac string) {
	w.t.Helper()
	m.SetTsig(key, dns.HmacSHA256, 300, w.now.Unix())
	for _, c := range change {
		c(m.Extra[len(m.Extra)-1].(*dns.TSIG))
	}
	wire, mac, err := dns.TsigGenerateWithProvider(m, p, "", false)
	if err != nil {
		w.t.Fatal(err)
	}
	return wire, mac
}

// signed asks with a good signature, checks the reply's, and reads it.
func (w *world) signed(m *dns.Msg, key string) *dns.Msg {
	w.t.Helper()
	wire, mac := w.sign(m, key, provider{secret: secret})
	reply := w.handle(wire).Reply
	if err := verifyMAC(reply, mac, false); err != nil {
		w.t.Errorf("the reply's signature: %v", err)
	}
	return w.parse(reply)
}

// verifyMAC has the message library check a MAC. It looks at the clock of the machine last, which is not the test's. It
// does not verify what says NOTAUTH; but it signs the same, since such a message is packed in one way only.
func verifyMAC(wire []byte, requestMAC string, timers bool) error {
	p := provider{secret: secret}
	m := new(dns.Msg)
	if err := m.Unpack(wire); err != nil {
		return err
	}
	if tsig := m.IsTsig(); m.Rcode == dns.RcodeNotAuth && tsig != nil {
		if _, want, err := dns.TsigGenerateWithProvider(m, p, requestMAC, timers); err != nil || want != tsig.MAC {
			return errors.Join(dns.ErrSig, err)
		}
		return nil
	}
	err := dns.TsigVerifyWithProvider(wire, p, requestMAC, timers)
	if errors.Is(err, dns.ErrTime) {
		return nil
	}
	return err
}

func TestSignedQueries(t *testing.T) {
	for _, alg := range []zone.Name{HMACMD5, HMACSHA1, HMACSHA224, HMACSHA256, HMACSHA256128, HMACSHA384, HMACSHA384192, HMACSHA512, HMACSHA512256} {
		w := newWorld(t, func(s *Settings) { s.Keys = []Key{{Name: name("key."), Algorithm: alg, Secret: []byte(secret)}} })
		m := query(t, "www.example.org. A")
		m.SetEdns0(1232, false)
		wire, mac := w.sign(m, "Key.", provider{secret: secret}, func(tsig *dns.TSIG) { tsig.Algorithm = alg.String() })
		reply := w.handle(wire).Reply
		if err := verifyMAC(reply, mac, false); err != nil {
			t.Errorf("%s: the reply's signature: %v", alg, err)
		}
		if got := render(w.parse(reply)); got != "NOERROR aa\nan www.example.org. 3600 IN A 192.0.2.2" {
			t.Errorf("%s: the answer is %s", alg, got)
		}
	}
}

// TestBadSignatures has what RFC 8945 §5.2 says of each.
func TestBadSignatures(t *testing.T) {
	for what, c := range map[string]struct {
		key    string
		p      provider
		change func(*dns.TSIG)
		rcode  int
		err    int // in TSIG; -1 if the reply has none
		signed bool
	}{
		"an unknown key":       {"nobody.", provider{secret: secret}, nil, dns.RcodeNotAuth, dns.RcodeBadKey, false},
		"another algorithm":    {"update.", provider{secret: secret}, func(g *dns.TSIG) { g.Algorithm = dns.HmacSHA512 }, dns.RcodeNotAuth, dns.RcodeBadKey, false},
		"an unknown algorithm": {"update.", provider{secret: secret}, func(g *dns.TSIG) { g.Algorithm = "rot13." }, dns.RcodeNotAuth, dns.RcodeBadKey, false},
		"another secret":       {"update.", provider{secret: "another"}, nil, dns.RcodeNotAuth, dns.RcodeBadSig, false},
		"too old":              {"update.", provider{secret: secret}, func(g *dns.TSIG) { g.TimeSigned -= 301 }, dns.RcodeNotAuth, dns.RcodeBadTime, true},
		"too new":              {"update.", provider{secret: secret}, func(g *dns.TSIG) { g.TimeSigned += 301 }, dns.RcodeNotAuth, dns.RcodeBadTime, true},
		"much time allowed":    {"update.", provider{secret: secret}, func(g *dns.TSIG) { g.TimeSigned -= 601; g.Fudge = 65535 }, dns.RcodeNotAuth, dns.RcodeBadTime, true},
		"cut to half":          {"update.", provider{secret, 16}, nil, dns.RcodeNotAuth, dns.RcodeBadTrunc, true},
		"cut too short":        {"update.", provider{secret, 15}, nil, dns.RcodeFormatError, -1, false},
		"too long":             {"update.", provider{secret, 33}, nil, dns.RcodeFormatError, -1, false},
		"an error in it":       {"update.", provider{secret: secret}, func(g *dns.TSIG) { g.Error = dns.RcodeBadTime }, dns.RcodeFormatError, -1, false},
		"a TTL":                {"update.", provider{secret: secret}, func(g *dns.TSIG) { g.Hdr.Ttl = 1 }, dns.RcodeFormatError, -1, false},
		"class IN":             {"update.", provider{secret: secret}, func(g *dns.TSIG) { g.Hdr.Class = dns.ClassINET }, dns.RcodeFormatError, -1, false},
	} {
		w := newWorld(t)
		change := c.change
		if change == nil {
			change = func(*dns.TSIG) {}
		}
		wire, mac := w.sign(query(t, "www.example.org. A"), c.key, c.p, change)
		wire = w.handle(wire).Reply
		m := w.parse(wire)
		tsig := m.IsTsig()
		if m.Rcode != c.rcode || (tsig == nil) != (c.err < 0) || tsig != nil && int(tsig.Error) != c.err || len(m.Answer) > 0 {
			t.Errorf("%s: the reply is %v", what, m)
			continue
		}
		if tsig != nil && (tsig.MACSize > 0) != c.signed {
			t.Errorf("%s: the reply has a MAC of %d bytes", what, tsig.MACSize)
		}
		if c.signed {
			if err := verifyMAC(wire, mac, false); err != nil {
				t.Errorf("%s: the reply's signature: %v", what, err)
			}
		}
		if c.err == dns.RcodeBadTime && (tsig.OtherLen != 6 || len(unhex(tsig.OtherData)) != 6) {
			t.Errorf("%s: the reply does not tell the server's time", what)
		}
	}
}

func TestTSIGIsTheLastRecord(t *testing.T) {
	w := newWorld(t)
	wire, _ := w.sign(query(t, "www.example.org. A"), "update.", provider{secret: secret})
	wire = append(wire, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0) // OPT behind it
	wire[11]++
	if m := w.parse(w.handle(wire).Reply); m.Rcode != dns.RcodeFormatError {
		t.Errorf("the reply is %v", m)
	}
}

func TestKeysAreChecked(t *testing.T) {
	good := Key{Name: name("key."), Algorithm: HMACSHA256, Secret: []byte(secret)}
	for what, change := range map[string]func(*Key){
		"no algorithm":   func(k *Key) { k.Algorithm = "" },
		"a short secret": func(k *Key) { k.Secret = k.Secret[:15] },
		"a strange name": func(k *Key) {
			k.Grants = []Grant{{Zone: name("example.org."), Update: true, Name: name("example.net.")}}
		},
		"an absent name": func(k *Key) { k.Grants = []Grant{{Zone: name("example.org."), Update: true}} },
	} {
		k := good
		change(&k)
		if _, err := NewState(Settings{Keys: []Key{k}}); err == nil {
			t.Errorf("a key with %s is taken", what)
		}
	}
	if _, err := NewState(Settings{Keys: []Key{good, good}}); err == nil {
		t.Error("two keys of one name are taken")
	}
}

func unhex(text string) []byte {
	b := make([]byte, len(text)/2)
	for i := range b {
		for _, c := range []byte(text[2*i : 2*i+2]) {
			if c |= 0x20; c >= 'a' {
				c = c - 'a' + 10
			} else {
				c -= 0x30
			}
			b[i] = b[i]<<4 | c
		}
	}
	return b
}

// TestReplays sends updates a second time (RFC 8945 §10): they are answered as the first time, and change nothing.
func TestReplays(t *testing.T) {
	w := newWorld(t)
	send := func(wire []byte, want int, changes bool) {
		t.Helper()
		d := w.handle(wire)
		if m := w.parse(d.Reply); m.Rcode != want || (d.Change != nil) != changes {
			t.Errorf("the answer is %s, want %s; changes: %v", dns.RcodeToString[m.Rcode], dns.RcodeToString[want], d.Change != nil)
		}
	}
	sign := func(text string) []byte { return first(w.sign(update(t, text), "update.", provider{secret: secret})) }
	add, remove := sign("add one 60 A 192.0.2.9"), sign("delete one")
	broken := sign("prereq yxdomain two\nadd one 60 A 192.0.2.9")
	send(add, dns.RcodeSuccess, true)
	send(add, dns.RcodeSuccess, false)
	send(remove, dns.RcodeSuccess, true) // in the same second
	send(add, dns.RcodeSuccess, false)
	send(broken, dns.RcodeNameError, false)
	send(sign("add two 60 A 192.0.2.9"), dns.RcodeSuccess, true)
	send(broken, dns.RcodeNameError, false) // though it could be done now
	w.expect("one.example.org. A", "NXDOMAIN aa\nau "+strings.Replace(strings.Replace(soaLine, "%d", "300", 1), "01 7200", "04 7200", 1))

	for i := range maxMarks { // until all of that is forgotten; then what is as old is refused unseen
		mac := make([]byte, 32)
		mac[0], mac[1] = byte(i), byte(i>>8)
		w.state.seen = w.state.seen.with(w.now, Mark{MAC: [16]byte(mac), Time: w.now.Unix() + 5})
	}
	if len(w.state.seen.marks) != maxMarks {
		t.Errorf("%d updates are remembered", len(w.state.seen.marks))
	}
	send(add, dns.RcodeNotAuth, false)

	w = newWorld(t) // started anew, it remembers what it is told
	d := w.state.Handle(new(Desk), w.now, add, w.from)
	if d.Mark == nil || d.Mark.Rcode != dns.RcodeSuccess {
		t.Fatalf("the mark is %+v", d.Mark)
	}
	w.state = w.state.Remember(w.now, []Mark{*d.Mark, *d.Mark})
	send(add, dns.RcodeSuccess, false)
	send(sign("add two 60 A 192.0.2.9"), dns.RcodeSuccess, true)
	if got := newWorld(t).state.Remember(w.now.Add(Remembered+time.Second), []Mark{*d.Mark}); len(got.seen.marks) > 0 || len(w.state.seen.marks) != 2 {
		t.Errorf("remembered are %v and %v", got.seen.marks, w.state.seen.marks)
	}

	w = newWorld(t)
	send(add, dns.RcodeSuccess, true)
	w.now = noon.Add((maxFudge + 1) * time.Second)
	send(sign("add two 60 A 192.0.2.9"), dns.RcodeSuccess, true)
	if len(w.state.seen.marks) != 1 {
		t.Error("an update is remembered whose time is over")
	}
	send(add, dns.RcodeNotAuth, false)
}
