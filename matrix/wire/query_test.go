package wire

import (
	"net/http/httptest"
	"net/url"
	"testing"

	"hearth/matrix"
)

func TestToken(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer  abc": "abc", "": "", "Bearer": "", "Bearer ": "", "Basic abc": "", "abc": "",
	} {
		r := httptest.NewRequest("GET", "/?access_token=fromquery", nil)
		r.Header.Set("Authorization", header)
		got, err := Token(r)
		if got != want {
			t.Errorf("%q: got %q", header, got)
		}
		if want == "" {
			wantError(t, header, err, 401, matrix.MMissingToken)
		}
	}
}

func TestQuery(t *testing.T) {
	for raw, ok := range map[string]bool{"": true, "a=b&a=c": true, "a=%zz": false, "a=%ff": false, "a;b": false} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = raw
		if _, err := Query(r); ok != (err == nil) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestInt(t *testing.T) {
	for s, want := range map[string]int64{"": 10, "0": 0, "7": 7, "100": 50, "99999999999999999999": 50} {
		if got, err := Int(url.Values{"limit": {s}}, "limit", 10, 0, 50); err != nil || got != want {
			t.Errorf("%q: got %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"-1", "x", "1.5", "-99999999999999999999", " 1"} {
		_, err := Int(url.Values{"limit": {s}}, "limit", 10, 0, 50)
		wantError(t, s, err, 400, matrix.MInvalidParam)
	}
}

func TestBoolAndChoice(t *testing.T) {
	q := url.Values{"yes": {"true"}, "no": {"false"}, "bad": {"1"}, "dir": {"f"}}
	for name, want := range map[string]bool{"yes": true, "no": false, "absent": true} {
		if got, err := Bool(q, name, true); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	_, err := Bool(q, "bad", true)
	wantError(t, "bad", err, 400, matrix.MInvalidParam)
	if got, err := Choice(q, "dir", "b", "f"); err != nil || got != "f" {
		t.Errorf("dir: %q, %v", got, err)
	}
	if got, err := Choice(q, "absent", "b", "f"); err != nil || got != "b" {
		t.Errorf("absent: %q, %v", got, err)
	}
	_, err = Choice(q, "bad", "b", "f")
	wantError(t, "bad", err, 400, matrix.MInvalidParam)
}
