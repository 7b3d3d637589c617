package matrix

import (
	"fmt"
	"strings"
	"testing"
)

const scanned = ` { "a" : 1 , "b" : { "c" : [ 1 , "x\"]}" , { } , [ ] ] , "d\n" : "\u65e5\ud83d\ude00\ud83d" } ,
	"e" : true , "" : null , "long key of more than sixteen bytes" : -5 , "a" : 2 } `

func TestField(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"a", "1"},
		{"b/c", `[ 1 , "x\"]}" , { } , [ ] ]`},
		{"b/d\n", `"\u65e5\ud83d\ude00\ud83d"`},
		{"e", "true"},
		{"", "null"},
		{"long key of more than sixteen bytes", "-5"},
		{"x", "absent"},
		{"b/x", "absent"},
		{"a/x", "absent"},
		{"b/c/x", "absent"},
		{"d", "absent"},
	} {
		raw, ok := Field([]byte(scanned), strings.Split(c.path, "/")...)
		if got := string(raw); ok && got != c.want || !ok && c.want != "absent" {
			t.Errorf("%q is %s, want %s", c.path, got, c.want)
		}
	}
}

func TestTypedFields(t *testing.T) {
	obj := []byte(scanned)
	if s, ok := StringField(obj, "b", "d\n"); !ok || s != "日😀\uFFFD" {
		t.Errorf("string is %q, %v", s, ok)
	}
	if _, ok := StringField(obj, "a"); ok {
		t.Error("a number is a string")
	}
	if n, ok := IntField(obj, "long key of more than sixteen bytes"); !ok || n != -5 {
		t.Errorf("integer is %d, %v", n, ok)
	}
	for _, path := range []string{"b", "e", "", "x"} {
		if n, ok := IntField(obj, path); ok {
			t.Errorf("%s is the integer %d", path, n)
		}
	}
	for _, raw := range []string{"", "1.0", "1e3", "9223372036854775808", "+1", "- 1", "1_0", "0x1"} {
		if n, ok := Int([]byte(raw)); ok {
			t.Errorf("%s is the integer %d", raw, n)
		}
	}
	if b, ok := BoolField(obj, "e"); !ok || !b {
		t.Error("true is not true")
	}
	if _, ok := BoolField(obj, "a"); ok {
		t.Error("a number is a boolean")
	}
	if !IsObject(obj) || IsArray(obj) || IsString(obj) || IsObject(nil) {
		t.Error("wrong kind of value")
	}
}

func TestEach(t *testing.T) {
	var got []string
	EachField([]byte(scanned), func(key string, raw []byte) bool {
		got = append(got, fmt.Sprintf("%s=%d", key, len(raw)))
		return key != ""
	})
	if s := strings.Join(got, " "); s != "a=1 b=74 e=4 =4" {
		t.Errorf("fields are %s", s)
	}
	got = nil
	list, _ := Field([]byte(scanned), "b", "c")
	EachElement(list, func(raw []byte) bool {
		got = append(got, string(raw))
		return string(raw) != "{ }"
	})
	if s := strings.Join(got, " "); s != `1 "x\"]}" { }` {
		t.Errorf("elements are %s", s)
	}
	for _, empty := range []string{"", "{}", " { } ", "[]", "[ ]", "1", `"x"`, "nul"} {
		EachField([]byte(empty), func(string, []byte) bool { t.Errorf("%s has a member", empty); return true })
		EachElement([]byte(empty), func([]byte) bool { t.Errorf("%s has an element", empty); return true })
	}
}

func TestFieldDoesNotAllocate(t *testing.T) {
	obj := []byte(benchEvent)
	if n := testing.AllocsPerRun(100, func() {
		Field(obj, "content", "m.mentions", "user_ids")
		IntField(obj, "depth")
		for _, _, next, ok := Member(obj, 0); ok; _, _, next, ok = Member(obj, next) {
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                       `""`,
		"a\"\\/b":                `"a\"\\/b"`,
		"\b\t\n\f\r\x00\x1f\x7f": `"\b\t\n\f\r\u0000\u001f` + "\x7f" + `"`,
		"日本😀<>&\u2028":           `"日本😀<>&` + "\u2028" + `"`,
		"a\xffb\xed\xa0\x80":     `"a` + "\uFFFDb\uFFFD\uFFFD\uFFFD" + `"`,
	} {
		got := AppendString([]byte("x"), in)
		if string(got) != "x"+want {
			t.Errorf("AppendString(%q) = %s, want %s", in, got, want)
		}
		if c, err := Canonical(got[1:]); err != nil || string(c) != want {
			t.Errorf("%s is not canonical: %s, %v", got, c, err)
		}
	}
}
