package badgerstore

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth/storage/blob"
)

// childEnv makes the test binary a child process: "verb folder arguments".
const childEnv = "HEARTH_BADGERSTORE_CHILD"

func TestMain(m *testing.M) {
	verb, args, _ := strings.Cut(os.Getenv(childEnv), " ")
	run, ok := map[string]func(args []string) error{
		"crash": crashChild, "sync": syncChild, "full": fullChild, "idle": idleChild,
	}[verb]
	if !ok {
		os.Exit(m.Run())
	}
	if err := run(strings.Fields(args)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

const crashWriters = 6

// crashBatch is the n-th batch of a writer: parts that only make sense together.
func crashBatch(w, n int, life string) *blob.Batch {
	b := &blob.Batch{ID: blob.BatchID{Seq: uint64(n)}}
	copy(b.ID.Session[:], fmt.Sprintf("writer %d", w))
	h := b.Put(crashBlob(w, n))
	b.Set("count", fmt.Append(nil, w), fmt.Append(nil, n))
	b.Set("log", fmt.Appendf(nil, "%d/%08d", w, n), h[:])
	b.Set("life", fmt.Appendf(nil, "%d/%08d", w, n), []byte(life)) // who applied it, if it is sent twice
	if n > 1 {
		b.Delete("last", fmt.Appendf(nil, "%d/%08d", w, n-1))
	}
	b.Set("last", fmt.Appendf(nil, "%d/%08d", w, n), nil)
	edit := blob.RootEdit{Name: fmt.Sprint("root", w), New: h, Time: time.UnixMilli(int64(n)), Keep: n%10 == 0}
	if n > 1 {
		edit.Old = blob.Sum(crashBlob(w, n-1))
	}
	b.Roots = []blob.RootEdit{edit}
	return b
}

func crashBlob(w, n int) []byte {
	size := 100 + n*37%900
	if n%50 == 0 {
		size = 300_000
	}
	out := make([]byte, size)
	copy(out, fmt.Sprintf("%d %d", w, n))
	return out
}

// crashChild checks what the parent knows to be acknowledged, then writes and tells until it is killed, or closes
// properly at the end of its input.
func crashChild(args []string) error {
	acked := make([]int, crashWriters)
	for w := range acked {
		n, err := strconv.Atoi(args[1+w])
		if err != nil {
			return err
		}
		acked[w] = n
	}
	db, err := Open(args[0], Options{ScrubAtOpen: int64(os.Getpid()%3-1) << 20})
	if err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	s, err := db.Namespace("n")
	if err != nil {
		return err
	}
	done := make([]int, crashWriters)
	for w := range acked {
		if done[w], err = crashCheck(s, w, acked[w]); err != nil {
			return fmt.Errorf("writer %d, %d acknowledged: %w", w, acked[w], err)
		}
	}
	if os.Getpid()%8 == 0 {
		if err := crashVerify(s); err != nil {
			return err
		}
	}
	fmt.Println("checked")
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	var wg sync.WaitGroup
	failed := make(chan error, crashWriters)
	for w := range crashWriters {
		wg.Go(func() { failed <- crashWrite(s, w, max(done[w], 1), stop) })
	}
	wg.Wait()
	for range crashWriters {
		if err := <-failed; err != nil {
			return err
		}
	}
	return db.Close()
}

// crashWrite sends the last batch again, and then new ones.
func crashWrite(s blob.Store, w, n int, stop chan struct{}) error {
	for ; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := s.Apply(context.Background(), crashBatch(w, n, fmt.Sprint(os.Getpid()))); err != nil {
			return fmt.Errorf("writer %d, batch %d: %w", w, n, err)
		}
		fmt.Printf("%d %d\n", w, n)
	}
}

// crashCheck returns how many batches of the writer are there, all of them whole.
func crashCheck(s blob.Store, w, acked int) (int, error) {
	ctx := context.Background()
	got, err := s.Rows(ctx, blob.RowKey{Table: "count", Key: fmt.Append(nil, w)})
	if err != nil {
		return 0, err
	}
	n, _ := strconv.Atoi(string(got[0]))
	if n < acked || n > acked+1 && acked > 0 {
		return 0, fmt.Errorf("%d batches are there", n)
	}
	if n == 0 {
		return 0, nil
	}
	c, ok, err := s.Root(ctx, fmt.Sprint("root", w))
	if err != nil || !ok || c.Hash != blob.Sum(crashBlob(w, n)) || c.Seq != uint64(n) {
		return 0, fmt.Errorf("batch %d is there and its root is %+v, %v, %v", n, c, ok, err)
	}
	history, err := s.History(ctx, fmt.Sprint("root", w), 3)
	if err != nil || len(history) == 0 || history[0] != c || len(history) > 1 && history[1].Seq%10 != 9 {
		return 0, fmt.Errorf("history is %+v, %v", history, err)
	}
	var last []string
	for row, err := range s.Scan(ctx, blob.Prefix("last", fmt.Appendf(nil, "%d/", w))) {
		if err != nil {
			return 0, err
		}
		last = append(last, string(row.Key))
	}
	if len(last) != 1 || last[0] != fmt.Sprintf("%d/%08d", w, n) {
		return 0, fmt.Errorf("batch %d is there and the last is %q", n, last)
	}
	return n, crashCheckLog(s, w, n)
}

// crashCheckLog checks the log's end, or all of it now and then, with the blobs that it names.
func crashCheckLog(s blob.Store, w, n int) error {
	r := blob.Prefix("log", fmt.Appendf(nil, "%d/", w))
	r.Reverse = true
	if os.Getpid()%8 != 0 {
		r.Limit = 20
	}
	i := n
	for row, err := range s.Scan(context.Background(), r) {
		if err != nil {
			return err
		}
		h := blob.Sum(crashBlob(w, i))
		if string(row.Key) != fmt.Sprintf("%d/%08d", w, i) || string(row.Value) != string(h[:]) {
			return fmt.Errorf("log has %s where %d should be", row.Key, i)
		}
		if got, err := s.Get(context.Background(), h); err != nil || got[0] == nil {
			return fmt.Errorf("blob %d is missing, %v", i, err)
		}
		i--
	}
	if r.Limit == 0 && i != 0 {
		return fmt.Errorf("log begins with %d", i+1)
	}
	return nil
}

func crashVerify(s blob.Store) error {
	v, err := s.Verify(context.Background(), func(d blob.Damage) { fmt.Fprintf(os.Stderr, "%+v\n", d) })
	if err == nil && v.Damaged > 0 {
		err = fmt.Errorf("%d things are damaged", v.Damaged)
	}
	return err
}
