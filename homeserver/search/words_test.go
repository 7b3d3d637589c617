package search

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"Hello, World!":           "hello world",
		"don't e-mail a.b_c":      "don t e mail a b c",
		"Ärger Straße ΣΊΣΥΦΟΣ":    "arger strasse σισυφοσ",
		"Łódź Ørsted œuvre ĳs":    "lodz orsted oeuvre ijs",
		"e\u0301te\u0301 ﬁn ２０２６": "ete fin 2026",
		"İstanbul ısı":            "istanbul isi",
		"Ёлка Привет":             "елка привет",
		"שָׁלוֹם مُحَمَّد":        "שלום محمد",
		"我们去":                     "我们 们去 去",
		"猫":                       "猫",
		"abc猫def":                 "abc 猫 def",
		"データベース":                  "デー ータ タベ ベー ース ス",
		"한국어 말":                   "한국 국어 어 말",
		"日本2026年":                 "日本 本 2026 年",
		"":                        "",
		"😀 --- \u200b":            "",
		"क्षत्रिय हिन्दी": "क्षत्रिय हिन्दी",
	} {
		var got []string
		for _, w := range words(text) {
			got = append(got, w.text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestWordsAreBounded(t *testing.T) {
	if all := words(strings.Repeat("word ", 10_000)); len(all) != maxWords {
		t.Errorf("%d words", len(all))
	}
	if all := words(strings.Repeat("é", 10_000)); len(all) != 1 || len(all[0].text) > maxWord || !utf8.ValidString(all[0].text) {
		t.Errorf("%d words", len(all))
	}
	if all := words(strings.Repeat("の", 30_000)); len(all) != maxWords {
		t.Errorf("%d words", len(all))
	}
	var many strings.Builder
	for i := range 1500 {
		many.WriteString("w" + strings.Repeat("x", i%40) + string(rune('a'+i/40)) + " ")
	}
	if n := len(grades(KeyBody, many.String())); n != maxTokens {
		t.Errorf("%d different words are indexed", n)
	}
}

func TestQuery(t *testing.T) {
	for _, c := range []struct {
		term, text string
		want       bool
	}{
		{"tea time", "it is time for tea", true},
		{`"tea time"`, "it is time for tea", false},
		{`"time for"`, "it is time for tea", true},
		{`"time for`, "it is time for tea", true},
		{"o'clock", "clock o", false},
		{"tea -time", "it is time for tea", false},
		{"tea -\"for time\"", "it is time for tea", true},
		{"-tea", "coffee", false}, // nothing to look for
		{"猫が", "猫が好き", true},
		{"が好", "猫が好き", true},
		{"き", "猫が好き", true},
		{"猫好", "猫が好き", false},
		{"THÉ", "the", true},
		{"te", "tea", false},
	} {
		q, err := parseQuery(c.term)
		if err != nil {
			t.Errorf("%q: %v", c.term, err)
			continue
		}
		if _, ok := q.match(c.text); ok != c.want {
			t.Errorf("%q in %q: %v, want %v", c.term, c.text, ok, c.want)
		}
	}
	if _, err := parseQuery("\xff"); err == nil {
		t.Error("what is no UTF-8 was taken")
	}
}

func TestLevels(t *testing.T) {
	short, long := levelOf(KeyBody, 1, 1), levelOf(KeyBody, 1, 500)
	often := levelOf(KeyBody, 50, 50)
	if !(long < short && short <= often && often <= maxLevel && long == levelBody) {
		t.Errorf("levels: long %d, short %d, often %d", long, short, often)
	}
	if levelOf(KeyName, 9, 9) != levelName || levelOf(KeyTopic, 1, 1) != levelTopic {
		t.Error("names and topics have levels of their own")
	}
}

// FuzzWords: whatever a text is, a word of it finds it.
func FuzzWords(f *testing.F) {
	f.Add("The Café is 猫カフェ, naïve Straße")
	f.Add("a\u0301\u0301\u0301 \xff 한국어")
	f.Fuzz(func(t *testing.T, text string) {
		all := words(text)
		indexed := grades(KeyBody, text)
		for i, w := range all {
			if w.text == "" || len(w.text) > maxWord || strings.Contains(w.text, "\x00") || w.from >= w.to || w.to > len(text) {
				t.Fatalf("word %+v", w)
			}
			if !slices.ContainsFunc(indexed, func(g grade) bool { return g.term == w.text }) && len(indexed) < maxTokens {
				t.Fatalf("%q is not indexed", w.text)
			}
			q, err := parseQuery(text[w.from:w.to])
			if err != nil || i > 50 {
				continue
			}
			if _, ok := q.match(text); !ok && len(q.terms) > 0 && !slices.ContainsFunc(all, func(o word) bool { return o.from < w.from && o.to > w.from && o.dense }) {
				t.Fatalf("%q is not found in %q", text[w.from:w.to], text)
			}
		}
	})
}
