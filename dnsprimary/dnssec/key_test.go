package dnssec

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestKeysInStorage(t *testing.T) {
	for _, a := range []Algorithm{ECDSAP256SHA256, Ed25519} {
		k, err := Generate(a, KSK, begin(), random())
		if err != nil {
			t.Fatal(err)
		}
		k.Publish, k.Confirm = begin().Add(time.Hour), begin().Add(2*time.Hour)
		data := k.Append(nil)
		again, err := ParseKey(data)
		if err != nil || !reflect.DeepEqual(k, again) {
			t.Errorf("%+v, want %+v, %v", again, k, err)
		}
		for n := range data {
			if _, err := ParseKey(data[:n]); err == nil {
				t.Errorf("the first %d bytes of a key were taken for one", n)
			}
		}
	}
}

// TestTheExampleOfThePackageComment keeps the format as it is described.
func TestTheExampleOfThePackageComment(t *testing.T) {
	k, err := Generate(Ed25519, CSK, time.Unix(1, 0), random())
	if err != nil {
		t.Fatal(err)
	}
	want, _ := hex.DecodeString("010f03000000000000000100")
	if data := k.Append(nil); !bytes.HasPrefix(data, want) || len(data) != 91 {
		t.Errorf("%x", data)
	}
}

func FuzzParseKey(f *testing.F) {
	k, err := Generate(ECDSAP256SHA256, CSK, begin(), random())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := ParseKey(data)
		if err == nil && !bytes.Equal(k.Append(nil), data) {
			t.Errorf("%x is read and written as %x", data, k.Append(nil))
		}
	})
}

// TestVectors makes the keys of RFC 8080 §6.1 and RFC 6605 §6.1 of their secrets.
func TestVectors(t *testing.T) {
	for _, v := range []struct {
		a              Algorithm
		secret, dnskey string
	}{
		{Ed25519, "ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=", "example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="},
		{Ed25519, "DSSF3o0s0f+ElWzj9E/Osxw8hLpk55chkmx0LYN5WiY=", "example.com. 3600 IN DNSKEY 257 3 15 zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs="},
		{ECDSAP256SHA256, "GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=", "example.net. 3600 IN DNSKEY 257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA=="},
	} {
		secret, err := base64.StdEncoding.DecodeString(v.secret)
		if err != nil {
			t.Fatal(err)
		}
		k := &Key{Algorithm: v.a, Role: KSK, secret: [32]byte(secret)}
		if err := k.derive(); err != nil {
			t.Fatal(err)
		}
		parsed, err := dns.NewRR(v.dnskey)
		if err != nil {
			t.Fatal(err)
		}
		want := parsed.(*dns.DNSKEY)
		got := rr(t, name(t, want.Hdr.Name), dns.TypeDNSKEY, 3600, k.rdata()).(*dns.DNSKEY)
		if got.String() != want.String() || k.Tag() != want.KeyTag() {
			t.Errorf("the key is %s with tag %d, want %s with tag %d", got, k.Tag(), want, want.KeyTag())
		}
	}
}
