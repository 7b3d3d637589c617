package matrix

import (
	"crypto/ed25519"
	"strings"
	"testing"
)

const benchEvent = `{"auth_events":["$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","$BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB","$CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"],` +
	`"content":{"body":"A message of ordinary length, as people write them all day long.","m.mentions":{"user_ids":["@bob:example.org"]},"msgtype":"m.text"},` +
	`"depth":1234,"hashes":{"sha256":"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"},"origin_server_ts":1700000000000,` +
	`"prev_events":["$DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD"],"room_id":"!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sender":"@alice:example.org",` +
	`"signatures":{"example.org":{"ed25519:a_key":"KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"}},"type":"m.room.message"}`

func BenchmarkCanonical(b *testing.B) {
	spaced := strings.NewReplacer(`":`, `": `, `,"`, `, "`).Replace(benchEvent)
	for _, c := range []struct{ name, in string }{
		{"already", benchEvent},
		{"already_array_of_100", "[" + strings.Repeat(benchEvent+",", 99) + benchEvent + "]"},
		{"spaced", spaced},
		{"unsorted", `{"type":"m.room.message",` + strings.TrimSuffix(benchEvent[1:], `,"type":"m.room.message"}`) + `}`},
		{"text", `{"body":"` + strings.Repeat("plain text of a long message ", 1000) + `"}`},
		{"japanese", `{"body":"` + strings.Repeat("日本語の長いメッセージ", 1000) + `"}`},
		{"numbers", "[" + strings.Repeat("1700000000000,12,-5,", 1000) + "0]"},
	} {
		in := []byte(c.in)
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Canonical(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkField(b *testing.B) {
	in := []byte(benchEvent)
	for _, path := range [][]string{{"content", "body"}, {"type"}} {
		b.Run(strings.Join(path, "."), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := Field(in, path...); !ok {
					b.Fatal("not found")
				}
			}
		})
	}
}

func BenchmarkVerifyJSON(b *testing.B) {
	priv := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	pub := priv.Public().(ed25519.PublicKey)
	obj, err := SignJSON([]byte(benchEvent), "example.org", "ed25519:1", priv)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := VerifyJSON(obj, "example.org", "ed25519:1", pub); err != nil {
			b.Fatal(err)
		}
	}
}
