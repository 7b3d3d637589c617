package blobtest

import (
	"sync"
	"testing"
	"time"

	"hearth/storage/blob"
)

var (
	h1, h2, h3 = blob.Sum([]byte("1")), blob.Sum([]byte("2")), blob.Sum([]byte("3"))
	when       = time.Date(2025, 3, 4, 5, 6, 7, 89e6, time.UTC)
)

func edit(name string, old, next blob.Hash) blob.RootEdit {
	return blob.RootEdit{Name: name, Old: old, New: next, Time: when, Message: "because"}
}

func move(s blob.Applier, t *testing.T, e blob.RootEdit) error {
	return s.Apply(t.Context(), &blob.Batch{Roots: []blob.RootEdit{e}})
}

func wantRoot(t *testing.T, s blob.Roots, name string, want blob.Hash) blob.Commit {
	t.Helper()
	c, ok, err := s.Root(t.Context(), name)
	must(t, err)
	if ok == want.IsZero() || c.Hash != want {
		t.Fatalf("root %s names %v (%v), want %v", name, c.Hash, ok, want)
	}
	return c
}

func rootsMove(t *testing.T, s blob.Store) {
	wantKind(t, move(s, t, edit("r", h1, h2)), blob.Conflict) // does not exist
	must(t, move(s, t, edit("r", blob.Hash{}, h1)))
	c := wantRoot(t, s, "r", h1)
	if !c.Time.Equal(when) || c.Time.Location() != time.UTC || c.Message != "because" || c.Seq != 1 || !c.Parent.IsZero() {
		t.Fatalf("first commit is %+v", c)
	}
	wantKind(t, move(s, t, edit("r", blob.Hash{}, h2)), blob.Conflict) // exists
	wantKind(t, move(s, t, edit("r", h2, h3)), blob.Conflict)          // names another
	must(t, move(s, t, edit("r", h1, h2)))
	if c := wantRoot(t, s, "r", h2); c.Seq != 2 || c.Parent != h1 {
		t.Fatalf("second commit is %+v", c)
	}
	must(t, move(s, t, edit("r", h2, h2))) // asserts that it names this
	if c := wantRoot(t, s, "r", h2); c.Seq != 2 || c.Parent != h1 {
		t.Fatalf("the commit after an assertion is %+v", c)
	}
	wantKind(t, move(s, t, edit("r", h1, h1)), blob.Conflict)
	must(t, move(s, t, edit("r", h2, blob.Hash{})))
	wantRoot(t, s, "r", blob.Hash{})
	wantKind(t, move(s, t, edit("r", h2, h3)), blob.Conflict) // removed
	must(t, move(s, t, edit("r", blob.Hash{}, blob.Hash{})))  // asserts that it does not exist
	must(t, move(s, t, edit("r", blob.Hash{}, h3)))
	if c := wantRoot(t, s, "r", h3); c.Seq != 4 || !c.Parent.IsZero() {
		t.Fatalf("commit after removal is %+v", c)
	}
	wantKind(t, move(s, t, edit("r", blob.Hash{}, blob.Hash{})), blob.Conflict)
	_, _, err := s.Root(t.Context(), "")
	wantKind(t, err, blob.Invalid)
}

func rootsHistory(t *testing.T, s blob.Store) {
	hashes := []blob.Hash{{}, h1, h2, h3, {}, h1}
	for i := 1; i < len(hashes); i++ {
		e := edit("r", hashes[i-1], hashes[i])
		e.Keep = i != 3 // h2 is not kept
		must(t, move(s, t, e))
		must(t, move(s, t, edit("r\x00", hashes[i-1], hashes[i]))) // a neighbour in name, nothing kept
	}
	var got []blob.Hash
	history, err := s.History(t.Context(), "r", 100)
	must(t, err)
	for _, c := range history {
		got = append(got, c.Hash)
	}
	want := []blob.Hash{h1, {}, h3, h1}
	if len(got) != len(want) {
		t.Fatalf("history has %d commits, want %d: %+v", len(got), len(want), history)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("commit %d names %v, want %v", i, got[i], want[i])
		}
	}
	if history[0].Seq != 5 || history[3].Seq != 1 || history[2].Parent != h2 || history[1].Parent != h3 {
		t.Fatalf("history is %+v", history)
	}
	two, err := s.History(t.Context(), "r", 2)
	must(t, err)
	if len(two) != 2 || two[0] != history[0] || two[1] != history[1] {
		t.Fatalf("two commits of history are %+v", two)
	}
	if only, err := s.History(t.Context(), "r\x00", 100); err != nil || len(only) != 1 || only[0].Seq != 5 {
		t.Fatalf("history that was not kept is %+v, %v", only, err)
	}
}

func rootsListed(t *testing.T, s blob.Store) {
	var b blob.Batch
	for _, name := range []string{"b/2", "a", "b/1", "c", "b", "b0"} {
		b.Roots = append(b.Roots, edit(name, blob.Hash{}, h1))
	}
	apply(t, s, &b)
	must(t, move(s, t, edit("c", h1, blob.Hash{})))
	for prefix, want := range map[string][]string{
		"": {"a", "b", "b/1", "b/2", "b0"}, "b": {"b", "b/1", "b/2", "b0"}, "b/": {"b/1", "b/2"}, "c": nil, "zzz": nil,
	} {
		names, err := s.RootNames(t.Context(), prefix)
		must(t, err)
		wantStrings(t, names, want...)
	}
}

// rootsRace lets writers move one root by optimistic edits and counts that none is lost.
func rootsRace(t *testing.T, s blob.Store) {
	const writers, each = 8, 20
	must(t, move(s, t, edit("r", blob.Hash{}, h1)))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for done := 0; done < each; {
				c, _, err := s.Root(t.Context(), "r")
				if err != nil {
					t.Error(err)
					return
				}
				next := blob.Sum(append(c.Hash[:], byte(w), byte(done)))
				switch err := move(s, t, edit("r", c.Hash, next)); {
				case err == nil:
					done++
				case blob.KindOf(err) != blob.Conflict:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if c, _, err := s.Root(t.Context(), "r"); err != nil || c.Seq != writers*each+1 {
		t.Fatalf("after %d edits the root is at %d, %v", writers*each+1, c.Seq, err)
	}
}
