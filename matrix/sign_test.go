package matrix

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
)

// vectorKey is the key of appendices#signing-key.
func vectorKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	seed, err := DecodeBase64("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed)
}

// spec: appendices#json-signing
func TestSignJSONVectors(t *testing.T) {
	priv := vectorKey(t)
	pub := priv.Public().(ed25519.PublicKey)
	for _, c := range []struct{ in, want string }{
		{`{}`, `{"signatures":{"domain":{"ed25519:1":"K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"}}}`},
		{"{\n    \"one\": 1,\n    \"two\": \"Two\"\n}", `{"one":1,"signatures":{"domain":{"ed25519:1":"KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"}},"two":"Two"}`},
	} {
		got, err := SignJSON([]byte(c.in), "domain", "ed25519:1", priv)
		if err != nil || string(got) != c.want {
			t.Errorf("got %s, %v; want %s", got, err, c.want)
		}
		if err := VerifyJSON(got, "domain", "ed25519:1", pub); err != nil {
			t.Error(err)
		}
	}
}

func TestSignJSONKeepsOtherSignaturesAndUnsigned(t *testing.T) {
	priv := vectorKey(t)
	pub := priv.Public().(ed25519.PublicKey)
	obj := []byte(`{"unsigned":{"b":1,"a":2},"signatures":{"domain":{"ed25519:0":"old"},"z":{"k":"v"}},"x":1}`)
	plain, err := SignJSON([]byte(`{"x":1}`), "domain", "ed25519:1", priv)
	if err != nil {
		t.Fatal(err)
	}
	signature, _ := StringField(plain, "signatures", "domain", "ed25519:1")
	got, err := SignJSON(obj, "domain", "ed25519:1", priv)
	want := `{"signatures":{"domain":{"ed25519:0":"old","ed25519:1":"` + signature + `"},"z":{"k":"v"}},"unsigned":{"a":2,"b":1},"x":1}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	again, err := SignJSON(got, "domain", "ed25519:1", priv)
	if err != nil || string(again) != want {
		t.Errorf("signing again gives %s, %v", again, err)
	}
	padded := strings.Replace(want, signature, signature+"==", 1)
	if err := VerifyJSON([]byte(padded), "domain", "ed25519:1", pub); err != nil {
		t.Errorf("padded signature: %v", err)
	}
}

func TestVerifyJSONRefuses(t *testing.T) {
	priv := vectorKey(t)
	pub := priv.Public().(ed25519.PublicKey)
	signed, err := SignJSON([]byte(`{"one":1}`), "domain", "ed25519:1", priv)
	if err != nil {
		t.Fatal(err)
	}
	other := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	for _, c := range []struct {
		name, obj, server string
		key               KeyID
		pub               ed25519.PublicKey
	}{
		{"changed", strings.Replace(string(signed), `"one":1`, `"one":2`, 1), "domain", "ed25519:1", pub},
		{"added", strings.Replace(string(signed), `"one":1`, `"one":1,"two":2`, 1), "domain", "ed25519:1", pub},
		{"other key", string(signed), "domain", "ed25519:1", other},
		{"no key", string(signed), "domain", "ed25519:1", nil},
		{"other server", string(signed), "domain2", "ed25519:1", pub},
		{"other key id", string(signed), "domain", "ed25519:2", pub},
		{"none", `{"one":1}`, "domain", "ed25519:1", pub},
		{"not base64", `{"one":1,"signatures":{"domain":{"ed25519:1":"*"}}}`, "domain", "ed25519:1", pub},
		{"short", `{"one":1,"signatures":{"domain":{"ed25519:1":"AAAA"}}}`, "domain", "ed25519:1", pub},
		{"empty", `{"one":1,"signatures":{"domain":{"ed25519:1":""}}}`, "domain", "ed25519:1", pub},
		{"number", `{"one":1,"signatures":{"domain":{"ed25519:1":1}}}`, "domain", "ed25519:1", pub},
		{"list", `{"one":1,"signatures":[]}`, "domain", "ed25519:1", pub},
		{"other algorithm", strings.Replace(string(signed), "ed25519:1", "rsa:1", 1), "domain", "rsa:1", pub},
	} {
		if err := VerifyJSON([]byte(c.obj), c.server, c.key, c.pub); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, obj := range []string{``, `[]`, `{"a":1.5}`, `{"a":1,"a":1}`, `"x"`} {
		if VerifyJSON([]byte(obj), "domain", "ed25519:1", pub) == nil {
			t.Errorf("%s was verified", obj)
		}
		if _, err := SignJSON([]byte(obj), "domain", "ed25519:1", priv); err == nil {
			t.Errorf("%s was signed", obj)
		}
	}
	for _, obj := range []string{`{"signatures":1}`, `{"signatures":{"domain":"x"}}`} {
		if _, err := SignJSON([]byte(obj), "domain", "ed25519:1", priv); err == nil {
			t.Errorf("%s was signed", obj)
		}
	}
}

// spec: appendices#unpadded-base64
func TestBase64(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "f": "Zg", "fo": "Zm8", "foo": "Zm9v", "foob": "Zm9vYg", "fooba": "Zm9vYmE", "foobar": "Zm9vYmFy",
	} {
		if got := Base64([]byte(in)); got != want {
			t.Errorf("Base64(%q) = %q", in, got)
		}
		for _, padded := range []string{want, want + strings.Repeat("=", (4-len(want)%4)%4)} {
			if got, err := DecodeBase64(padded); err != nil || string(got) != in {
				t.Errorf("DecodeBase64(%q) = %q, %v", padded, got, err)
			}
		}
	}
	if got := Base64URL([]byte{0xfb, 0xff}); got != "-_8" {
		t.Errorf("Base64URL gives %q", got)
	}
	for _, bad := range []string{"A", "A*", "=A", "日本"} {
		if _, err := DecodeBase64(bad); err == nil {
			t.Errorf("%q was decoded", bad)
		}
	}
}

func TestWithAndWithout(t *testing.T) {
	for _, c := range []struct{ obj, name, want string }{
		{`{}`, "b", `{"b":1}`},
		{`{"b":0}`, "b", `{"b":1}`},
		{`{"a":0}`, "b", `{"a":0,"b":1}`},
		{`{"c":0}`, "b", `{"b":1,"c":0}`},
		{`{"a":0,"b":{"x":[]},"c":0}`, "b", `{"a":0,"b":1,"c":0}`},
		{`{"a\"":0,"a$":0}`, "a#", `{"a\"":0,"a#":1,"a$":0}`},
		{`{"a\n":0}`, "a\n", `{"a\n":1}`},
	} {
		if got := With(nil, []byte(c.obj), c.name, []byte("1")); string(got) != c.want {
			t.Errorf("With(%s, %q) = %s", c.obj, c.name, got)
		}
	}
	got := Without([]byte("x"), []byte(`{"a":[1,{"b":2}],"b":1,"c":"}","d\n":1}`), "b", "d\n")
	if string(got) != `x{"a":[1,{"b":2}],"c":"}"}` {
		t.Errorf("Without gives %s", got)
	}
}
