package box

import (
	"slices"
	"strings"
	"testing"
)

func TestParseSettings(t *testing.T) {
	got, err := ParseSettings([]byte("\ufeff# the owner's\r\nserver_name = example.org\r\n\r\n  dnsprimary.zones=a.org,b.org\nbox.hostname =\nsecret = a=b"))
	want := []Setting{{"server_name", "example.org", 2}, {"dnsprimary.zones", "a.org,b.org", 4}, {"box.hostname", "", 5}, {"secret", "a=b", 6}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for text, want := range map[string]string{
		"a = b\nserver_name":                   "line 2: want KEY = VALUE",
		"= x":                                  "line 1: want KEY = VALUE",
		"a b = c":                              "line 1: want KEY = VALUE",
		"a = \xff":                             "it is not UTF-8 text",
		strings.Repeat("#", LongestSettings+1): "it has more than 65536 bytes",
	} {
		if _, err := ParseSettings([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.20q: got %v, want %s", text, err, want)
		}
	}
}

func FuzzParseSettings(f *testing.F) {
	f.Add([]byte("# x\nserver_name = example.org\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := ParseSettings(text)
		if err != nil {
			return
		}
		for _, s := range all {
			if s.Key == "" || strings.ContainsAny(s.Key+s.Value, "\n") || s.Key != strings.TrimSpace(s.Key) {
				t.Errorf("%v", s)
			}
			again, err := ParseSettings([]byte(s.Key + " = " + s.Value))
			if err != nil || len(again) != 1 || again[0].Key != s.Key || again[0].Value != s.Value {
				t.Errorf("%v is read again as %v, %v", s, again, err)
			}
		}
	})
}
