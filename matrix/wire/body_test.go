package wire

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hearth/matrix"
)

func TestReadObject(t *testing.T) {
	deep := strings.Repeat(`{"a":`, maxDepth) + "1" + strings.Repeat("}", maxDepth)
	for _, c := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"object", `{"a":1}`, 0, ""},
		{"space around", " \r\n\t{} \n", 0, ""},
		{"as deep as allowed", deep, 0, ""},
		{"brackets in strings", `{"a":"` + strings.Repeat(`[{\"`, 150) + `"}`, 0, ""},
		{"too deep", `{"a":` + deep + `}`, 400, matrix.MBadJSON},
		{"much too deep", strings.Repeat("[", 900), 400, matrix.MBadJSON},
		{"empty", "", 400, matrix.MNotJSON},
		{"space", " ", 400, matrix.MNotJSON},
		{"array", "[]", 400, matrix.MBadJSON},
		{"string", `"{}"`, 400, matrix.MBadJSON},
		{"null", "null", 400, matrix.MBadJSON},
		{"cut short", `{"a":`, 400, matrix.MNotJSON},
		{"two values", `{}{}`, 400, matrix.MNotJSON},
		{"form", `a=1&b=2`, 400, matrix.MNotJSON},
		{"not UTF-8", "{\"a\":\"\xff\"}", 400, matrix.MNotJSON},
		{"as large as allowed", `{"a":"` + strings.Repeat("x", 992) + `"}`, 0, ""},
		{"too large", `{"a":"` + strings.Repeat("x", 993) + `"}`, 413, matrix.MTooLarge},
	} {
		for _, chunked := range []bool{false, true} {
			r := httptest.NewRequest("PUT", "/", strings.NewReader(c.body))
			if chunked {
				r = httptest.NewRequest("PUT", "/", io.MultiReader(strings.NewReader(c.body)))
				r.ContentLength = -1
			}
			got, err := ReadObject(httptest.NewRecorder(), r, 1000)
			if c.code == "" && (err != nil || string(got) != c.body) {
				t.Errorf("%s (chunked %v): got %q, %v", c.name, chunked, got, err)
			}
			if c.code != "" {
				wantError(t, c.name, err, c.status, c.code)
			}
		}
	}
}

func wantError(t *testing.T, name string, err error, status int, code string) {
	t.Helper()
	var e *matrix.Error
	if !errors.As(err, &e) || e.Code != code || e.Status != status {
		t.Errorf("%s: got error %v, want %s with status %d", name, err, code, status)
	}
}

func TestReadOptionalObject(t *testing.T) {
	for body, want := range map[string]string{"": "{}", "\n": "{}", "{}": "{}", `{"a":1}`: `{"a":1}`} {
		got, err := ReadOptionalObject(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(body)), 100)
		if err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v", body, got, err)
		}
	}
	_, err := ReadOptionalObject(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader("[]")), 100)
	wantError(t, "array", err, 400, matrix.MBadJSON)
}

// A body that claims to be large and does not come must not be allocated.
func TestReadTrustsNoContentLength(t *testing.T) {
	r := httptest.NewRequest("PUT", "/", strings.NewReader("{}"))
	r.ContentLength = 1 << 40
	w := httptest.NewRecorder()
	_, err := ReadObject(w, r, 1<<20)
	wantError(t, "claims a terabyte", err, http.StatusRequestEntityTooLarge, matrix.MTooLarge)
	r.ContentLength = 1 << 20
	if allocated := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			r.Body = io.NopCloser(strings.NewReader("{}"))
			_, _ = ReadObject(w, r, 1<<20)
		}
	}).AllocedBytesPerOp(); allocated > 2*firstRead {
		t.Errorf("allocated %d bytes for a body of 2", allocated)
	}
}

func TestDecode(t *testing.T) {
	type inner struct {
		Deep int `json:"deep"`
	}
	type embedded struct {
		Reason string `json:"reason"`
	}
	type body struct {
		embedded
		Name   string            `json:"name"`
		On     *bool             `json:"on,omitempty"`
		Inner  inner             `json:"inner"`
		List   []string          `json:"list"`
		Map    map[string]string `json:"map"`
		Hidden string            `json:"-"`
	}
	for _, c := range []struct{ in, says string }{
		{`{"name":"a","on":true,"inner":{"deep":3},"list":["x"],"reason":"r","unknown":[1.5]}`, ""},
		{`{"name":null}`, ""},
		{`{"name":3}`, `"name" must be a string, not number`},
		{`{"on":"yes"}`, `"on" must be a boolean, not string`},
		{`{"inner":{"deep":"x"}}`, `"inner.deep" must be an integer in range, not string`},
		{`{"inner":[]}`, `"inner" must be an object, not array`},
		{`{"list":{}}`, `"list" must be an array, not object`},
		{`{"map":3}`, `"map" must be an object, not number`},
		{`{"inner":{"deep":1e99}}`, `"inner.deep" must be an integer in range, not number 1e99`},
		{`{"name":"a","name":"b"}`, `"name" occurs twice`},
		{`{"x":1,"\u0078":2}`, `"x" occurs twice`},
	} {
		err := Decode([]byte(c.in), &body{})
		if c.says == "" && err != nil {
			t.Errorf("%s: %v", c.in, err)
		}
		if c.says != "" {
			wantError(t, c.in, err, 400, matrix.MBadJSON)
			if err != nil && !strings.HasSuffix(err.Error(), c.says) {
				t.Errorf("%s: got %q, want %q", c.in, err, c.says)
			}
		}
	}
	var b body
	if err := Decode([]byte(`{"Name":"a","NAME":"b","reason":"r","-":"h","Hidden":"h"}`), &b); err != nil || b.Name != "" || b.Hidden != "" || b.Reason != "r" {
		t.Errorf("names must match exactly: %+v, %v", b, err)
	}
	var m map[string]int
	if err := Decode([]byte(`{"a":1}`), &m); err != nil || m["a"] != 1 {
		t.Errorf("map: %v, %v", m, err)
	}
}

func FuzzReadObject(f *testing.F) {
	f.Add(`{"name":"a","list":["b"]}`)
	f.Add("{\"a\":\"\\u0000\xff\"}")
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("PUT", "/", strings.NewReader(body))
		var into struct {
			Name string   `json:"name"`
			List []string `json:"list"`
		}
		err := Read(httptest.NewRecorder(), r, 1000, &into)
		if len(body) > 1000 && err == nil {
			t.Fatal("read more than the limit")
		}
		var e *matrix.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("an error that is no Matrix error: %v", err)
		}
	})
}
