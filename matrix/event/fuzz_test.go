package event

import (
	"crypto/ed25519"
	"testing"

	"hearth/matrix"
)

// What Parse accepts is within the limits, canonical, and the same when it is read again, loaded or redacted.
func FuzzParse(f *testing.F) {
	for i, v := range matrix.Versions() {
		f.Add(byte(i), sample(f, v))
		f.Add(byte(i), build(f, v, 10).JSON)
	}
	f.Add(byte(0), []byte(`{"type":"m.room.create","content":{"creator":1.5},"depth":1}`))
	versions := matrix.Versions()
	f.Fuzz(func(t *testing.T, n byte, raw []byte) {
		v := versions[int(n)%len(versions)]
		e, err := Parse(v, raw)
		if err != nil {
			return
		}
		if len(e.JSON) > MaxPDU || len(e.ID) > MaxField || len(e.PrevEvents) > MaxPrevEvents || len(e.AuthEvents) > MaxAuthEvents {
			t.Fatalf("beyond the limits: %s", e.JSON)
		}
		again, err := Parse(v, e.JSON)
		if err != nil {
			t.Fatalf("%s is not read again: %v", e.JSON, err)
		}
		same(t, "parsed", again, e)
		loaded, err := Load(v, e.ID, e.JSON)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "loaded", loaded, e)
		e.CheckHash()
		redacted, err := e.Redacted()
		if err != nil {
			t.Fatal(err)
		}
		if r, err := Parse(v, redacted.JSON); err != nil || r.ID != e.ID {
			t.Fatalf("%s redacted is %s: %v", e.JSON, redacted.JSON, err)
		}
		s := testSigner(t)
		if signed, err := e.Sign(s); err == nil {
			if err := signed.VerifySignature(s.Server, s.KeyID, s.Key.Public().(ed25519.PublicKey)); err != nil || signed.ID != e.ID {
				t.Fatalf("%s: %v", signed.JSON, err)
			}
		}
		if e.Type == TypePowerLevels {
			ParsePowerLevels(v, e.Content)
		}
	})
}

// Loading damaged bytes ends in an error or an event, never in a panic.
func FuzzLoad(f *testing.F) {
	v := version(f, "12")
	f.Add(sample(f, v))
	paired := version(f, "1")
	f.Add(sample(f, paired))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, v := range []*matrix.RoomVersion{v, paired} {
			e, err := Load(v, "$x", raw)
			if err != nil {
				continue
			}
			e.CheckHash()
			e.Redacted()
			e.VerifySignature("domain", "ed25519:1", make([]byte, 32))
			for range e.Signatures() {
			}
			ReadCreation(e)
			e.AllowedRooms()
			ParsePowerLevels(v, e.Content)
		}
	})
}

// What Build makes of any input, Parse accepts and finds in order.
func FuzzBuild(f *testing.F) {
	f.Add(byte(11), "m.room.message", true, "", []byte(`{"body":"x"}`), "@a:b", uint64(1), uint64(2))
	f.Add(byte(0), "m.room.redaction", false, "", []byte(`{"redacts":1.5}`), "@:b", uint64(0), uint64(0))
	f.Add(byte(11), "m.room.create", true, "\x00\"", []byte(`{"creator":"\n"}`), "@\"\\:b", uint64(1<<63), uint64(1<<53))
	versions := matrix.Versions()
	f.Fuzz(func(t *testing.T, n byte, typ string, state bool, key string, content []byte, sender string, depth, time uint64) {
		v, s := versions[int(n)%len(versions)], testSigner(t)
		p := proto(v, typ, string(content))
		p.Sender, p.Depth, p.Time = matrix.UserID(sender), int64(depth), int64(time)
		if state {
			p.StateKey = &key
		}
		if typ == TypeRedaction {
			p.Redacts = hashB
		}
		e, err := Build(v, p, s)
		if err != nil {
			return
		}
		parsed, err := Parse(v, e.JSON)
		if err != nil {
			t.Fatalf("%s: %v", e.JSON, err)
		}
		same(t, "parsed", parsed, e)
		if err := parsed.CheckHash(); err != nil {
			t.Fatal(err)
		}
		if err := parsed.VerifySignature(s.Server, s.KeyID, s.Key.Public().(ed25519.PublicKey)); err != nil {
			t.Fatal(err)
		}
	})
}

// Power levels that are accepted are the same whatever the form of the JSON.
func FuzzPowerLevels(f *testing.F) {
	f.Add(byte(0), []byte(`{"users":{"@b:c":"1","@a:c":1.5},"ban":" 5 ","events":{"x":1e3}}`))
	f.Add(byte(11), []byte(`{"users":{"@b:c":1,"@a:c":2},"ban":5,"notifications":{"room":1}}`))
	versions := matrix.Versions()
	f.Fuzz(func(t *testing.T, n byte, content []byte) {
		v := versions[int(n)%len(versions)]
		ParsePowerLevels(v, content)
		canonical, err := v.Canonical(content)
		if err != nil || !matrix.IsObject(canonical) {
			return
		}
		a, errA := ParsePowerLevels(v, canonical)
		b, errB := ParsePowerLevels(v, content)
		if (errA == nil) != (errB == nil) {
			t.Fatalf("%s: %v, %v", content, errA, errB)
		}
		if errA == nil && (a.BanLevel() != b.BanLevel() || len(a.Users) != len(b.Users)) {
			t.Fatalf("%s is %+v, %+v", content, a, b)
		}
	})
}
