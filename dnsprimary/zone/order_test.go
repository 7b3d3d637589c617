package zone

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// rfc4034 is the order of RFC 4034 §6.1's example, with the names in lower case.
const rfc4034 = `example. a.example. yljkjljk.a.example. z.a.example. zabc.a.example. z.example. \001.z.example. *.z.example. \200.z.example.`

func TestOwnersAreInCanonicalOrder(t *testing.T) {
	want := strings.Fields(rfc4034)
	shuffled := slices.Clone(want)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	text := "$TTL 60\n"
	for _, owner := range shuffled {
		text += strings.ToUpper(owner) + " TXT x\n"
	}
	z := mustZone(t, "example.", text)
	var got []string
	for owner := range z.All() {
		got = append(got, owner.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the order is\n%q\nwant\n%q", got, want)
	}
	got = nil
	for owner := range z.Before("\x02zz\x07example\x00") {
		got = append(got, owner.String())
	}
	slices.Reverse(want)
	if !slices.Equal(got, want) {
		t.Errorf("backwards the order is\n%q\nwant\n%q", got, want)
	}
}

func TestKeysOfStrangeNames(t *testing.T) {
	for _, text := range []string{"example.", `\000.example.`, `\001.example.`, `a\000\001\002b.c.example.`, `a\.b.example.`} {
		n := mustName(t, text)
		key := appendKey(nil, n, "\x07example\x00")
		if got := nameOfKey(string(key), "\x07example\x00"); got != n {
			t.Errorf("the key %x of %s is the key of %s", key, n, got)
		}
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 63)
	for text, good := range map[string]bool{
		"example.org": true, "example.org.": true, ".": true, "": false, "a..b": false, ".a": false, long + ".x": true, long + "a.x": false,
		strings.Repeat(long+".", 3) + long[:61] + ".": true, strings.Repeat(long+".", 3) + long[:62] + ".": false,
	} {
		if _, err := ParseName(text); (err == nil) != good {
			t.Errorf("ParseName(%q): %v", text, err)
		}
	}
	n := mustName(t, "a.bC.example.org")
	if n.Labels() != 4 || n.Up(2) != mustName(t, "example.org") || n.Up(9) != Root || n.Wildcard().String() != "*.a.bc.example.org." {
		t.Errorf("%s has %d labels, %s two up, %s", n, n.Labels(), n.Up(2), n.Wildcard())
	}
	for ancestor, under := range map[string]bool{".": true, "org": true, "a.bc.example.org": true, "c.example.org": false, "x.a.bc.example.org": false} {
		if n.Under(mustName(t, ancestor)) != under {
			t.Errorf("%s under %s: want %v", n, ancestor, under)
		}
	}
}

// TestASetFitsAMessage adds records until there are too many, long ones and short ones.
func TestASetFitsAMessage(t *testing.T) {
	for _, length := range []int{4, 40, 4000} {
		e := New("\x04test\x00").Edit()
		added := 0
		for {
			rdata := strings.Repeat("x", length-2) + string([]byte{byte(added >> 8), byte(added)})
			if _, err := e.Add(Record{"\x04test\x00", 65280, 60, rdata}); err != nil {
				break
			}
			added++
		}
		if size := added * (perHead + length); size > maxSet || size < maxSet-perHead-length {
			t.Errorf("%d records of %d bytes are a set of %d bytes in a message", added, length, size)
		}
	}
}
