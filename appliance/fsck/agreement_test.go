package fsck_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"hearth/appliance/fsck"
)

// TestAgreement changes single bytes of file systems' parts, and gives the parts right checksums: we and e2fsck find the same of them
// sound. HEARTH_FSCK_ROUNDS says how many, 30 if it is not set.
func TestAgreement(t *testing.T) {
	rounds := 30
	if text := os.Getenv("HEARTH_FSCK_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	luck := rand.New(rand.NewPCG(uint64(rounds), 7))
	for _, p := range []patient{{t, ours(t, 32*mib)}, {t, theirs(t, 32*mib, 200)}} {
		text, err := os.ReadFile(p.file)
		if err != nil {
			t.Fatal(err)
		}
		var all []part
		if bytes.Contains(text, []byte("000003.sst")) {
			all = parts(p, text, oursPaths(), nil)
		} else {
			all = parts(p, text, theirsPaths(), theirsTrees())
		}
		for range rounds {
			part := all[luck.IntN(len(all))]
			at, value := luck.IntN(min(part.size, 1024)), byte(luck.UintN(256))
			if luck.IntN(2) == 0 {
				at = luck.IntN(min(part.size, 160))
			}
			if part.at == 1024 && (at >= 44 && at < 52 || at >= 64 && at < 68 || at >= 628) { // times, which e2fsck compares with its clock
				continue
			}
			changed := bytes.Clone(text[part.at:][:part.size])
			changed[at] = value
			part.seal(changed)
			file := reproduce(t, text)
			patient{t, file}.change(part.at, part.size, func(b []byte) { copy(b, changed) })
			isSound, out := judge(t, file)
			r, err := check(t, file)
			stricter := false // of what Linux heeds
			if isSound && err == nil {
				stricter = strings.Contains(r.String(), "it has flags that no file here has") || strings.Contains(r.String(), "no reserved inode has")
			}
			if err != nil && isSound || err == nil && r.Sound() != isSound && !stricter {
				t.Errorf("byte %d of the part at %d is %d: we say %v, %v; e2fsck says\n%s", at, part.at, value, r, err, out)
			}
			os.Remove(file)
			if err != nil || !r.Repairable() {
				continue
			}
			disk := &layered{below: bytes.Clone(text), above: make(map[int64][]byte)}
			disk.WriteAt(changed, part.at)
			if err := r.Repair(disk); err != nil {
				t.Fatal(err)
			}
			for block, b := range disk.above {
				copy(disk.below[block*blockSize:], b)
			}
			if isSound, out := judge(t, reproduce(t, disk.below)); !isSound {
				t.Errorf("byte %d of the part at %d is %d: after a repair of %v e2fsck says\n%s", at, part.at, value, r, out)
			}
			if again, err := fsck.Check(disk, int64(len(text))); err != nil || !again.Sound() {
				t.Errorf("byte %d of the part at %d is %d: after a repair of %v: %v, %v", at, part.at, value, r, again, err)
			}
		}
	}
}
