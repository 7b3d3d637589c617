package matrix

import (
	"slices"
	"testing"
)

func TestSplitPath(t *testing.T) {
	for path, want := range map[string][]string{
		"":                         {""},
		"type":                     {"type"},
		"content.body":             {"content", "body"},
		`content.m\.relates_to`:    {"content", "m.relates_to"},
		`content.m\\foo`:           {"content", `m\foo`},
		`content.m\foo`:            {"content", `m\foo`},
		`content.m\.a\.b.c`:        {"content", "m.a.b", "c"},
		`a\`:                       {`a\`},
		`.a.`:                      {"", "a", ""},
		`content.m\.mentions.room`: {"content", "m.mentions", "room"},
	} {
		if got := SplitPath(path); !slices.Equal(got, want) {
			t.Errorf("SplitPath(%q) = %q, want %q", path, got, want)
		}
	}
}
