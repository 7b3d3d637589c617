package event

import (
	"crypto/ed25519"
	"testing"

	"hearth/matrix"
)

// typical builds an event as a client sends it into an ordinary room.
func typical(tb testing.TB) (*matrix.RoomVersion, Proto, Signer) {
	v := version(tb, "12")
	p := proto(v, "m.room.message", `{"msgtype":"m.text","body":"A message of ordinary length, as people write them all day long.",`+
		`"m.mentions":{"user_ids":["@bob:example.org"]},"m.relates_to":{"m.in_reply_to":{"event_id":"`+hashB+`"}}}`)
	p.AuthEvents = append(p.AuthEvents, "$CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC")
	return v, p, testSigner(tb)
}

func BenchmarkBuild(b *testing.B) {
	v, p, s := typical(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Build(v, p, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignOnly(b *testing.B) {
	_, _, s := typical(b)
	message := make([]byte, 512)
	b.ReportAllocs()
	for b.Loop() {
		ed25519.Sign(s.Key, message)
	}
}

func BenchmarkVerifyOnly(b *testing.B) {
	_, _, s := typical(b)
	message := make([]byte, 512)
	pub, signature := s.Key.Public().(ed25519.PublicKey), ed25519.Sign(s.Key, message)
	b.ReportAllocs()
	for b.Loop() {
		ed25519.Verify(pub, message, signature)
	}
}

func built(b *testing.B) (*matrix.RoomVersion, *Event, Signer) {
	v, p, s := typical(b)
	e, err := Build(v, p, s)
	if err != nil {
		b.Fatal(err)
	}
	return v, e, s
}

func BenchmarkLoad(b *testing.B) {
	v, e, _ := built(b)
	b.SetBytes(int64(len(e.JSON)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(v, e.ID, e.JSON); err != nil {
			b.Fatal(err)
		}
	}
}

// What a server does with each event that it receives.
func BenchmarkParseHashVerify(b *testing.B) {
	v, e, s := built(b)
	pub := s.Key.Public().(ed25519.PublicKey)
	raw := matrix.With(nil, e.JSON, "unsigned", []byte(`{"age":1234}`))
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		e, err := Parse(v, raw)
		if err != nil {
			b.Fatal(err)
		}
		if err := e.CheckHash(); err != nil {
			b.Fatal(err)
		}
		if err := e.VerifySignature(s.Server, s.KeyID, pub); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	v, e, _ := built(b)
	b.SetBytes(int64(len(e.JSON)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(v, e.JSON); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckHash(b *testing.B) {
	_, e, _ := built(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := e.CheckHash(); err != nil {
			b.Fatal(err)
		}
	}
}
