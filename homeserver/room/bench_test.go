package room

import (
	"strconv"
	"sync/atomic"
	"testing"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/badgerstore"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// onDisk opens Badger in a folder of its own.
func onDisk(b *testing.B) blob.Store {
	b.Helper()
	db, err := badgerstore.Open(b.TempDir(), badgerstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	ns, err := db.Namespace("homeserver")
	if err != nil {
		b.Fatal(err)
	}
	return ns
}

// BenchmarkSend sends text messages of a transaction each into one room: by one sender after the other's answer, or by
// eight at once. It reports what goes to the store for a message, in bytes.
func BenchmarkSend(b *testing.B) {
	for _, backend := range []struct {
		name string
		open func(*testing.B) blob.Store
	}{{"memory", func(*testing.B) blob.Store { return blobtest.NewMemory() }}, {"badger", onDisk}} {
		for _, senders := range []int{1, 8} {
			b.Run(backend.name+"/"+strconv.Itoa(senders), func(b *testing.B) {
				benchmarkSend(b, backend.open(b), senders)
			})
		}
	}
}

func benchmarkSend(b *testing.B, backend blob.Store, senders int) {
	w := &world{t: b}
	w.start(backend)
	r, users := members(w, senders)
	content := []byte(`{"body":"Was ist schöner als ein Sonntag im Garten? Zwei davon.","msgtype":"m.text"}`)
	before, err := backend.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	done := make(chan error)
	for _, user := range users {
		go func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					done <- nil
					return
				}
				m := Message{Sender: user, Device: "ABCDEFGH", Type: "m.room.message", Content: content, Txn: "m" + strconv.FormatInt(n, 10)}
				if _, err := w.rooms.Send(b.Context(), r, m); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range users {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	after, err := backend.Stats(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(after.LogicalBytes-before.LogicalBytes)/float64(b.N), "B/stored")
}

// BenchmarkJoin lets users join one public room, one after the other's answer.
func BenchmarkJoin(b *testing.B) {
	w := &world{t: b}
	w.start(blobtest.NewMemory())
	r := w.create(Creation{Preset: "public_chat"})
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		user := matrix.UserID("@user" + strconv.Itoa(n) + ":here.example")
		n++
		if err := w.change(r, user, user, "join"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCreate makes rooms, a hundred for each user.
func BenchmarkCreate(b *testing.B) {
	w := &world{t: b}
	w.start(blobtest.NewMemory())
	b.ReportAllocs()
	var r *store.Room
	n := 0
	for b.Loop() {
		r = w.create(Creation{Creator: matrix.UserID("@user" + strconv.Itoa(n/100) + ":here.example")})
		n++
	}
	if r.Joined != 1 {
		b.Errorf("%d joined", r.Joined)
	}
}
