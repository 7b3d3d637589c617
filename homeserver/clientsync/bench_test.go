package clientsync

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/storage/badgerstore"
	"hearth/storage/blob"
	"hearth/storage/socket"
)

// throughSocket opens a store on disk and reaches it as the homeserver does, through the socket.
func throughSocket(b *testing.B) blob.Store {
	b.Helper()
	db, err := badgerstore.Open(b.TempDir(), badgerstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- socket.Serve(ctx, l, db.Namespace, socket.ServerOptions{
			Namespaces: map[string][]uint32{"homeserver": {uint32(os.Getuid())}},
		})
	}()
	client, err := socket.Dial(ctx, path, "homeserver", socket.ClientOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		client.Close()
		cancel()
		<-served
		db.Close()
	})
	return client
}

// discard is a ResponseWriter that counts.
type discard struct {
	header http.Header
	size   int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(p []byte) (int, error) {
	d.size += len(p)
	return len(p), nil
}

// processor returns the processor time that this process, the storage program's part included, has used so far. Unlike
// the wall clock it does not measure what else runs on the machine.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// manyRooms makes the rooms of the first sync that the issue measures.
func manyRooms(w *world, n int) account.Session {
	owner, other := w.user("owner"), w.user("other")
	var wg sync.WaitGroup
	for part := range 8 {
		wg.Go(func() {
			for i := part; i < n; i += 8 {
				r := w.room(fmt.Sprint("Room ", i), owner, other)
				for range 5 {
					w.say(r, other, "Are you there?")
				}
			}
		})
	}
	wg.Wait()
	return owner
}

// BenchmarkInitialSync200 answers the first sync of an account with 200 rooms: just after a start with nothing in
// memory (cold), as the first such sync (first), and again.
func BenchmarkInitialSync200(b *testing.B) {
	backend := throughSocket(b)
	w := newWorld(b, backend)
	owner := manyRooms(w, 200)
	var used time.Duration
	var n int
	run := func(b *testing.B, w *world) {
		d := &discard{header: make(http.Header)}
		begin := processor()
		if err := w.sync.Sync(context.Background(), d, owner, Request{}); err != nil {
			b.Fatal(err)
		}
		used, n = used+processor()-begin, n+1
		b.ReportMetric(float64(d.size)/1024, "KB")
		b.ReportMetric(float64(used.Microseconds())/1000/float64(n), "cpu-ms/op")
	}
	log := slog.New(slog.DiscardHandler)
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		used, n = 0, 0
		for b.Loop() {
			b.StopTimer()
			w.sync.Close()
			w.startSync(log)
			b.StartTimer()
			run(b, w)
		}
	})
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		used, n = 0, 0
		for b.Loop() {
			run(b, w)
		}
	})
	w.close()
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		used, n = 0, 0
		for b.Loop() {
			b.StopTimer()
			w := newWorld(b, backend)
			b.StartTimer()
			run(b, w)
			b.StopTimer()
			w.close()
			b.StartTimer()
		}
	})
}

// BenchmarkWake99 sends a message to 99 members who poll, and waits until each has it. An operation is one message;
// the metric is the processor time of one member's answer, with its part of the sending.
func BenchmarkWake99(b *testing.B) {
	const members = 99
	w := newWorld(b, throughSocket(b))
	defer w.close()
	sender := w.user("sender")
	var sessions []account.Session
	for i := range members {
		sessions = append(sessions, w.user(fmt.Sprint("member", i)))
	}
	r := w.room("Room", sender, sessions...)
	for _, f := range []struct{ name, filter string }{{"plain", ""}, {"lazy", `{"room":{"state":{"lazy_load_members":true}}}`}} {
		b.Run(f.name, func(b *testing.B) { benchmarkWake(b, w, r, sender, sessions, f.filter) })
	}
}

func benchmarkWake(b *testing.B, w *world, r *store.Room, sender account.Session, sessions []account.Session, filter string) {
	var ready, got sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ready.Add(len(sessions))
	for _, s := range sessions {
		go func() {
			since := w.mustAsk(s, "", 0).NextBatch
			for first := true; ; first = false {
				if first {
					ready.Done()
				}
				rec := recorder{}
				q := Request{Since: since, Timeout: time.Minute, Filter: []byte(filter)}
				if err := w.sync.Sync(ctx, &rec, s, q); err != nil {
					return
				}
				since = nextBatch(rec.body)
				if bytes.Contains(rec.body, []byte(`"hello"`)) { // and not who is there
					got.Done()
				}
			}
		}()
	}
	ready.Wait()
	b.ReportAllocs()
	begin := processor()
	for b.Loop() {
		got.Add(len(sessions))
		w.say(r, sender, "hello")
		got.Wait()
	}
	b.ReportMetric(float64((processor()-begin).Microseconds())/float64(b.N)/float64(len(sessions)), "cpu-µs/member")
}

// nextBatch cuts the token out of an answer.
func nextBatch(body []byte) string {
	const head = `{"next_batch":"`
	body = body[len(head):]
	for i, c := range body {
		if c == '"' {
			return string(body[:i])
		}
	}
	panic(io.ErrUnexpectedEOF)
}
