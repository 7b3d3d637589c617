package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"hearth/dnsprimary/dnssec"
	"hearth/dnsprimary/primary"
	"hearth/dnsprimary/zone"
	"hearth/process"
)

// maxFile bounds a zone file that is loaded, in bytes.
const maxFile = 32 << 20

// serveAdmin serves health, metrics and this program's commands on the admin socket; nil if there is none.
//
//	GET  /health                       200 if the storage program answers and every zone can be served, otherwise 503
//	GET  /metrics                      Prometheus's text format
//	GET  /show?zone=                   the zone as a master file
//	GET  /log?zone=                    a line for each version, the newest first
//	POST /undo?zone=&serial=           makes the zone what it was; without serial, before the last change
//	POST /load?zone=                   takes the changes of the zone file in the body
//	GET  /keys?zone=                   a line for each key
//	POST /keys?zone=&roll=&confirm=    asks for a successor, or says that the parent knows a key
//	GET  /ds?zone=                     the DS records of the keys that the parent should know
func (s *server) serveAdmin(ended chan<- error) (*http.Server, error) {
	if s.cfg.AdminSocket == "" {
		return nil, nil
	}
	listener, err := process.ListenUnix(s.cfg.AdminSocket, os.FileMode(0o600))
	if err != nil {
		return nil, fmt.Errorf("listening for administrators: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /show", s.showZone)
	for pattern, f := range map[string]func(io.Writer, *http.Request) error{
		"GET /health": s.health, "GET /log": s.showLog, "POST /undo": s.undo, "POST /load": s.loadFile,
		"GET /keys": s.showKeys, "POST /keys": s.changeKeys, "GET /ds": s.showDS,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			var out strings.Builder
			if err := f(&out, r); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			_, _ = io.WriteString(w, out.String())
		})
	}
	h := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute}
	go func() {
		if err := h.Serve(process.Private(listener, nil)); !errors.Is(err, http.ErrServerClosed) {
			ended <- fmt.Errorf("serving administrators: %w", err)
		}
	}()
	return h, nil
}

func (s *server) health(w io.Writer, r *http.Request) error {
	if _, err := s.archive.store.Stats(r.Context()); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	for _, origin := range s.config.zones {
		hosted, ok := s.state.Load().Zone(origin)
		if !ok {
			return fmt.Errorf("the zone %s is not served", origin)
		}
		if hosted.Signer == nil {
			continue
		}
		var a zone.Answer
		hosted.Zone.Answer(&a, origin, dns.TypeSOA)
		if err := hosted.Signer.Prove(s.now(), hosted.Zone, &a); err != nil {
			return fmt.Errorf("the zone %s: %w", origin, err)
		}
	}
	_, err := fmt.Fprintln(w, "ok")
	return err
}

func (s *server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	metric := func(name, kind, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	metric("hearth_dns_queries_total", "counter", "Messages received, by transport.")
	for i, transport := range []string{"udp", "tcp", "tls", "quic", "local"} {
		fmt.Fprintf(w, "hearth_dns_queries_total{transport=%q} %d\n", transport, s.counts.byTransport[i].Load())
	}
	metric("hearth_dns_replies_total", "counter", "Replies sent, by response code.")
	for i := range s.counts.byRcode {
		if n := s.counts.byRcode[i].Load(); n > 0 {
			fmt.Fprintf(w, "hearth_dns_replies_total{rcode=%q} %d\n", dns.RcodeToString[i], n)
		}
	}
	metric("hearth_dns_silent_total", "counter", "Messages that were not answered: malformed, or over the rate.")
	fmt.Fprintf(w, "hearth_dns_silent_total %d\n", s.counts.silent.Load())
	metric("hearth_dns_dropped_total", "counter", "Datagrams that the kernel had no room for, since they came faster than they were read.")
	fmt.Fprintf(w, "hearth_dns_dropped_total %d\n", s.transport.Dropped())
	metric("hearth_dns_updates_total", "counter", "Dynamic updates received.")
	fmt.Fprintf(w, "hearth_dns_updates_total %d\n", s.counts.updates.Load())
	metric("hearth_dns_serial", "gauge", "Serial number, by zone.")
	metric("hearth_dns_records", "gauge", "Records, by zone.")
	for _, origin := range s.config.zones {
		if hosted, ok := s.state.Load().Zone(origin); ok {
			fmt.Fprintf(w, "hearth_dns_serial{zone=%q} %d\nhearth_dns_records{zone=%q} %d\n", origin, hosted.Zone.Serial(), origin, hosted.Zone.Records())
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	metric("go_memstats_heap_inuse_bytes", "gauge", "Bytes of heap in use.")
	fmt.Fprintf(w, "go_memstats_heap_inuse_bytes %d\n", m.HeapInuse)
	metric("go_goroutines", "gauge", "Goroutines that exist.")
	fmt.Fprintf(w, "go_goroutines %d\n", runtime.NumGoroutine())
}

// asked returns the zone that a request is about.
func (s *server) asked(r *http.Request) (zone.Name, primary.Hosted, error) {
	origin, err := zone.ParseName(r.URL.Query().Get("zone"))
	if err != nil {
		return "", primary.Hosted{}, err
	}
	hosted, ok := s.state.Load().Zone(origin)
	if !ok {
		return "", hosted, fmt.Errorf("there is no zone %s here; there are %v", origin, s.config.zones)
	}
	return origin, hosted, nil
}

// showZone writes while it goes, since the text of a big zone takes more memory than the zone.
func (s *server) showZone(w http.ResponseWriter, r *http.Request) {
	_, hosted, err := s.asked(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	out := bufio.NewWriter(w)
	if hosted.Zone.Print(out) == nil {
		_ = out.Flush() // who asked may be gone
	}
}

func (s *server) showLog(w io.Writer, r *http.Request) error {
	origin, _, err := s.asked(r)
	if err != nil {
		return err
	}
	for v, err := range s.versions(r, origin) {
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s  %10d  %s\n", v.commit.Time.UTC().Format(time.DateTime), v.zone.Serial(), v.commit.Message)
	}
	return nil
}

// versions yields the versions of a zone with their commits, the newest first.
func (s *server) versions(r *http.Request, origin zone.Name) iter.Seq2[version, error] {
	return func(yield func(version, error) bool) {
		v, err := s.archive.zone(r.Context(), rootZone, origin)
		if err != nil {
			yield(version{}, err)
		} else if v != nil {
			s.archive.history(r.Context(), origin, v, 1000, math.MaxInt)(yield)
		}
	}
}

// undo makes a zone what it was: all but its serial number and what signing made.
func (s *server) undo(w io.Writer, r *http.Request) error {
	origin, _, err := s.asked(r)
	if err != nil {
		return err
	}
	give, err := s.take(r.Context())
	if err != nil {
		return err
	}
	defer give()
	h := s.zones[origin]
	for v, err := range s.versions(r, origin) {
		if err != nil {
			return err
		}
		if v.commit.Hash == h.version.commit.Hash {
			continue // it is so already
		}
		delta := zone.Diff(h.version.zone, v.zone)
		next, changed := patch(h.version.zone, delta)
		if text := r.URL.Query().Get("serial"); text != "" && text != strconv.FormatUint(uint64(v.zone.Serial()), 10) || text == "" && !changed {
			continue
		}
		if !changed {
			return fmt.Errorf("nothing differs from serial %d", v.zone.Serial())
		}
		if err := s.change(r.Context(), h, next, h.signer, fmt.Sprintf("undo: as it was at serial %d", v.zone.Serial())); err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s is as it was at serial %d, and has serial %d\n", origin, v.zone.Serial(), h.version.zone.Serial())
		return err
	}
	if r.URL.Query().Get("serial") == "" {
		return errors.New("there is nothing to undo: no earlier version differs (dnsprimary log ZONE shows them)")
	}
	return errors.New("there is no such version in the log (dnsprimary log ZONE shows them)")
}

// patch applies a delta to a zone as far as it is people's: not the serial number, not what signing made. What is not
// there cannot be removed and is passed over.
func patch(z *zone.Zone, d zone.Delta) (next *zone.Zone, changed bool) {
	e := z.Edit()
	mine := func(r zone.Record) bool { return r.Type != dns.TypeSOA && !(*dnssec.Signer)(nil).Makes(r.Type) }
	for _, r := range d.Removed {
		if mine(r) {
			changed = e.Remove(r) || changed
		}
	}
	for _, r := range d.Added {
		if mine(r) {
			added, err := e.Add(r)
			changed = changed || added && err == nil
		}
	}
	return e.Zone(), changed
}

// loadFile takes what changed in a zone file since it was last loaded: what others changed meanwhile stays.
func (s *server) loadFile(w io.Writer, r *http.Request) error {
	origin, err := zone.ParseName(r.URL.Query().Get("zone"))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxFile+1))
	if err != nil {
		return err
	}
	if len(text) > maxFile {
		return fmt.Errorf("the file is longer than %d bytes", maxFile)
	}
	file, problems := zone.Read(origin, string(text))
	if err := problems.Err(); err != nil {
		return fmt.Errorf("the file was not loaded:\n%w", err)
	}
	give, err := s.take(r.Context())
	if err != nil {
		return err
	}
	defer give()
	h := s.zones[origin]
	if h == nil {
		return fmt.Errorf("there is no zone %s here; there are %v", origin, s.config.zones)
	}
	before := version{zone: zone.New(origin)}
	if v, err := s.archive.zone(r.Context(), rootFile, origin); err != nil {
		return err
	} else if v != nil {
		before = *v
	}
	next, _ := patch(h.version.zone, zone.Diff(before.zone, file))
	if soa := file.SOA(); !soa.Empty() && soa != before.zone.SOA() {
		e := next.Edit()
		if !primary.SerialLess(h.version.zone.Serial(), file.Serial()) {
			soa = zone.WithSerial(soa, h.version.zone.Serial())
		}
		if err := e.Replace(origin, soa); err != nil {
			return err
		}
		next = e.Zone()
	} else if next.SOA().Empty() {
		e := next.Edit()
		if err := s.found(e, origin, s.now()); err != nil {
			return err
		}
		next = e.Zone()
	}
	defer debug.FreeOSMemory() // of which a big zone takes much more while it is loaded
	added, removed := sizes(h.version.zone, next)
	message := fmt.Sprintf("load of a zone file: %d added, %d removed", added, removed)
	if err := s.change(r.Context(), h, next, h.signer, message, side{rootFile, before, file}); err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(w, p)
	}
	_, err = fmt.Fprintf(w, "%s: %d records added, %d removed; serial %d\n", origin, added, removed, h.version.zone.Serial())
	return err
}

// signer returns the signer of the zone that a request is about.
func (s *server) signer(r *http.Request) (zone.Name, *dnssec.Signer, error) {
	origin, hosted, err := s.asked(r)
	if err != nil {
		return "", nil, err
	}
	signer, ok := hosted.Signer.(*dnssec.Signer)
	if !ok {
		return "", nil, fmt.Errorf("%s is not signed (dnssec.sign=true signs it)", origin)
	}
	return origin, signer, nil
}

func (s *server) showKeys(w io.Writer, r *http.Request) error {
	origin, signer, err := s.signer(r)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%-6s %-4s %-16s %-20s %-20s %-20s %-20s\n", "tag", "role", "algorithm", "published", "active", "known to the parent", "retired")
	for _, k := range signer.Keys {
		if !k.Remove.IsZero() {
			continue
		}
		fmt.Fprintf(w, "%-6d %-4s %-16s %-20s %-20s %-20s %-20s\n", k.Tag(), k.Role, k.Algorithm, when(k.Publish), when(k.Activate), when(k.Confirm), when(k.Retire))
	}
	for _, k := range signer.Keys {
		if waits(k) {
			fmt.Fprintf(w, "key %d waits for its DS at the parent: give it to the registrar (dnsprimary ds %s), and when it is there: dnsprimary keys %s confirm %d\n",
				k.Tag(), origin, origin, k.Tag())
		}
	}
	return nil
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateTime)
}

func (s *server) changeKeys(w io.Writer, r *http.Request) error {
	origin, _, err := s.signer(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if text := q.Get("confirm"); text != "" {
		tag, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return fmt.Errorf("%q is no key's tag", text)
		}
		if err := s.confirm(r.Context(), origin, uint16(tag)); err != nil {
			return err
		}
		return s.showKeys(w, r)
	}
	role, ok := map[string]dnssec.Role{"zsk": dnssec.ZSK, "ksk": dnssec.KSK, "csk": dnssec.CSK}[strings.ToLower(q.Get("roll"))]
	if !ok {
		return fmt.Errorf("a key that is rolled is zsk, ksk or csk, not %q", q.Get("roll"))
	}
	err = s.rekey(r.Context(), origin, fmt.Sprintf("a new %s was asked for", role), func(signer *dnssec.Signer) (*dnssec.Signer, error) {
		return signer.Roll(role, s.now())
	})
	if err != nil {
		return err
	}
	return s.showKeys(w, r)
}

func (s *server) showDS(w io.Writer, r *http.Request) error {
	origin, signer, err := s.signer(r)
	if err != nil {
		return err
	}
	for _, k := range signer.Keys {
		if k.Role != dnssec.ZSK && !k.Activate.IsZero() && k.Retire.IsZero() && k.Remove.IsZero() {
			fmt.Fprintln(w, k.DS(origin))
		}
	}
	return nil
}
