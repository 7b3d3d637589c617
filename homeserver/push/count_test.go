package push

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blobtest"
)

const alice, bob = matrix.UserID("@alice:here.example"), matrix.UserID("@bob:here.example")

// The example of the package's comment.
func TestCountRow(t *testing.T) {
	want, err := hex.DecodeString(strings.ReplaceAll("0e 04 02 0a 00 06 02 02  04 6d61696e 04  02 2474 02 00", " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	c := &counted{
		upTo: 7, start: 2, since: 1, rules: 5, kept: 7, read: readUpTo{threads: map[string]store.Order{"main": 2}},
		Counts: Counts{Main: Count{3, 1}, Threads: map[matrix.EventID]Count{"$t": {1, 0}}},
	}
	if got := appendCount(nil, c); !bytes.Equal(got, want) {
		t.Errorf("row %x, want %x", got, want)
	}
	if got, ok := readCount(want); !ok || !reflect.DeepEqual(got, c) {
		t.Errorf("read %+v %v", got, ok)
	}
}

func FuzzReadCount(f *testing.F) {
	f.Add(appendCount(nil, &counted{upTo: 1, read: readUpTo{threads: map[string]store.Order{"main": 1}}, Counts: Counts{Threads: map[matrix.EventID]Count{"$": {1, 1}}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, ok := readCount(data)
		if !ok {
			return
		}
		if again, ok := readCount(appendCount(nil, c)); !ok || !reflect.DeepEqual(again, c) {
			t.Errorf("%+v became %+v", c, again)
		}
	})
}

func wantCount(t testing.TB, what string, got Count, n, highlights int64) {
	t.Helper()
	if got != (Count{n, highlights}) {
		t.Errorf("%s: %+v, want {%d %d}", what, got, n, highlights)
	}
}

// TestCountsOverRestart counts again, from what was written down and from nothing, and finds the same.
func TestCountsOverRestart(t *testing.T) {
	backend := blobtest.NewMemory()
	var r *store.Room
	var root matrix.EventID
	t.Run("before", func(t *testing.T) {
		w := newWorld(t, backend)
		r = w.room(alice, bob)
		root = w.say(r, alice, "root")
		for range countsKept {
			w.say(r, alice, "x")
		}
		w.reply(r, alice, root)
		wantCount(t, "main", w.counts(r, bob).Main, countsKept+1, 0)
		if row, err := w.store.Row(context.Background(), tableCounts, countRow(countKey{bob, r.Num})); err != nil {
			t.Fatal(err)
		} else if row != nil {
			t.Log("written down before it is durable") // it may be, and need not
		}
	})
	for _, what := range []string{"from the row", "once more"} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, backend)
			row, err := w.store.Row(context.Background(), tableCounts, countRow(countKey{bob, r.Num}))
			if err != nil || row == nil {
				t.Fatalf("no row: %v", err)
			}
			if c, ok := readCount(row); !ok || c.upTo < countsKept {
				t.Errorf("row %+v", c)
			}
			c := w.counts(r, bob)
			wantCount(t, "main", c.Main, countsKept+1, 0)
			wantCount(t, "thread", c.Threads[root], 1, 0)
			wantCount(t, "all", c.Total(), countsKept+2, 0)
		})
	}
	t.Run("after reading", func(t *testing.T) {
		w := newWorld(t, backend)
		w.read(r, bob, Read, "main", root)
		c := w.counts(r, bob)
		wantCount(t, "main", c.Main, countsKept, 0)
		wantCount(t, "thread", c.Threads[root], 1, 0)
	})
}

// TestCountsAgainstModel does random things and counts them in the plainest way.
func TestCountsAgainstModel(t *testing.T) {
	w := memory(t)
	r := w.room(alice, bob)
	rnd := rand.New(rand.NewPCG(1, 2))
	type sent struct {
		id      matrix.EventID
		thread  matrix.EventID // "" is main
		own     bool
		deleted bool
	}
	var all []sent
	read := map[string]int{} // by thread or "" for all: so many of all are read
	for step := range 400 {
		switch k := rnd.IntN(20); {
		case k < 8 || len(all) == 0:
			all = append(all, sent{id: w.say(r, alice, fmt.Sprint(step))})
		case k < 13:
			root := all[rnd.IntN(len(all))]
			if root.thread != "" || root.deleted {
				continue
			}
			all = append(all, sent{id: w.reply(r, alice, root.id), thread: root.id})
		case k < 14:
			all = append(all, sent{id: w.say(r, bob, fmt.Sprint(step)), own: true})
		case k < 16:
			i := rnd.IntN(len(all))
			if all[i].deleted {
				continue
			}
			all[i].deleted = true
			_, err := w.rooms.Redact(context.Background(), r, room.Redaction{Sender: alice, Device: "D", Target: all[i].id, Content: []byte("{}"), Txn: fmt.Sprint("r", step)})
			w.must(err)
		case k < 19:
			i := rnd.IntN(len(all))
			thread := string(all[i].thread)
			if thread == "" {
				thread = "main"
			}
			if all[i].deleted {
				continue
			}
			w.read(r, bob, []string{Read, ReadPrivate}[rnd.IntN(2)], thread, all[i].id)
			read[thread] = max(read[thread], i+1)
		default:
			i := rnd.IntN(len(all))
			w.read(r, bob, Read, "", all[i].id)
			read[""] = max(read[""], i+1)
		}
		want := Counts{Threads: map[matrix.EventID]Count{}}
		for i, s := range all {
			name := string(s.thread)
			if name == "" {
				name = "main"
			}
			switch {
			case s.own:
				want.Main = Count{} // bob's own are in the main timeline
			case s.deleted || i < read[""] || i < read[name]:
			case s.thread == "":
				want.Main.Notifications++
			default:
				c := want.Threads[s.thread]
				c.Notifications++
				want.Threads[s.thread] = c
			}
		}
		got := w.counts(r, bob)
		if got.Main.Notifications != want.Main.Notifications || fmt.Sprint(got.Threads) != fmt.Sprint(want.Threads) {
			t.Fatalf("step %d: %+v, want %+v", step, got, want)
		}
		if step%50 == 0 { // and from the beginning
			w.push = New(w.store, w.push.accounts, nil)
		}
	}
}

// TestWhoIsToldFindsTheChange asks for counts and rules as soon as a follower of the log may know of a change.
func TestWhoIsToldFindsTheChange(t *testing.T) {
	w := memory(t)
	r := w.room(alice, bob)
	ctx := context.Background()
	var done sync.WaitGroup
	defer done.Wait()
	const rounds = 200
	var ids []matrix.EventID
	for i := range rounds {
		ids = append(ids, w.say(r, alice, fmt.Sprint(i)))
	}
	pos := w.store.Durable()
	done.Go(func() {
		receipts, changes := int64(0), store.Pos(0)
		for receipts < rounds {
			notes, err := w.store.Follow(ctx, pos)
			if err != nil {
				t.Error(err)
				return
			}
			for _, n := range notes {
				pos = n.Pos
				switch n.Kind {
				case store.KindReceipt:
					receipts++
				case store.KindPushRules:
					changes = n.Pos
				}
			}
			if c, err := w.push.Counts(ctx, bob, r, 1); err != nil || c.Main.Notifications > rounds-receipts {
				t.Errorf("%d unread after %d receipts: %v", c.Main.Notifications, receipts, err)
				return
			}
			if rs, err := w.push.Rules(ctx, bob); err != nil || rs.Pos < changes {
				t.Errorf("rules %+v when they had changed at %d: %v", rs, changes, err)
				return
			}
		}
	})
	for i, id := range ids {
		done.Go(func() { // somebody looks all the time
			w.push.Counts(ctx, bob, r, 1)
			w.push.Rules(ctx, bob)
		})
		w.read(r, bob, Read, "", id)
		w.must(w.push.Put(context.Background(), bob, "sender", Rule{ID: fmt.Sprint("@x", i%7, ":y"), Actions: actions()}, "", ""))
	}
}

// TestThreadsAreBounded counts what is in too many threads with the main timeline.
func TestThreadsAreBounded(t *testing.T) {
	n := &counting{c: &counted{}}
	for i := range maxThreads + 10 {
		n.set(matrix.EventID(fmt.Sprint("$", i)), Count{1, 1})
	}
	if len(n.c.Threads) != maxThreads || n.c.Main != (Count{10, 10}) {
		t.Errorf("%d threads, main %+v", len(n.c.Threads), n.c.Main)
	}
	if total := n.c.Total(); total.Notifications != maxThreads+10 {
		t.Errorf("total %+v", total)
	}
}

func TestRuleLimits(t *testing.T) {
	w := memory(t)
	ctx := context.Background()
	put := func(id string, size int) error {
		pattern := strings.Repeat("x", size)
		return w.push.Put(ctx, bob, "content", Rule{ID: id, Actions: actions(), Pattern: &pattern}, "", "")
	}
	if err := put("big", maxRuleBytes); err == nil {
		t.Error("a rule of more than the limit was taken")
	}
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		err = put(fmt.Sprint(n), maxRuleBytes-200)
	}
	if err == nil || n > maxRules/(maxRuleBytes-200)+1 {
		t.Errorf("%d large rules were taken: %v", n, err)
	}
	if rs, err := w.push.Rules(ctx, bob); err != nil || len(rs.Global()["content"]) != n-1 {
		t.Errorf("%v", err)
	}
	w.must(w.push.update(ctx, alice, func(st *stored) error {
		st.Own = map[string][]Rule{}
		for i := range maxOwnRules {
			st.Own["sender"] = append(st.Own["sender"], Rule{ID: fmt.Sprint(i), Actions: actions()})
		}
		return nil
	}))
	if w.push.Put(ctx, alice, "sender", Rule{ID: "one more", Actions: actions()}, "", "") == nil {
		t.Error("more than the greatest number of rules")
	}
	if err := w.push.Put(ctx, alice, "sender", Rule{ID: "5", Actions: actions()}, "7", ""); err != nil {
		t.Errorf("moving one of the greatest number: %v", err)
	}
	long := json.RawMessage(`{"set_tweak":"sound","value":"` + strings.Repeat("x", maxRuleBytes) + `"}`)
	if err := w.push.SetActions(ctx, alice, "sender", "5", []json.RawMessage{long}); err == nil {
		t.Error("actions of more than the limit were taken")
	}
}
