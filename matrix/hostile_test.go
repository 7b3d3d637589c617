package matrix

import (
	"strings"
	"testing"
)

// hostile texts of about n bytes: each makes some part of the work as large as the limits allow.
func hostile(n int) map[string]string {
	const depth = MaxDepth - 1
	var keys strings.Builder
	for i := range n / 8 {
		keys.WriteString(`"` + string([]byte{byte('a' + i*7%26), byte('a' + i/26*11%26), byte('a' + i/676*3%26), byte('a' + i/17576%26)}) + `":0,`)
	}
	return map[string]string{
		"every object out of order": strings.Repeat(`{"b":`, depth) + `"` + strings.Repeat("x", n) + `"` + strings.Repeat(`,"a":0}`, depth),
		"many keys out of order":    "{" + strings.TrimSuffix(keys.String(), ",") + "}",
		"escapes":                   `["` + strings.Repeat(`\u0061`, n/6) + `"]`,
		"escaped keys out of order": "{" + strings.Repeat(`"\"`, 1) + `":0,"!\"` + strings.Repeat(`\u0000`, n/6) + `":1}`,
		"long number":               "[" + strings.Repeat("1", n) + "]",
		"long exponent":             "[1e" + strings.Repeat("1", n) + "]",
		"open brackets":             strings.Repeat("[", n),
		"spaces":                    "[" + strings.Repeat(" ", n) + "]",
		"empty arrays":              "[" + strings.Repeat("[],", n/3) + "0]",
	}
}

func BenchmarkHostile(b *testing.B) {
	for name, text := range hostile(1 << 19) {
		b.Run(name, func(b *testing.B) {
			src := []byte(text)
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				Canonical(src)
			}
		})
	}
}

// Hostile texts give a canonical form or an error, as any other text does.
func TestHostileTexts(t *testing.T) {
	for name, text := range hostile(1 << 16) {
		form, err := CanonicalLoose([]byte(text))
		if err == nil {
			fixedPoint(t, CanonicalLoose, form)
		} else if outcome(nil, err) != MBadJSON {
			t.Errorf("%s: %v", name, err)
		}
	}
}
