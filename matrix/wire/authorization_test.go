package wire

import (
	"crypto/ed25519"
	"net/http/httptest"
	"strings"
	"testing"

	"hearth/matrix"
)

var zeroSig = strings.Repeat("A", 86)

func TestParseAuthorization(t *testing.T) {
	want := Authorization{Origin: "a.example", Destination: "b.example:8448", Key: "ed25519:key1", Signature: zeroSig}
	for _, header := range []string{
		want.String(),
		`X-Matrix origin="a.example",destination="b.example:8448",key="ed25519:key1",sig="` + zeroSig + `"`,
		`x-matrix   ORIGIN=a.example , Destination = b.example:8448,` + "\t" + `key=ed25519:key1, sig=` + zeroSig,
		`X-Matrix origin="a.ex\ample",destination="b.example:8448",,key="ed25519:key1",unknown="x,\"y\"",sig="` + zeroSig + `",`,
		`X-Matrix signature="` + zeroSig + `",origin=a.example,destination="b.example:8448",key="ed25519:key1"`,
	} {
		if got, err := ParseAuthorization(header); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", header, got, err)
		}
	}
	if a, err := ParseAuthorization(`X-Matrix origin=a.example,key="ed25519:1",sig="` + zeroSig + `=="`); err != nil || a.Destination != "" {
		t.Errorf("an old server's header: %+v, %v", a, err)
	}
	for name, header := range map[string]string{
		"no scheme":         `origin=a`,
		"other scheme":      `Bearer abc`,
		"no origin":         `X-Matrix key="ed25519:1",sig="` + zeroSig + `"`,
		"empty destination": `X-Matrix origin=a,destination="",key="ed25519:1",sig="` + zeroSig + `"`,
		"bad origin":        `X-Matrix origin="a b",key="ed25519:1",sig="` + zeroSig + `"`,
		"bad key":           `X-Matrix origin=a,key="rsa:1",sig="` + zeroSig + `"`,
		"key with a path":   `X-Matrix origin=a,key="ed25519:../x",sig="` + zeroSig + `"`,
		"short sig":         `X-Matrix origin=a,key="ed25519:1",sig="AAAA"`,
		"sig twice":         `X-Matrix origin=a,key="ed25519:1",sig="` + zeroSig + `",sig="` + zeroSig + `"`,
		"two signatures":    `X-Matrix origin=a,key="ed25519:1",sig="` + zeroSig + `",signature="` + zeroSig + `"`,
		"open quote":        `X-Matrix origin=a,key="ed25519:1",sig="` + zeroSig,
		"open escape":       `X-Matrix origin=a,key="ed25519:1",sig="\`,
		"no comma":          `X-Matrix origin=a key="ed25519:1",sig="` + zeroSig + `"`,
		"no value":          `X-Matrix origin=,key="ed25519:1",sig="` + zeroSig + `"`,
		"no equals sign":    `X-Matrix origin,key="ed25519:1",sig="` + zeroSig + `"`,
		"huge":              `X-Matrix origin=a,key="ed25519:1",sig="` + zeroSig + `",x="` + strings.Repeat("y", 5000) + `"`,
	} {
		if a, err := ParseAuthorization(header); err == nil {
			t.Errorf("%s: accepted as %+v", name, a)
		}
	}
}

func FuzzParseAuthorization(f *testing.F) {
	f.Add(`X-Matrix origin="a.example",destination="b.example",key="ed25519:key1",sig="` + zeroSig + `"`)
	f.Add(`X-Matrix origin=a , key = "ed25519:\1",,sig=` + zeroSig)
	f.Fuzz(func(t *testing.T, header string) {
		a, err := ParseAuthorization(header)
		if err != nil {
			return
		}
		if again, err := ParseAuthorization(a.String()); err != nil || again != a {
			t.Fatalf("%q reads as %+v, which reads as %+v, %v", header, a, again, err)
		}
	})
}

// The worked example of the package comment.
func TestSigned(t *testing.T) {
	r := Request{Method: "PUT", URI: "/_matrix/x?y=%2F", Origin: "a.example", Destination: "b.example", Content: []byte(`{"z": 1, "a": "\u00e9"}`)}
	got, err := r.signed(r.Destination)
	want := `{"content":{"a":"é","z":1},"destination":"b.example","method":"PUT","origin":"a.example","uri":"/_matrix/x?y=%2F"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	r.Content = nil
	got, _ = r.signed("")
	if want := `{"method":"PUT","origin":"a.example","uri":"/_matrix/x?y=%2F"}`; string(got) != want {
		t.Errorf("got %s", got)
	}
}

func TestVerify(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	public := private.Public().(ed25519.PublicKey)
	sent := Request{Method: "PUT", URI: "/_matrix/x?y=1", Origin: "a.example", Destination: "b.example", Content: []byte(`{"a":[1,"b"]}`)}
	header, err := Sign(sent, "ed25519:1", private)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseAuthorization(header)
	if err != nil {
		t.Fatal(err)
	}
	// What the body looks like does not matter, what it says does.
	same := sent
	same.Content = []byte(` { "a" : [ 1, "\u0062" ] } `)
	if err := a.Verify(same, public); err != nil {
		t.Errorf("the same content otherwise written: %v", err)
	}
	for name, change := range map[string]func(*Request, *Authorization){
		"method":         func(r *Request, _ *Authorization) { r.Method = "POST" },
		"uri":            func(r *Request, _ *Authorization) { r.URI = "/_matrix/x?y=2" },
		"destination":    func(r *Request, _ *Authorization) { r.Destination = "c.example" },
		"no destination": func(_ *Request, a *Authorization) { a.Destination = "" },
		"origin":         func(_ *Request, a *Authorization) { a.Origin = "c.example" },
		"content":        func(r *Request, _ *Authorization) { r.Content = []byte(`{"a":[1,"c"]}`) },
		"no content":     func(r *Request, _ *Authorization) { r.Content = nil },
		"signature":      func(_ *Request, a *Authorization) { a.Signature = zeroSig },
	} {
		r, b := sent, a
		change(&r, &b)
		wantError(t, name, b.Verify(r, public), 401, matrix.MUnauthorized)
	}
	bad := sent
	bad.Content = []byte(`{`)
	wantError(t, "not JSON", a.Verify(bad, public), 400, matrix.MNotJSON)
	wantError(t, "a short key", a.Verify(sent, public[:5]), 401, matrix.MUnauthorized)
	if _, err := Sign(bad, "ed25519:1", private); err == nil {
		t.Error("signed what is not JSON")
	}
	old := Request{Method: "GET", URI: "/", Origin: "a.example"}
	header, _ = Sign(old, "ed25519:1", private)
	a, _ = ParseAuthorization(header)
	old.Destination = "b.example"
	if err := a.Verify(old, public); err != nil {
		t.Errorf("an old server's request: %v", err)
	}
}

func TestRequestAuthorization(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	_, err := RequestAuthorization(r)
	wantError(t, "unsigned", err, 401, matrix.MUnauthorized)
	r.Header["Authorization"] = []string{"Bearer x", `X-Matrix origin=a,key="ed25519:1",sig="` + zeroSig + `"`}
	if a, err := RequestAuthorization(r); err != nil || a.Origin != "a" {
		t.Errorf("got %+v, %v", a, err)
	}
	r.Header["Authorization"] = []string{`X-Matrix origin=a`}
	_, err = RequestAuthorization(r)
	wantError(t, "malformed", err, 401, matrix.MUnauthorized)
}
