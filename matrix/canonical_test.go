package matrix

import (
	"errors"
	"strings"
	"testing"
)

// The examples of appendices#examples, and what the package comment promises.
func TestCanonicalExamples(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{}`, `{}`},
		{"{\n    \"one\": 1,\n    \"two\": \"Two\"\n}", `{"one":1,"two":"Two"}`},
		{"{\n    \"b\": \"2\",\n    \"a\": \"1\"\n}", `{"a":"1","b":"2"}`},
		{`{"b":"2","a":"1"}`, `{"a":"1","b":"2"}`},
		{`{
    "auth": {
        "success": true,
        "mxid": "@john.doe:example.com",
        "profile": {
            "display_name": "John Doe",
            "three_pids": [
                {
                    "medium": "email",
                    "address": "john.doe@example.org"
                },
                {
                    "medium": "msisdn",
                    "address": "123456789"
                }
            ]
        }
    }
}`, `{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}`},
		{"{\n    \"a\": \"日本語\"\n}", `{"a":"日本語"}`},
		{"{\n    \"本\": 2,\n    \"日\": 1\n}", `{"日":1,"本":2}`},
		{"{\n    \"a\": \"\\u65E5\"\n}", `{"a":"日"}`},
		{"{\n    \"a\": null\n}", `{"a":null}`},
		{"{\n    \"a\": -0,\n    \"b\": 1e10\n}", `{"a":0,"b":10000000000}`},
		{`{"b": "\u65E5", "a": [-0, 1e10]}`, `{"a":[0,10000000000],"b":"日"}`},
	} {
		got, err := Canonical([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("Canonical(%s) = %s, %v; want %s", c.in, got, err, c.want)
		}
	}
}

// A text, and its form by Canonical, by Version.Canonical of version 6 and by CanonicalLoose; an error code is "M_...".
func TestCanonicalForms(t *testing.T) {
	const bad, not = MBadJSON, MNotJSON
	strict, _ := LookupVersion("6")
	for _, c := range []struct{ in, byValue, strict, loose string }{
		{`-0`, `0`, bad, `0`},
		{`-0.0`, `0`, bad, `-0.0`},
		{`1.0`, `1`, bad, `1.0`},
		{`1.5`, bad, bad, `1.5`},
		{`-1.50e1`, `-15`, bad, `-1.50e1`},
		{`0.0012E+4`, `12`, bad, `0.0012E+4`},
		{`100e-2`, `1`, bad, `100e-2`},
		{`1e-99999999999999999999`, bad, bad, `1e-99999999999999999999`},
		{`0e99999999999999999999`, `0`, bad, `0e99999999999999999999`},
		{`1e999999999999999999999`, bad, bad, `1e999999999999999999999`},
		{`9007199254740991`, `9007199254740991`, `9007199254740991`, `9007199254740991`},
		{`-9007199254740991`, `-9007199254740991`, `-9007199254740991`, `-9007199254740991`},
		{`9007199254740992`, bad, bad, `9007199254740992`},
		{`9.007199254740991e15`, `9007199254740991`, bad, `9.007199254740991e15`},
		{`9007199254740992e0`, bad, bad, `9007199254740992e0`},
		{`10000000000000000`, bad, bad, `10000000000000000`},
		{`01`, not, not, not},
		{`-`, not, not, not},
		{`+1`, not, not, not},
		{`.5`, not, not, not},
		{`1.`, not, not, not},
		{`1e`, not, not, not},
		{`NaN`, not, not, not},
		{`Infinity`, not, not, not},
		{`-Infinity`, not, not, not},
	} {
		for i, f := range []func([]byte) ([]byte, error){Canonical, strict.Canonical, CanonicalLoose} {
			want := []string{c.byValue, c.strict, c.loose}[i]
			for _, wrap := range []string{"%", "[%]", `{"a":%}`, ` [ { "k" : % } , 1 ] `} {
				in := strings.ReplaceAll(wrap, "%", c.in)
				whole := strings.ReplaceAll(strings.ReplaceAll(wrap, " ", ""), "%", want)
				if strings.HasPrefix(want, "M_") {
					whole = want
				}
				if got := outcome(f([]byte(in))); got != whole {
					t.Errorf("form %d of %s is %s, want %s", i, in, got, whole)
				}
			}
		}
	}
}

// outcome returns the canonical form or the code of the error.
func outcome(b []byte, err error) string {
	if e := (*JSONError)(nil); errors.As(err, &e) {
		return e.Code
	}
	return string(b)
}

func TestCanonicalTexts(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct{ name, in, want string }{
		{"all escapes", `"\"\\\/\b\f\n\r\t\u0022\u005c\u002F\u0008\u000C\u000a\u000D\u0009\u0000\u001F\u007f"`,
			`"\"\\/\b\f\n\r\t\"\\/\b\f\n\r\t\u0000\u001f` + "\x7f" + `"`},
		{"escapes kept", `{"\u0000":"\n\u001f\"\\"}`, `{"\u0000":"\n\u001f\"\\"}`},
		{"pair", `"\ud83d\uDE00"`, `"😀"`},
		{"replacement character", `"\ufffd` + "\uFFFD" + `"`, `"` + "\uFFFD\uFFFD" + `"`},
		{"noncharacter", `"\uffff"`, `"` + "\uffff" + `"`},
		{"high half", `"\ud83d"`, MBadJSON},
		{"high half and text", `"\ud83dx"`, MBadJSON},
		{"two high halves", `"\ud83d\ud83d"`, MBadJSON},
		{"low half", `"\ude00"`, MBadJSON},
		{"encoded half", "\"\xed\xa0\x80\"", MNotJSON},
		{"overlong", "\"\xc0\x80\"", MNotJSON},
		{"cut character", "\"abcdefgh\xe6\x97\"", MNotJSON},
		{"latin-1", "\"caf\xe9\"", MNotJSON},
		{"raw NUL", "\"a\x00b\"", MNotJSON},
		{"raw newline", "\"a\nb\"", MNotJSON},
		{"bad escape", `"\x41"`, MNotJSON},
		{"short escape", `"\u12"`, MNotJSON},
		{"cut escape", `"\`, MNotJSON},
		{"byte order mark", "\ufeff{}", MNotJSON},
		{"order by code point, not UTF-16", `{"` + "\U00010000" + `":1,"` + "\uffff" + `":2}`,
			`{"` + "\uffff" + `":2,"` + "\U00010000" + `":1}`},
		{"order of escaped keys", `{"a#":1,"a\"":2,"a\\":4,"a!":3,"\n":0}`, `{"\n":0,"a!":3,"a\"":2,"a#":1,"a\\":4}`},
		{"prefix first", `{"ab":1,"a":2,"":3}`, `{"":3,"a":2,"ab":1}`},
		{"nested order", `{"b":{"d":1,"c":2},"a":[{"z":1,"y":2}]}`, `{"a":[{"y":2,"z":1}],"b":{"c":2,"d":1}}`},
		{"equal keys", `{"a":1,"a":2}`, MBadJSON},
		{"equal keys apart", `{"a":1,"c":1,"b":1,"a":2}`, MBadJSON},
		{"equal keys by escape", `{"a":1,"\u0061":2}`, MBadJSON},
		{"same key in two objects", `[{"a":1},{"a":1}]`, `[{"a":1},{"a":1}]`},
		{"deepest", deep(MaxDepth), deep(MaxDepth)},
		{"too deep", deep(MaxDepth + 1), MBadJSON},
		{"too deep and open", strings.Repeat(`{"a":`, 1e5), MBadJSON},
		{"empty", ``, MNotJSON},
		{"space", " \n", MNotJSON},
		{"two values", `{} {}`, MNotJSON},
		{"comma at end", `[1,]`, MNotJSON},
		{"comma at end of object", `{"a":1,}`, MNotJSON},
		{"no comma", `[1 2]`, MNotJSON},
		{"no key", `{1:2}`, MNotJSON},
		{"no value", `{"a"}`, MNotJSON},
		{"open", `[`, MNotJSON},
		{"vertical tab", "[\v1]", MNotJSON},
		{"spaces everywhere", " \t\r\n[ 1 , { \"a\" : true } , [ ] , { } ] ", `[1,{"a":true},[],{}]`},
		{"words", `[true,false,null]`, `[true,false,null]`},
		{"wrong word", `[nul]`, MNotJSON},
		{"too long", `"` + strings.Repeat("x", MaxJSON) + `"`, MTooLarge},
	} {
		if got := outcome(Canonical([]byte(c.in))); got != c.want {
			t.Errorf("%s: got %.100s, want %.100s", c.name, got, c.want)
		}
	}
}

func TestCanonicalReturnsItsInput(t *testing.T) {
	in := []byte(`{"":[],"a":{"b":"日\n","c":[1,-2,null]},"d":"x"}`)
	got, err := Canonical(in)
	if err != nil || &got[0] != &in[0] {
		t.Errorf("canonical input was copied (error %v)", err)
	}
	if n := testing.AllocsPerRun(100, func() { Canonical(in) }); n != 0 {
		t.Errorf("%v allocations for canonical input", n)
	}
}
