package badgerstore

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// rounds is how often the store is killed; HEARTH_SOAK sets it for long runs.
func rounds(t *testing.T, short int) int {
	n, err := strconv.Atoi(os.Getenv("HEARTH_SOAK"))
	if err != nil || n <= 0 {
		return short
	}
	return n
}

// child prepares a process that runs a verb of child_test.go.
func child(t testing.TB, args ...any) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+strings.TrimSuffix(fmt.Sprintln(args...), "\n"))
	return cmd
}

// TestKill kills the store under load again and again, and cuts its power in between.
func TestKill(t *testing.T) {
	testKill(t, rounds(t, 30), func(string, *rand.Rand) {})
}

// TestPowerCut also takes away, after each kill, what was written and not synced.
func TestPowerCut(t *testing.T) {
	testKill(t, rounds(t, 30), func(dir string, rnd *rand.Rand) { cutPower(t, dir, rnd) })
}

func testKill(t *testing.T, rounds int, cut func(dir string, rnd *rand.Rand)) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	acked := make([]int, crashWriters)
	for round := range rounds {
		crashRound(t, round, dir, acked, rnd)
		cut(dir, rnd)
	}
	t.Logf("acknowledged %d", acked)
}

// crashRound lets the child check what was acknowledged before, and kills it after some batches more.
func crashRound(t *testing.T, round int, dir string, acked []int, rnd *rand.Rand) {
	args := []any{"crash", dir}
	for _, n := range acked {
		args = append(args, n)
	}
	cmd := child(t, args...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	left, gentle := rnd.IntN(150), rnd.IntN(8) == 0
	checked := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var w, n int
		if _, err := fmt.Sscan(lines.Text(), &w, &n); err == nil {
			acked[w] = n
		}
		checked = checked || lines.Text() == "checked"
		switch left--; {
		case left >= 0:
		case gentle:
			in.Close()
		default:
			_ = cmd.Process.Kill() // what it wrote before is still read
		}
	}
	err = cmd.Wait()
	if complaint.Len() > 0 || gentle && err != nil || !checked && left < 0 && round > 0 {
		t.Fatalf("round %d: %v\n%s", round, err, &complaint)
	}
}

// cutPower does to the folder what a loss of power may do after a kill: what was not synced is lost, in part or whole.
func cutPower(t *testing.T, dir string, rnd *rand.Rand) {
	lsm := filepath.Join(dir, "lsm")
	entries, err := os.ReadDir(lsm)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries { // Badger's own log and the like are never synced
		if path := filepath.Join(lsm, e.Name()); !strings.HasSuffix(path, ".sst") && e.Name() != "MANIFEST" && rnd.IntN(2) == 0 {
			if err := os.Truncate(path, rnd.Int64N(1<<16)); err != nil {
				t.Fatal(err)
			}
		}
	}
	m, _, err := openMark(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer m.f.Close()
	if m.mark.clean || m.mark.count == 0 {
		return
	}
	tearLog(t, dir, m.mark, rnd)
	if m.mark.high > m.mark.base && rnd.IntN(2) == 0 { // the newest mark was not synced
		older := m.mark
		older.high--
		older.count--
		if _, err := m.f.WriteAt(older.encode(), int64(older.count%2)*markSlot); err != nil {
			t.Fatal(err)
		}
		if _, err := m.f.WriteAt(make([]byte, markSlot), int64(m.mark.count%2)*markSlot); err != nil {
			t.Fatal(err)
		}
	}
}

// tearLog leaves the beginning of another record, or none, after the last one that was acknowledged.
func tearLog(t *testing.T, dir string, m mark, rnd *rand.Rand) {
	var lastSize int64
	var lastSeq uint64
	found, err := scanLog(dir, m, func(r record) error {
		lastSize, lastSeq = int64(r.size), r.seq
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		return
	}
	last := found[len(found)-1]
	if last.last == lastSeq && lastSeq > m.high { // written, and perhaps never synced
		last.end -= lastSize
	} else if lastSeq > m.high {
		return
	}
	f, err := os.OpenFile(segmentPath(dir, last.number), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	torn := make([]byte, recordAlign*(2+rnd.IntN(40)))
	for i := range torn {
		torn[i] = byte(rnd.Uint32())
	}
	sealRecord(torn, m.salt, last.number, max(m.high, last.last)+1, len(torn)-recordHeader)
	for i := 0; i < len(torn); i += recordAlign { // any of its sectors may not have been written
		if rnd.IntN(2) == 0 || i == len(torn)-recordAlign {
			clear(torn[i : i+recordAlign])
		}
	}
	if _, err := f.WriteAt(torn, last.end); err != nil {
		t.Fatal(err)
	}
	if rnd.IntN(4) == 0 { // the file did not grow either
		if err := f.Truncate(last.end + rnd.Int64N(int64(len(torn)))); err != nil {
			t.Fatal(err)
		}
	}
}
