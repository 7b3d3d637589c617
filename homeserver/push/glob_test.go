package push

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func plenty() *int { n := 1 << 40; return &n }

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		glob  string
		yes   []string
		no    []string
		words []string // bodies in which a word matches
		not   []string // bodies in which none does
	}{
		// spec: client-server-api#conditions-1
		{"lunc?*", []string{"Lunch plans", "LUNCH"}, []string{" lunch", "lunc"}, []string{"so lunch it is"}, []string{"brunch", "lunc"}},
		{"ex*ple", []string{"example", "exple"}, []string{"an example"}, []string{"An example event.", "exple", "An exciting triple-whammy"}, []string{"exemplary", "anexample"}},
		{"cake", []string{"cake", "CAKE"}, []string{"cakes", "", "cak"}, []string{"Cake!", "a cake", "(cake)", "é cake", "écake", "cake日本"}, []string{"cakes", "cupcake", "cake_", "cake1", "_cake", ""}},
		{"", []string{""}, []string{"a"}, []string{"", "a"}, nil},
		{"*", []string{"", "a", "a b"}, nil, []string{"", "a", "_"}, nil},
		{"?", []string{"a", "é", "日"}, []string{"", "ab"}, []string{"a", "a b", "日本"}, []string{"", "ab"}},
		{"**", []string{"", "ab"}, nil, []string{"x"}, nil},
		{"a*", []string{"a", "abc"}, []string{"ba"}, []string{"b abc", "a"}, []string{"ba"}},
		{"*a", []string{"a", "cba"}, []string{"ab"}, []string{"cba b", "ba"}, []string{"ab"}},
		{"a*b*c", []string{"abc", "axbxc", "abcbc"}, []string{"acb", "ab", "abcd"}, []string{"x abc y", "a b c"}, []string{"xabc", "abcx"}},
		{"*a*", []string{"a", "xax"}, []string{"", "x"}, []string{"xax"}, []string{"x"}},
		{"a?c*e?g", []string{"abcdefg", "a.ce.g", "abcefg"}, []string{"abceg", "abcdefgh"}, []string{"- abc-efg -"}, []string{"abcdefgh"}},
		{"?*?", []string{"ab", "日本"}, []string{"a", "日"}, []string{"ab", "a b"}, []string{"a"}},
		{"日?", []string{"日本"}, []string{"日"}, []string{"日本語"}, []string{"日"}},
		{"STRASSE", []string{"strasse"}, []string{"straße"}, []string{"die Strasse"}, nil},
		{"a.c[d", []string{"a.c[d"}, []string{"abc[d"}, []string{"x a.c[d x"}, nil},
		{"-", []string{"-"}, nil, []string{"a-b", "-"}, []string{"ab"}},
	} {
		p := newPattern(c.glob)
		for _, list := range []struct {
			values []string
			match  func(s string, left *int) bool
			want   bool
			how    string
		}{
			{c.yes, p.whole, true, "whole"}, {c.no, p.whole, false, "whole"},
			{c.words, lowered(p), true, "word"}, {c.not, lowered(p), false, "word"},
		} {
			for _, s := range list.values {
				if got := list.match(s, plenty()); got != list.want {
					t.Errorf("%q in %q as %s: %v", c.glob, s, list.how, got)
				}
			}
		}
	}
}

func lowered(p *pattern) func(string, *int) bool {
	return func(s string, left *int) bool { return p.word(strings.ToLower(s), left) }
}

// TestGlobBudget gives a match that would take long little to spend.
func TestGlobBudget(t *testing.T) {
	long := strings.Repeat("a", 60000)
	for _, glob := range []string{strings.Repeat("a?", 2000) + "b", "*" + strings.Repeat("?a", 2000) + "b*", "b" + strings.Repeat("*a", 2000), strings.Repeat("a*?", 500) + "b"} {
		p := newPattern(glob)
		for _, match := range []func(string, *int) bool{p.whole, p.word} {
			left := 100000
			if match(long, &left) {
				t.Errorf("%.20q matches", glob)
			}
			if left < -100000 {
				t.Errorf("%.20q: overspent by %d", glob, -left)
			}
		}
	}
}

// reference says by a regular expression whether a glob matches.
func reference(glob, s string, word bool) bool {
	var b strings.Builder
	for _, c := range strings.ToLower(glob) {
		switch c {
		case '*':
			b.WriteString(`.*`)
		case '?':
			b.WriteString(`.`)
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	s = strings.ToLower(s)
	if !word {
		return regexp.MustCompile(`(?s)^(?:` + b.String() + `)$`).MatchString(s)
	}
	re := regexp.MustCompile(`(?s)^(?:` + b.String() + `)$`)
	for i := 0; i <= len(s); i++ {
		for j := i; j <= len(s); j++ {
			if boundary(s, i) && boundary(s, j) && runeStart(s, i) && runeStart(s, j) && re.MatchString(s[i:j]) {
				return true
			}
		}
	}
	return false
}

func runeStart(s string, i int) bool { return i == len(s) || s[i]&0xc0 != 0x80 }

func FuzzGlob(f *testing.F) {
	for _, s := range [][2]string{{"a*b", "aXb"}, {"?", "é"}, {"c?ke*", "a cake"}, {"*a?b*", "x a_b"}, {"ab", "ab_ab ab"}, {"a*a", "aa a"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, glob, s string) {
		if len(glob) > 12 || len(s) > 24 || strings.ToValidUTF8(glob+s, "") != glob+s {
			return
		}
		p := newPattern(glob)
		for _, word := range []bool{false, true} {
			got := p.whole(s, plenty())
			if word {
				got = p.word(strings.ToLower(s), plenty())
			}
			if want := reference(glob, s, word); got != want {
				t.Errorf("%q in %q, word %v: %v, want %v", glob, s, word, got, want)
			}
		}
	})
}

// TestGlobSmall tries all short globs on all short texts.
func TestGlobSmall(t *testing.T) {
	letters := []string{"a", "b", "*", "?", " "}
	var all func(n int) []string
	all = func(n int) []string {
		out := []string{""}
		if n > 0 {
			for _, s := range all(n - 1) {
				for _, c := range letters {
					out = append(out, c+s)
				}
			}
		}
		return out
	}
	for _, glob := range all(3) {
		p := newPattern(glob)
		for _, s := range all(3) {
			if strings.ContainsAny(s, "*?") {
				continue
			}
			for _, word := range []bool{false, true} {
				got := fmt.Sprint(p.whole(s, plenty()))
				if word {
					got = fmt.Sprint(p.word(s, plenty()))
				}
				if want := fmt.Sprint(reference(glob, s, word)); got != want {
					t.Fatalf("%q in %q, word %v: %v, want %v", glob, s, word, got, want)
				}
			}
		}
	}
}
