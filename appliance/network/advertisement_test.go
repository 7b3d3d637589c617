package network

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// says returns a router advertisement with flags and options.
func says(flags byte, options ...[]byte) []byte {
	b := make([]byte, advertisementSize)
	b[0], b[5] = typeAdvertisement, flags
	return append(b, slices.Concat(options...)...)
}

// rdnss returns the option that names resolvers for some seconds.
func rdnss(lifetime uint32, resolvers ...string) []byte {
	b := []byte{optionRDNSS, byte(1 + 2*len(resolvers)), 0, 0}
	b = binary.BigEndian.AppendUint32(b, lifetime)
	for _, r := range resolvers {
		b = append(b, netip.MustParseAddr(r).AsSlice()...)
	}
	return b
}

func TestParseAdvertisement(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		packet []byte
		want   string // flags and resolvers with their seconds; "refused"
	}{
		{"nothing", nil, "refused"},
		{"too short", says(0)[:15], "refused"},
		{"a solicitation", append([]byte{133}, says(0)[1:]...), "refused"},
		{"another code", append([]byte{134, 1}, says(0)[2:]...), "refused"},
		{"no options", says(0), ""},
		{"flags", says(0xc0), "managed other"},
		{"resolvers", says(0x40, rdnss(600, "2001:db8::1", "fe80::1")), "other 2001:db8::1/600 fe80::1%eth0/600"},
		{"after another option", says(0, []byte{3, 1, 0, 0, 0, 0, 0, 0}, rdnss(0, "2001:db8::1")), "2001:db8::1/0"},
		{"for ever", says(0, rdnss(1<<32-1, "2001:db8::1")), "2001:db8::1/3153600000"},
		{"what is no host", says(0, rdnss(9, "ff02::1", "::", "::1", "::ffff:192.0.2.1", "2001:db8::2")), "2001:db8::2/9"},
		{"an option without size", says(0, []byte{25, 0, 0, 0, 0, 0, 0, 0}), "refused"},
		{"an option that is cut off", says(0, rdnss(9, "2001:db8::1")[:16]), "refused"},
		{"an option of half a header", says(0, []byte{25}), "refused"},
		{"an option with half a resolver", says(0, append([]byte{25, 2}, make([]byte, 14)...)), ""},
	} {
		got := "refused"
		if a, err := parseAdvertisement(c.packet, "eth0", now); err == nil {
			got = describe(a, now)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func describe(a *advertisement, now time.Time) string {
	var words []string
	if a.managed {
		words = append(words, "managed")
	}
	if a.other {
		words = append(words, "other")
	}
	for _, r := range a.resolvers {
		words = append(words, r.address.String()+"/"+strconv.Itoa(int(r.until.Sub(now).Seconds())))
	}
	return strings.Join(words, " ")
}

// A hostile router names as many as it can: they are few, and the one that lasts longest is kept.
func TestManyResolvers(t *testing.T) {
	now := time.Now()
	lasting := timed{netip.MustParseAddr("2001:db8::1"), now.Add(time.Hour)}
	known := []timed{lasting}
	for i := range 1000 {
		a := netip.MustParseAddr("2001:db8:1::").As16()
		binary.BigEndian.PutUint32(a[12:], uint32(i))
		known = merge(known, []timed{{netip.AddrFrom16(a), now.Add(time.Minute)}}, now)
		if len(known) > maxKept {
			t.Fatalf("%d are kept", len(known))
		}
	}
	if !slices.Contains(known, lasting) {
		t.Error("the one that lasts longest is not kept")
	}
	packet := says(0)
	for range 50 {
		packet = append(packet, rdnss(9, slices.Repeat([]string{"2001:db8::1"}, 20)...)...)
	}
	if a, err := parseAdvertisement(packet, "eth0", now); err != nil || len(a.resolvers) > maxKept {
		t.Errorf("of one packet %d are kept, %v", len(a.resolvers), err)
	}
}

// follow runs a follower in a bubble. What it does is written down as it happens, with the second at which it does.
func follow(t *testing.T, script func(hear func(flags byte, options ...[]byte)), want string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var did []string
		note := func(what string) { did = append(did, strconv.Itoa(int(time.Since(begun).Seconds()))+" "+what) }
		f := &follower{
			solicit: func() error { note("solicit"); return errors.New("not yet") },
			tell: func(l *lease) {
				note("resolvers " + strings.Trim(strings.ReplaceAll(netipText(l.resolvers), "2001:db8::", ""), " "))
			},
			start: func(managed bool) context.CancelFunc {
				note("managed " + strconv.FormatBool(managed))
				return func() { note("stop") }
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		heard, done := make(chan *advertisement), make(chan error)
		go func() { done <- f.run(ctx, heard, nil) }()
		script(func(flags byte, options ...[]byte) {
			a, err := parseAdvertisement(says(flags, options...), "eth0", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			heard <- a
			synctest.Wait()
		})
		cancel()
		<-done
		if got := strings.Join(did, ", "); got != want {
			t.Errorf("it did\n%s, want\n%s", got, want)
		}
	})
}

func netipText(all []netip.Addr) string {
	var words []string
	for _, a := range all {
		words = append(words, a.String())
	}
	return strings.Join(words, "+")
}

func TestFollower(t *testing.T) {
	wait := time.Sleep // in a bubble, where it takes no time
	follow(t, func(func(byte, ...[]byte)) { wait(16 * time.Second) },
		"0 solicit, 1 solicit, 3 solicit, 7 solicit, 15 solicit")
	follow(t, func(hear func(byte, ...[]byte)) {
		wait(time.Second / 2)
		hear(0, rdnss(10, "2001:db8::1"), rdnss(20, "2001:db8::2"))
		wait(5 * time.Second)
		hear(0, rdnss(10, "2001:db8::1"))
		wait(time.Hour)
	}, "0 solicit, 0 resolvers 1+2, 15 resolvers 2, 20 resolvers ")
	follow(t, func(hear func(byte, ...[]byte)) {
		wait(time.Second / 2)
		hear(0, rdnss(1<<32-1, "2001:db8::1"))
		wait(1000 * time.Hour)
		hear(0, rdnss(0, "2001:db8::1"))
	}, "0 solicit, 0 resolvers 1, 3600000 resolvers ")
	follow(t, func(hear func(byte, ...[]byte)) {
		wait(time.Second / 2)
		for _, flags := range []byte{0, flagOther, 0, flagOther, flagManaged, flagOther, 0} {
			hear(flags)
		}
	}, "0 solicit, 0 managed false, 0 stop, 0 managed true")
}

func FuzzParseAdvertisement(f *testing.F) {
	f.Add(says(0xc0, rdnss(600, "2001:db8::1", "fe80::1")))
	f.Add(says(0, []byte{25, 0}))
	f.Fuzz(func(t *testing.T, packet []byte) {
		now := time.Now()
		a, err := parseAdvertisement(packet, "eth0", now)
		if err != nil {
			return
		}
		for _, r := range a.resolvers {
			if text := resolvConf([]*lease{{resolvers: []netip.Addr{r.address}}}); strings.Count(text, "\n") != 1 {
				t.Errorf("a resolver is written as %q", text)
			}
		}
		if known := merge(nil, a.resolvers, now); len(known) > maxKept {
			t.Errorf("%d are kept", len(known))
		}
	})
}
