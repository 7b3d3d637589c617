package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hearth/dnsprimary/primary"
	"hearth/dnsprimary/zone"
	"hearth/process"
	"hearth/settings"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

const secret = "VGhpcyBpcyBub3QgYSBnb29kIHNlY3JldCBhdCBhbGw="

// world is a server over a store in memory that is asked without a network.
type world struct {
	t     *testing.T
	cfg   Settings
	store blob.Store
	s     *server
	now   time.Time
}

// newWorld serves example.org on 192.0.2.1, with a key "laptop" that may do everything.
func newWorld(t *testing.T, change ...func(*Settings)) *world {
	t.Helper()
	key := filepath.Join(t.TempDir(), "laptop.key")
	text := "# of the owner\nlaptop hmac-sha256 " + secret + "\ntransfer example.org\nupdate example.org example.org\n"
	if err := os.WriteFile(key, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, cfg: defaultSettings(), store: blobtest.NewMemory(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.cfg.Zones, w.cfg.Keys = []string{"example.org"}, []string{key}
	w.cfg.Nameservers, w.cfg.Hosts, w.cfg.Addresses = []string{"ns1.example.org"}, []string{"@example.org", "ns1.example.org"}, []string{"192.0.2.1"}
	w.cfg.Matrix, w.cfg.CAA, w.cfg.Serial = "example.org:8448", []string{"letsencrypt.org"}, "increment"
	for _, c := range change {
		c(&w.cfg)
	}
	w.open()
	return w
}

// open starts the server, again if it ran.
func (w *world) open() {
	w.t.Helper()
	c, err := w.cfg.check()
	if err != nil {
		w.t.Fatal(err)
	}
	clock := func() time.Time { return w.now }
	s, err := open(w.t.Context(), &w.cfg, c, w.store, slog.New(slog.DiscardHandler), clock)
	if err != nil {
		w.t.Fatal(err)
	}
	w.s = s
}

// tend has the upkeep look at the zones.
func (w *world) tend() {
	w.t.Helper()
	if err := w.s.upkeep(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// zone returns what is served.
func (w *world) zone() *zone.Zone {
	w.t.Helper()
	origin, _ := zone.ParseName("example.org")
	h, ok := w.s.state.Load().Zone(origin)
	if !ok {
		w.t.Fatal("example.org is not served")
	}
	return h.Zone
}

// has reports whether a record is served, written as in a zone file.
func (w *world) has(record string) bool {
	w.t.Helper()
	rr, err := dns.NewRR(record)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := zone.FromRR(rr)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.zone().Set(r.Owner, r.Type).Has(r.Rdata)
}

func (w *world) want(records ...string) {
	w.t.Helper()
	for _, r := range records {
		r, absent := strings.CutPrefix(r, "-")
		if w.has(r) == absent {
			w.t.Errorf("%s: served %v", r, absent)
		}
	}
}

// update changes the zone as the key laptop: each change is a record to add, or with a "-" to remove.
func (w *world) update(changes ...string) int {
	w.t.Helper()
	m := new(dns.Msg).SetUpdate("example.org.")
	for _, c := range changes {
		text, remove := strings.CutPrefix(c, "-")
		rr, err := dns.NewRR(text)
		if err != nil {
			w.t.Fatal(err)
		}
		if remove {
			m.Remove([]dns.RR{rr})
		} else {
			m.Insert([]dns.RR{rr})
		}
	}
	m.SetTsig("laptop.", dns.HmacSHA256, 300, w.now.Unix())
	signed, _, err := dns.TsigGenerate(m, secret, "", false)
	if err != nil {
		w.t.Fatal(err)
	}
	w.now = w.now.Add(time.Second)
	return w.ask(signed).Rcode
}

// ask sends a message and returns the reply.
func (w *world) ask(message []byte) *dns.Msg {
	w.t.Helper()
	var answer *dns.Msg
	err := w.s.service().Serve(message, primary.Peer{Transport: primary.TCP}, func(reply []byte) error {
		answer = new(dns.Msg)
		return answer.Unpack(reply)
	})
	if err != nil || answer == nil {
		w.t.Fatalf("no answer: %v", err)
	}
	return answer
}

// command runs a command against the server.
func (w *world) command(args ...string) (string, error) {
	w.t.Helper()
	if w.cfg.AdminSocket == "" {
		w.cfg.AdminSocket = filepath.Join(w.t.TempDir(), "admin.sock")
	}
	h, err := w.s.serveAdmin(make(chan error, 1))
	if err != nil {
		w.t.Fatal(err)
	}
	defer h.Close()
	var out strings.Builder
	err = run(w.t.Context(), append([]string{"-set", "admin_socket=" + w.cfg.AdminSocket}, args...), streams(&out))
	return out.String(), err
}

func streams(out io.Writer) process.Streams { return process.Streams{Out: out, Err: io.Discard} }

func TestUpkeep(t *testing.T) {
	w := newWorld(t)
	w.want("example.org. A 192.0.2.1", "ns1.example.org. A 192.0.2.1", "example.org. NS ns1.example.org.",
		"_matrix-fed._tcp.example.org. SRV 10 0 8448 example.org.", `example.org. CAA 0 issue "letsencrypt.org"`)
	if w.zone().Serial() != 1 {
		t.Errorf("serial %d", w.zone().Serial())
	}
	told := len(w.s.told)
	w.tend()
	if out, err := w.command("log", "example.org"); err != nil || strings.Count(out, "\n") != 1 || len(w.s.told) != told {
		t.Errorf("nothing changed, and was written or told: %s%v", out, err)
	}
	w.open()
	if w.zone().Serial() != 1 {
		t.Errorf("nothing changed, and the serial is %d", w.zone().Serial())
	}
	// The address changes, and the owner's records stay.
	if rcode := w.update("www.example.org. 60 A 192.0.2.77", "example.org. 60 TXT mine"); rcode != dns.RcodeSuccess {
		t.Fatal(dns.RcodeToString[rcode])
	}
	w.cfg.Addresses = []string{"192.0.2.2", "2001:db8::2"}
	w.open()
	w.want("-example.org. A 192.0.2.1", "example.org. A 192.0.2.2", "ns1.example.org. AAAA 2001:db8::2",
		"www.example.org. A 192.0.2.77", "example.org. TXT mine")
	// What the owner sets is never overwritten.
	if rcode := w.update("-example.org. 300 A 192.0.2.2", "example.org. 300 A 192.0.2.99"); rcode != dns.RcodeSuccess {
		t.Fatal(dns.RcodeToString[rcode])
	}
	w.tend()
	w.cfg.Addresses = []string{"192.0.2.3"}
	w.open()
	w.want("example.org. A 192.0.2.99", "-example.org. A 192.0.2.3", "ns1.example.org. A 192.0.2.3")
	// What is wanted no more goes.
	w.cfg.Matrix, w.cfg.CAA = "", nil
	w.open()
	w.want("-_matrix-fed._tcp.example.org. SRV 10 0 8448 example.org.", `-example.org. CAA 0 issue "letsencrypt.org"`, "example.org. TXT mine")
}

func TestUpdatesAreDurable(t *testing.T) {
	w := newWorld(t)
	before := w.zone()
	for i := range 5 {
		if rcode := w.update(fmt.Sprintf("h%d.example.org. 60 A 192.0.2.%d", i, i)); rcode != dns.RcodeSuccess {
			t.Fatal(dns.RcodeToString[rcode])
		}
	}
	after := w.zone()
	w.open()
	if d := zone.Diff(after, w.zone()); !d.Empty() {
		t.Errorf("after a restart: %v", d)
	}
	// The history is there too: IXFR from the first version.
	m := new(dns.Msg).SetIxfr("example.org.", before.Serial(), "ns1.example.org.", "hostmaster.example.org.")
	m.SetTsig("laptop.", dns.HmacSHA256, 300, w.now.Unix())
	signed, _, err := dns.TsigGenerate(m, secret, "", false)
	if err != nil {
		t.Fatal(err)
	}
	answer := w.ask(signed)
	if n := len(answer.Answer); n < 2+5 || n > 2+2*5+5 {
		t.Errorf("IXFR answered %d records:\n%s", n, answer)
	}
	// Who has no key changes nothing.
	stranger := new(dns.Msg).SetUpdate("example.org.")
	rr, _ := dns.NewRR("evil.example.org. 60 A 192.0.2.66")
	stranger.Insert([]dns.RR{rr})
	packed, _ := stranger.Pack()
	if got := w.ask(packed).Rcode; got != dns.RcodeRefused {
		t.Errorf("an unsigned update: %s", dns.RcodeToString[got])
	}
	w.want("-evil.example.org. A 192.0.2.66")
}

// TestAnUpdateThatIsSentAgain is carried out once, whatever happens in between: threat 13.
func TestAnUpdateThatIsSentAgain(t *testing.T) {
	w := newWorld(t)
	m := new(dns.Msg).SetUpdate("example.org.")
	rr, _ := dns.NewRR("www.example.org. 60 A 192.0.2.7")
	m.Insert([]dns.RR{rr})
	m.SetTsig("laptop.", dns.HmacSHA256, 300, w.now.Add(200*time.Second).Unix()) // by a clock that is fast
	signed, _, err := dns.TsigGenerate(m, secret, "", false)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.ask(signed).Rcode; got != dns.RcodeSuccess {
		t.Fatal(dns.RcodeToString[got])
	}
	w.update("-www.example.org. 60 A 192.0.2.7")
	w.open()
	if got := w.ask(signed).Rcode; got != dns.RcodeSuccess { // as the first time
		t.Errorf("sent again: %s", dns.RcodeToString[got])
	}
	w.want("-www.example.org. A 192.0.2.7")
	w.now = w.now.Add(200*time.Second + primary.Remembered + time.Minute)
	w.tend()
	if marks, err := w.s.archive.marks(t.Context()); err != nil || len(marks) > 0 {
		t.Errorf("updates that are over are remembered: %v, %v", marks, err)
	}
	if got := w.ask(signed).Rcode; got != dns.RcodeNotAuth {
		t.Errorf("when it is old: %s", dns.RcodeToString[got])
	}
	w.want("-www.example.org. A 192.0.2.7")
}

// faulty is a store that fails when told to.
type faulty struct {
	blob.Store
	fail bool
}

func (f *faulty) Apply(ctx context.Context, b *blob.Batch) error {
	if f.fail {
		return blob.Errorf(blob.Full, "applying batch", "no room")
	}
	return f.Store.Apply(ctx, b)
}

func TestAnUpdateThatCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	f := &faulty{Store: w.store}
	w.store = f
	w.open()
	before := w.zone()
	f.fail = true
	if rcode := w.update("www.example.org. 60 A 192.0.2.7"); rcode != dns.RcodeServerFailure {
		t.Errorf("answered %s", dns.RcodeToString[rcode])
	}
	if d := zone.Diff(before, w.zone()); !d.Empty() {
		t.Error("served what was not written")
	}
	f.fail = false
	if rcode := w.update("www.example.org. 60 A 192.0.2.7"); rcode != dns.RcodeSuccess {
		t.Errorf("afterwards: %s", dns.RcodeToString[rcode])
	}
	w.want("www.example.org. A 192.0.2.7")
}

func TestLogAndUndo(t *testing.T) {
	w := newWorld(t)
	w.update("a.example.org. 60 A 192.0.2.1")
	w.update("b.example.org. 60 A 192.0.2.2", "-a.example.org. 60 A 192.0.2.1")
	out, err := w.command("log", "example.org")
	if err != nil || strings.Count(out, "\n") != 3 || !strings.Contains(out, "update by key laptop.: 1 added, 1 removed") {
		t.Errorf("the log is\n%s%v", out, err)
	}
	out, err = w.command("undo", "example.org")
	if err != nil || !strings.Contains(out, "is as it was at serial 2") {
		t.Errorf("%s%v", out, err)
	}
	w.want("a.example.org. A 192.0.2.1", "-b.example.org. A 192.0.2.2")
	if w.zone().Serial() != 4 {
		t.Errorf("serial %d", w.zone().Serial())
	}
	if out, err = w.command("undo", "example.org", "3"); err != nil {
		t.Errorf("%s%v", out, err)
	}
	w.want("-a.example.org. A 192.0.2.1", "b.example.org. A 192.0.2.2")
	if _, err = newWorld(t).command("undo", "example.org"); err == nil || !strings.Contains(err.Error(), "nothing to undo") {
		t.Errorf("%v", err)
	}
	if _, err = w.command("undo", "example.org", "77"); err == nil || !strings.Contains(err.Error(), "no such version") {
		t.Errorf("%v", err)
	}
	if _, err = w.command("show", "example.com"); err == nil || !strings.Contains(err.Error(), "no zone example.com") {
		t.Errorf("%v", err)
	}
	out, err = w.command("show", "example.org")
	if z, problems := zone.Read(w.zone().Origin(), out); err != nil || problems.Err() != nil || !zone.Diff(z, w.zone()).Empty() {
		t.Errorf("what is shown is another zone: %v %v", err, problems)
	}
}

func TestLoad(t *testing.T) {
	w := newWorld(t)
	w.update("dynamic.example.org. 60 A 192.0.2.50")
	file := filepath.Join(t.TempDir(), "zone")
	load := func(text string) (string, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return w.command("load", "example.org", file)
	}
	if out, err := load("$TTL 60\nwww A 192.0.2.7\nmail A 192.0.2.8\n@ MX 10 mail\n"); err != nil || !strings.Contains(out, "3 records added") {
		t.Errorf("%s%v", out, err)
	}
	w.want("www.example.org. A 192.0.2.7", "dynamic.example.org. A 192.0.2.50", "ns1.example.org. A 192.0.2.1")
	if out, err := load("$TTL 60\nwww A 192.0.2.9\n"); err != nil || !strings.Contains(out, "1 records added, 3 removed") {
		t.Errorf("%s%v", out, err)
	}
	w.want("www.example.org. A 192.0.2.9", "-www.example.org. A 192.0.2.7", "-mail.example.org. A 192.0.2.8", "dynamic.example.org. A 192.0.2.50")
	serial := w.zone().Serial()
	for text, want := range map[string]string{
		"www A 192.0.2.300\n":                         "1",
		"$TTL 60\nwww A 192.0.2.9\nwww CNAME other\n": "CNAME",
		"$INCLUDE /etc/passwd\n":                      "INCLUDE",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if w.zone().Serial() != serial {
		t.Error("a bad file changed the zone")
	}
}

func TestKeysThroughTheirLives(t *testing.T) {
	w := newWorld(t, func(s *Settings) { s.Sign.Sign = true })
	if w.zone().Set(w.zone().Origin(), dns.TypeDNSKEY).Len() != 2 {
		t.Fatal("not signed")
	}
	if rcode := w.update("www.example.org. 60 A 192.0.2.7"); rcode != dns.RcodeSuccess {
		t.Fatal(dns.RcodeToString[rcode])
	}
	out, err := w.command("ds", "example.org")
	if err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, "DS") {
		t.Errorf("%s%v", out, err)
	}
	if out, err = w.command("keys", "example.org", "roll", "zsk"); err != nil || strings.Count(out, "\n") != 5 || !strings.Contains(out, "waits for its DS") {
		t.Errorf("%s%v", out, err)
	}
	if h := w.s.zones[w.zone().Origin()]; h.due(w.now) || h.due(w.now.Add(59*time.Minute)) || !h.due(w.now.Add(time.Hour)) || !h.due(w.now.Add(-time.Hour)) {
		t.Errorf("signatures are looked at from %s on", h.look)
	}
	for range 30 * 24 {
		w.now = w.now.Add(time.Hour)
		w.tend()
		if err := w.s.health(new(strings.Builder), httptest.NewRequest(http.MethodGet, "/health", nil)); err != nil {
			t.Fatal(err)
		}
	}
	out, err = w.command("keys", "example.org")
	if err != nil || strings.Count(out, "\n") != 4 {
		t.Errorf("after a month:\n%s%v", out, err)
	}
	served := w.zone()
	w.open()
	if !zone.Diff(served, w.zone()).Empty() {
		t.Error("a restart signed the zone anew")
	}
	tag := strings.Fields(strings.Split(out, "\n")[1])[0]
	if out, err = w.command("keys", "example.org", "confirm", tag); err != nil || strings.Contains(out, "waits") {
		t.Errorf("%s%v", out, err)
	}
	if _, err = w.command("keys", "example.org", "confirm", "x"); err == nil {
		t.Error("confirmed x")
	}
	if _, err = w.command("keys", "example.org", "roll", "csk"); err == nil {
		t.Error("rolled a key that there is not")
	}
	// A clock that jumps is no reason to serve what is not valid.
	w.now = w.now.Add(400 * 24 * time.Hour)
	if err := w.s.health(new(strings.Builder), httptest.NewRequest(http.MethodGet, "/health", nil)); err == nil {
		t.Error("old signatures are healthy")
	}
	w.tend()
	if err := w.s.health(new(strings.Builder), httptest.NewRequest(http.MethodGet, "/health", nil)); err != nil {
		t.Error(err)
	}
	w.cfg.Sign.Sign = false
	w.open()
	if !w.zone().Set(w.zone().Origin(), dns.TypeDNSKEY).Empty() {
		t.Error("still signed")
	}
}

// TestAZoneThatIsLoadedFirst is served once the owner has said what is in it.
func TestAZoneThatIsLoadedFirst(t *testing.T) {
	w := newWorld(t, func(s *Settings) { s.Nameservers = nil })
	w.tend()
	m, err := new(dns.Msg).SetQuestion("example.org.", dns.TypeSOA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	if got := w.ask(m).Rcode; got != dns.RcodeRefused {
		t.Errorf("a zone of which nothing is known: %s", dns.RcodeToString[got])
	}
	load := func(text string) (string, error) {
		file := filepath.Join(t.TempDir(), "zone")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return w.command("load", "example.org", file)
	}
	if _, err := load("www 60 A 192.0.2.7\n"); err == nil || !strings.Contains(err.Error(), "NS") {
		t.Errorf("a zone without name servers was loaded: %v", err)
	}
	if out, err := load("@ 60 NS ns1\nns1 60 A 192.0.2.1\n"); err != nil {
		t.Errorf("%s%v", out, err)
	}
	w.tend()
	w.want("example.org. NS ns1.example.org.", "example.org. A 192.0.2.1")
}

// TestLocalKey proves names and can do nothing else.
func TestLocalKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "local.key")
	if err := os.WriteFile(file, []byte("local hmac-sha256 "+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(s *Settings) { s.LocalKeyFile = file })
	send := func(record string) int {
		m := new(dns.Msg).SetUpdate("example.org.")
		rr, err := dns.NewRR(record)
		if err != nil {
			t.Fatal(err)
		}
		m.Insert([]dns.RR{rr})
		m.SetTsig("local.", dns.HmacSHA256, 300, w.now.Unix())
		signed, _, err := dns.TsigGenerate(m, secret, "", false)
		if err != nil {
			t.Fatal(err)
		}
		return w.ask(signed).Rcode
	}
	if got := send("_acme-challenge.example.org. 60 TXT proof"); got != dns.RcodeSuccess {
		t.Error(dns.RcodeToString[got])
	}
	for _, record := range []string{"example.org. 60 TXT proof", "_acme-challenge.example.org. 60 A 192.0.2.1", "_acme-challenge.www.example.org. 60 TXT proof"} {
		if got := send(record); got != dns.RcodeRefused {
			t.Errorf("%s: %s", record, dns.RcodeToString[got])
		}
	}
}

func TestSettings(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.key")
	for want, change := range map[string]func(*Settings){
		"zones":             func(s *Settings) { s.Zones = []string{"a..b"} },
		"serial":            func(s *Settings) { s.Serial = "later" },
		"dnssec.algorithm":  func(s *Settings) { s.Sign.Algorithm = "RSAMD5" },
		"dnssec.validity":   func(s *Settings) { s.Sign.Validity = time.Hour },
		"nameservers":       func(s *Settings) { s.Nameservers = []string{"a..b"} },
		"hosts":             func(s *Settings) { s.Hosts = []string{"www.example.com"} },
		"addresses":         func(s *Settings) { s.Addresses = []string{"here"} },
		"matrix":            func(s *Settings) { s.Matrix = "example.org" },
		"notify":            func(s *Settings) { s.Notify = []string{"example.org"} },
		"none of the zones": func(s *Settings) { s.Notify = []string{"example.com 192.0.2.1:53"} },
		"no key laptop":     func(s *Settings) { s.Notify = []string{"example.org 192.0.2.1:53 laptop"} },
		"keys":              func(s *Settings) { s.Keys = []string{"/does/not/exist"} },
		"bad.key:2":         func(s *Settings) { s.Keys = []string{bad} },
	} {
		if err := os.WriteFile(bad, []byte("k hmac-sha256 "+base64.StdEncoding.EncodeToString(make([]byte, 32))+"\nmay everything\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := defaultSettings()
		cfg.Zones = []string{"example.org"}
		change(&cfg)
		if _, err := cfg.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestCheckCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "example.org.zone")
	check := func(text string) (string, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		err := run(t.Context(), []string{"check", file}, streams(&out))
		return out.String(), err
	}
	if out, err := check("$TTL 60\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"); err != nil || !strings.Contains(out, "3 records of 2 names, serial 1") {
		t.Errorf("%s%v", out, err)
	}
	if out, err := check("$TTL 60\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1.5\n"); err == nil || !strings.Contains(out, "4") {
		t.Errorf("%s%v", out, err)
	}
	var help strings.Builder
	if err := run(t.Context(), []string{"-h"}, streams(&help)); !errors.Is(err, settings.ErrPrinted) || !strings.Contains(help.String(), "keys ZONE confirm TAG") {
		t.Errorf("-h shows %s%v", &help, err)
	}
	nobody := []string{"-set", "admin_socket=" + filepath.Join(t.TempDir(), "none"), "log", "example.org"}
	if err := run(t.Context(), nobody, streams(new(strings.Builder))); err == nil || !strings.Contains(err.Error(), "does not run") || strings.Contains(err.Error(), "http:") {
		t.Errorf("asking nobody: %v", err)
	}
	for _, args := range [][]string{{"check"}, {"show"}, {"undo"}, {"load", "x"}, {"keys", "a", "b"}, {"dance"}, {"show", "example.org"}} {
		if err := run(t.Context(), args, streams(new(strings.Builder))); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}

// TestServe starts the program's doors, and a secondary that hears of a change and fetches it.
func TestServe(t *testing.T) {
	heard := make(chan *dns.Msg, 16)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secondary := &dns.Server{PacketConn: conn, MsgAcceptFunc: func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		if m.Opcode == dns.OpcodeNotify {
			w.WriteMsg(new(dns.Msg).SetReply(m))
			heard <- m
		}
	})}
	go secondary.ActivateAndServe()
	defer secondary.Shutdown()
	w := newWorld(t, func(s *Settings) {
		s.Notify, s.Listen = []string{"example.org " + conn.LocalAddr().String()}, []string{freeAddress(t)}
		s.ListenTLS, s.ListenQUIC, s.Socket = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, filepath.Join(t.TempDir(), "dns.sock")
	})
	w.now = time.Now() // the message library's clients have no other clock
	w.open()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.s.serve(ctx) }()
	<-heard // at the start
	m := new(dns.Msg).SetUpdate("example.org.")
	rr, _ := dns.NewRR("www.example.org. 60 A 192.0.2.7")
	m.Insert([]dns.RR{rr})
	m.SetTsig("laptop.", dns.HmacSHA256, 300, w.now.Unix())
	c := &dns.Client{Net: "tcp", TsigSecret: map[string]string{"laptop.": secret}}
	if answer, _, err := c.Exchange(m, w.cfg.Listen[0]); err != nil || answer.Rcode != dns.RcodeSuccess {
		t.Fatalf("%v, %v", answer, err)
	}
	<-heard
	transfer := new(dns.Transfer)
	transfer.TsigSecret = c.TsigSecret
	q := new(dns.Msg).SetAxfr("example.org.")
	q.SetTsig("laptop.", dns.HmacSHA256, 300, w.now.Unix())
	envelopes, err := transfer.In(q, w.cfg.Listen[0])
	if err != nil {
		t.Fatal(err)
	}
	records := 0
	for e := range envelopes {
		if e.Error != nil {
			t.Fatal(e.Error)
		}
		records += len(e.RR)
	}
	if want := w.zone().Records() + 1; records != want {
		t.Errorf("%d records, want %d", records, want)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
