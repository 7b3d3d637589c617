package agent_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/appliance/agent"
	"hearth/appliance/boxtest"
	"hearth/appliance/ota"
)

// laptop returns a laptop with a key of its own.
func laptop(t testing.TB) (*agent.Laptop, ed25519.PrivateKey) {
	t.Helper()
	l := &agent.Laptop{Folder: filepath.Join(t.TempDir(), "hearth")}
	key, made, err := l.Key()
	if err != nil || !made {
		t.Fatalf("making the owner's key: %v", err)
	}
	return l, key
}

// dial returns a client of a box that does not wait long.
func dial(t testing.TB, l *agent.Laptop, b *boxtest.Box) *agent.Client {
	t.Helper()
	c, err := l.Dial(b.Address, "", new(net.Dialer).DialContext)
	if err != nil {
		t.Fatal(err)
	}
	c.Pause = time.Millisecond
	t.Cleanup(c.Close)
	return c
}

func open(t testing.TB, data []byte) *ota.Bundle {
	t.Helper()
	b, err := ota.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stages remembers how an update went on.
type stages struct {
	mu     sync.Mutex
	stages []string
	total  int64
	done   int64
	each   func(done int64)
}

func (s *stages) Sending(done, total int64) {
	s.mu.Lock()
	s.done, s.total = done, total
	s.mu.Unlock()
	if s.each != nil {
		s.each(done)
	}
}

func (s *stages) Stage(stage string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stages = append(s.stages, stage)
}

// patience is a context for what should come soon.
func patience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func methods(t *testing.T, test func(t *testing.T, uefi bool)) {
	t.Run("systemd-boot", func(t *testing.T) { test(t, true) })
	t.Run("tryboot", func(t *testing.T) { test(t, false) })
}

func v1() boxtest.Version { return boxtest.Version{Name: "1.0", Number: 10} }
func v2() boxtest.Version { return boxtest.Version{Name: "1.1", Number: 11} }

func TestAnUpdate(t *testing.T) {
	methods(t, func(t *testing.T, uefi bool) {
		l, key := laptop(t)
		b := boxtest.Start(t, boxtest.Options{UEFI: uefi, Owner: key, Enrolled: true, Versions: []boxtest.Version{v1(), v2()}})
		c, ctx := dial(t, l, b), patience(t)
		s := new(stages)
		bundle := v2().Bundle(t, key)
		if err := c.Update(ctx, open(t, bundle), s); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(s.stages, " "); got != "checking saving restarting" || s.done != s.total || s.total == 0 || s.total >= int64(len(bundle)) {
			t.Errorf("the stages are %s, and %d of %d bytes were sent", got, s.done, s.total)
		}
		status, err := c.Await(ctx, 11)
		if err != nil {
			t.Fatal(err)
		}
		if want := "Version 1.1 runs; it replaced 1.0."; status.Sentence != want || status.Version != "1.1" || status.Slot != "b" || status.Trial {
			t.Errorf("the box says %q, and is %+v", status.Sentence, status)
		}
		state, err := b.Wait(ctx, func(s boxtest.State) bool { return s.Open })
		if err != nil || state.Data != "messages, migrated to 1.1" {
			t.Errorf("the box is %+v: %v", state, err)
		}
		err = c.Update(ctx, open(t, bundle), new(stages))
		var refused *agent.Refusal
		if !errors.As(err, &refused) || refused.Status != http.StatusAlreadyReported || refused.Message != "version 1.1: this version runs already" {
			t.Errorf("updating to what runs: %v", err)
		}
	})
}

// Each version that does not work is undone by the box itself, with the data of before.
func TestVersionsThatDoNotWorkAreUndone(t *testing.T) {
	for want, bad := range map[string]boxtest.Version{
		"the new one did not start.":                                {DoesNotStart: true},
		"data: the disk is gone.":                                   {Sick: "the disk is gone"},
		"it was not well in time, and hangs.":                       {Hangs: true},
		"sending a message: M_UNKNOWN: the store does not take it.": {Mute: true},
	} {
		methods(t, func(t *testing.T, uefi bool) {
			t.Parallel()
			bad := bad // the two run at once
			bad.Name, bad.Number = "1.1", 11
			l, key := laptop(t)
			b := boxtest.Start(t, boxtest.Options{UEFI: uefi, Owner: key, Enrolled: true, Versions: []boxtest.Version{v1(), bad}})
			c, ctx := dial(t, l, b), patience(t)
			if err := c.Update(ctx, open(t, bad.Bundle(t, key)), new(stages)); err != nil {
				t.Fatal(err)
			}
			status, err := c.Await(ctx, 11)
			if err != nil {
				t.Fatal(err)
			}
			begins := "Version 1.1 was undone and 1.0 runs again: "
			if !strings.HasPrefix(status.Sentence, begins) || !strings.HasSuffix(status.Sentence, strings.TrimPrefix(want, "data: ")) || status.Version != "1.0" {
				t.Errorf("the box says %q, want %s", status.Sentence, want)
			}
			state, err := b.Wait(ctx, func(s boxtest.State) bool { return s.Open })
			if err != nil || state.Version != "1.0" || state.Data != "messages" {
				t.Errorf("the box is %+v: %v", state, err)
			}
		})
	}
}

func TestDuringATrialTheOutsideStaysClosed(t *testing.T) {
	l, key := laptop(t)
	hangs := boxtest.Version{Name: "1.1", Number: 11, Hangs: true}
	b := boxtest.Start(t, boxtest.Options{UEFI: true, Owner: key, Enrolled: true, Patience: agent.TrialPatience, Versions: []boxtest.Version{v1(), hangs}})
	c, ctx := dial(t, l, b), patience(t)
	if err := c.Update(ctx, open(t, hangs.Bundle(t, key)), new(stages)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Wait(ctx, func(s boxtest.State) bool { return s.Version == "1.1" }); err != nil {
		t.Fatal(err)
	}
	if s := b.State(); s.Open {
		t.Error("the outside is let in")
	}
	err := c.Update(ctx, open(t, boxtest.Version{Name: "1.2", Number: 12}.Bundle(t, key)), new(stages))
	if err == nil || err.Error() != "version 1.1 is on trial: wait until it is kept or undone" {
		t.Errorf("updating during a trial: %v", err)
	}
}

func TestOnlyTheOwnerIsObeyed(t *testing.T) {
	l, key := laptop(t)
	b := boxtest.Start(t, boxtest.Options{UEFI: true, Owner: key, Enrolled: true, Versions: []boxtest.Version{v1()}})
	stranger, strangers := laptop(t)
	c, ctx := dial(t, stranger, b), patience(t)
	want := "this box does not belong to your key, " + ota.Fingerprint(strangers.Public().(ed25519.PublicKey))
	bundle := open(t, v2().Bundle(t, strangers))
	for name, err := range map[string]error{
		"status": second(c.Status(ctx)), "logs": c.Logs(ctx, 5, false, io.Discard), "reboot": c.Reboot(ctx),
		"update": c.Update(ctx, bundle, new(stages)), "enrol": second(c.Enrol(ctx)),
	} {
		var refused *agent.Refusal
		if !errors.As(err, &refused) || refused.Status != http.StatusForbidden || refused.Message != want {
			t.Errorf("%s by a stranger: %v", name, err)
		}
	}
	if s := b.State(); s.Starts != 1 {
		t.Errorf("the box was started %d times", s.Starts)
	}
	if _, err := dial(t, l, b).Status(ctx); err != nil {
		t.Errorf("the owner: %v", err)
	}
	// Who shows no key gets no further than the handshake.
	response, err := (&http.Client{Transport: &http.Transport{}}).Get("https://" + b.Address + "/v1/status")
	if err == nil {
		response.Body.Close()
		t.Error("a client without a key is answered")
	}
	// The owner's connection with another's bundle.
	err = dial(t, l, b).Update(ctx, bundle, new(stages))
	if err == nil || !strings.HasPrefix(err.Error(), "the bundle is signed by ") {
		t.Errorf("another's bundle: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestTheFirstWhoAsksIsTheOwner(t *testing.T) {
	l, key := laptop(t)
	b := boxtest.Start(t, boxtest.Options{UEFI: true, Owner: key, Versions: []boxtest.Version{v1()}})
	c, ctx := dial(t, l, b), patience(t)
	if _, err := c.Status(ctx); err == nil || err.Error() != "this box has no owner yet: enrol first" {
		t.Errorf("before: %v", err)
	}
	if !c.First() {
		t.Error("the box was known")
	}
	enrolled, err := c.Enrol(ctx)
	if err != nil || enrolled.Owner != ota.Fingerprint(key.Public().(ed25519.PublicKey)) {
		t.Fatalf("enrolled %+v: %v", enrolled, err)
	}
	status, err := c.Status(ctx)
	if err != nil || status.Owner != enrolled.Owner || status.Box != enrolled.Box {
		t.Errorf("the status is %+v: %v", status, err)
	}
	other, _ := laptop(t)
	if _, err := dial(t, other, b).Enrol(ctx); err == nil {
		t.Error("a second one is enrolled too")
	}
	if err := c.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Wait(ctx, func(s boxtest.State) bool { return s.Starts == 2 && s.Open }); err != nil {
		t.Fatal(err)
	}
	if err := untilAnswered(ctx, func() error { return second(c.Status(ctx)) }); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if c := dial(t, l, b); c.First() {
		t.Error("the box is not known any more")
	}
}

// untilAnswered repeats what a box that restarts does not answer.
func untilAnswered(ctx context.Context, call func() error) error {
	for {
		err := call()
		var refused *agent.Refusal
		if err == nil || ctx.Err() != nil || errors.As(err, &refused) {
			return err
		}
	}
}

func TestAnotherBoxInItsPlaceIsNotTrusted(t *testing.T) {
	l, key := laptop(t)
	b := boxtest.Start(t, boxtest.Options{UEFI: true, Owner: key, Enrolled: true, Versions: []boxtest.Version{v1()}})
	ctx := patience(t)
	if _, err := dial(t, l, b).Status(ctx); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(l.Folder + "/boxes")
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ := strings.Cut(string(text), " ")
	line := host + " " + agent.FormatKey(stranger.Public().(ed25519.PublicKey)) + "\n"
	if err := os.WriteFile(l.Folder+"/boxes", []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = dial(t, l, b).Status(ctx)
	if err == nil || !strings.Contains(err.Error(), "somebody else answers in its place") {
		t.Errorf("another key: %v", err)
	}
	c, err := l.Dial(b.Address, "aaaa-aaaa-aaaa-aaaa", new(net.Dialer).DialContext)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Status(ctx); err == nil || !strings.Contains(err.Error(), "not aaaa-aaaa-aaaa-aaaa") {
		t.Errorf("another fingerprint: %v", err)
	}
}

// A connection that breaks, again and again, is gone on with, and what came is not sent again.
func TestAnUploadThatIsCutOffIsGoneOnWith(t *testing.T) {
	l, key := laptop(t)
	big := boxtest.Version{Name: "1.1", Number: 11, Size: 2 << 20}
	b := boxtest.Start(t, boxtest.Options{UEFI: true, Owner: key, Enrolled: true, Versions: []boxtest.Version{v1(), big}})
	var wire meter
	c, err := l.Dial(b.Address, "", wire.dial)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Pause = time.Millisecond
	ctx, s := patience(t), new(stages)
	bundle := open(t, big.Bundle(t, key))
	wire.limit = 1 << 20
	if err := c.Update(ctx, bundle, s); err != nil {
		t.Fatal(err)
	}
	if status, err := c.Await(ctx, 11); err != nil || status.Version != "1.1" {
		t.Errorf("version %s runs: %v", status.Version, err)
	}
	wire.mu.Lock()
	defer wire.mu.Unlock()
	if most := 2*s.total + 4*wire.limit; wire.connections < 3 || wire.sent > most {
		t.Errorf("%d bytes went over %d connections, for %d that were missing", wire.sent, wire.connections, s.total)
	}
}

// meter counts what is sent, and cuts connections that have sent enough.
type meter struct {
	mu          sync.Mutex // guards what follows
	limit       int64
	sent        int64
	connections int
}

func (m *meter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	m.mu.Lock()
	m.connections++
	m.mu.Unlock()
	return &metered{Conn: conn, meter: m}, err
}

type metered struct {
	net.Conn
	meter *meter
	sent  int64
}

func (m *metered) Write(p []byte) (int, error) {
	m.meter.mu.Lock()
	m.sent += int64(len(p))
	m.meter.sent += int64(len(p))
	over := m.sent > m.meter.limit
	m.meter.mu.Unlock()
	if over {
		m.Conn.Close()
		return 0, net.ErrClosed
	}
	return m.Conn.Write(p)
}

func TestTwoLaptopsAtOnce(t *testing.T) {
	l, key := laptop(t)
	b := boxtest.Start(t, boxtest.Options{UEFI: true, Owner: key, Enrolled: true, Versions: []boxtest.Version{v1(), v2()}})
	ctx := patience(t)
	first, second := dial(t, l, b), dial(t, l, b)
	bundle := open(t, v2().Bundle(t, key))
	var other error
	var once sync.Once
	s := &stages{each: func(int64) {
		once.Do(func() { other = second.Update(ctx, bundle, new(stages)) })
	}}
	if err := first.Update(ctx, bundle, s); err != nil {
		t.Fatal(err)
	}
	if other == nil || !strings.HasPrefix(other.Error(), "another update of this box is under way") {
		t.Errorf("the second laptop: %v", other)
	}
	if status, err := first.Await(ctx, 11); err != nil || status.Version != "1.1" {
		t.Errorf("version %s runs: %v", status.Version, err)
	}
}

func TestLogs(t *testing.T) {
	l, key := laptop(t)
	b := boxtest.Start(t, boxtest.Options{UEFI: true, Owner: key, Enrolled: true, Versions: []boxtest.Version{v1()}})
	write := func(text string) {
		t.Helper()
		file, err := os.OpenFile(b.Logs+"/0000000000000001.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = file.WriteString(text)
		}
		if err == nil {
			err = file.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("one\ntwo\nthree\n")
	c := dial(t, l, b)
	var out strings.Builder
	if err := c.Logs(patience(t), 2, false, &out); err != nil || out.String() != "two\nthree\n" {
		t.Errorf("the log is %q: %v", &out, err)
	}
	ctx, cancel := context.WithCancel(patience(t))
	defer cancel()
	r, w := io.Pipe()
	go c.Logs(ctx, 1, true, w) // until cancel
	line := make([]byte, 6)
	if _, err := io.ReadFull(r, line); err != nil || string(line) != "three\n" {
		t.Fatalf("following begins with %q: %v", line, err)
	}
	write("four\n")
	if _, err := io.ReadFull(r, line[:5]); err != nil || string(line[:5]) != "four\n" {
		t.Errorf("following goes on with %q: %v", line[:5], err)
	}
	cancel()
	r.Close()
	var refused *agent.Refusal
	if err := c.Logs(patience(t), -1, false, io.Discard); !errors.As(err, &refused) || refused.Status != http.StatusBadRequest {
		t.Errorf("-1 lines: %v", err)
	}
}

func TestKeysAsText(t *testing.T) {
	_, key := laptop(t)
	public := key.Public().(ed25519.PublicKey)
	if got, err := agent.ParseKey(agent.FormatKey(public) + "\n"); err != nil || !got.Equal(public) {
		t.Errorf("the key is read as %v: %v", got, err)
	}
	for _, bad := range []string{"", "ed25519:", "ed25519:AAAA", strings.TrimPrefix(agent.FormatKey(public), "ed25519:"), agent.FormatKey(public) + "A"} {
		if got, err := agent.ParseKey(bad); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := agent.ParseKey(text)
		if err == nil && agent.FormatKey(key) != strings.TrimSpace(text) {
			t.Errorf("%q is read as %s", text, agent.FormatKey(key))
		}
	})
}

// A new version that cannot serve its management port would never be replaced again, so it is undone.
func TestAVersionThatCannotBeManagedIsUndone(t *testing.T) {
	l, key := laptop(t)
	bad := v2()
	bad.Deaf = true
	b := boxtest.Start(t, boxtest.Options{UEFI: true, Owner: key, Enrolled: true, Versions: []boxtest.Version{v1(), bad}})
	c, ctx := dial(t, l, b), patience(t)
	if err := c.Update(ctx, open(t, bad.Bundle(t, key)), new(stages)); err != nil {
		t.Fatal(err)
	}
	status, err := c.Await(ctx, 11)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(status.Sentence, "Version 1.1 was undone and 1.0 runs again: reading the box's key: ") {
		t.Errorf("the box says %q", status.Sentence)
	}
}
