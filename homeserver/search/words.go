package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The bounds of what is read of a text.
const (
	maxText  = 32 << 10 // bytes of a text that are looked at
	maxWords = 2000     // words of a text
	maxWord  = 64       // bytes of a folded word; the rest of a longer one is cut off
)

// word is a word of a text.
type word struct {
	text     string // folded
	from, to int    // bytes of the text that it stands for
	dense    bool   // two letters, or the last one, of a run of a script that does not part its words
}

// words splits a text. A word is a run of letters, digits and the marks on them; in scripts that do not part words by
// spaces every letter begins a word, of that letter and the next one if there is one.
func words(text string) []word {
	if len(text) > maxText {
		text = text[:maxText]
	}
	out := make([]word, 0, min(len(text)/6+4, maxWords))
	add := func(from, to int, dense bool) {
		if folded := fold(text[from:to]); folded != "" && len(out) < maxWords {
			out = append(out, word{folded, from, to, dense})
		}
	}
	for i := 0; i < len(text) && len(out) < maxWords; {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case isDense(r):
			end := runEnd(text, i, isDense)
			eachPair(text, i, end, func(from, to int) { add(from, to, true) })
			i = end
		case isWord(r):
			end := runEnd(text, i, isWord)
			add(i, end, false)
			i = end
		default:
			i += size
		}
	}
	return out
}

// runEnd returns where the run of runes of a class that begins at from ends.
func runEnd(text string, from int, class func(rune) bool) int {
	for from < len(text) {
		r, size := utf8.DecodeRuneInString(text[from:])
		if !class(r) {
			break
		}
		from += size
	}
	return from
}

// eachPair calls f for each letter of text[from:end] together with the next one. Marks belong to the letter before.
func eachPair(text string, from, end int, f func(from, to int)) {
	next := func(i int) int {
		_, size := utf8.DecodeRuneInString(text[i:end])
		for i += size; i < end; i += size {
			var r rune
			if r, size = utf8.DecodeRuneInString(text[i:end]); !unicode.Is(unicode.M, r) {
				break
			}
		}
		return i
	}
	for i := from; i < end; {
		second := next(i)
		to := second
		if second < end {
			to = next(second)
		}
		f(i, to)
		i = second
	}
}

func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsNumber(r) || unicode.Is(unicode.M, r)) && !isDense(r)
}

// isDense reports whether r is of a script whose words are not parted by spaces, or (Korean) are long and inflected.
func isDense(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) || r == 'ー'
}

// fold brings a word to the form under which all that readers take for the same word are found: compatibility forms,
// case and accents do not matter.
func fold(s string) string {
	ascii := true
	for i := 0; i < len(s) && ascii; i++ {
		ascii = s[i] < utf8.RuneSelf
	}
	if ascii {
		return cut(strings.ToLower(s))
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		if isAccent(r) {
			continue
		}
		switch r = unicode.ToLower(unicode.ToUpper(r)); r { // by way of the upper case, so that both small sigmas are one
		case 'ß':
			b.WriteString("ss")
		case 'æ':
			b.WriteString("ae")
		case 'œ':
			b.WriteString("oe")
		case 'ø':
			b.WriteByte('o')
		case 'ł':
			b.WriteByte('l')
		case 'đ', 'ð':
			b.WriteByte('d')
		case 'þ':
			b.WriteString("th")
		case 'ı':
			b.WriteByte('i')
		default:
			b.WriteRune(r)
		}
	}
	return cut(norm.NFC.String(b.String()))
}

// isAccent reports whether r is a mark that is often left out: accents, Hebrew points, Arabic vowels.
func isAccent(r rune) bool {
	return 0x0300 <= r && r <= 0x036f || 0x0591 <= r && r <= 0x05c7 && unicode.Is(unicode.M, r) || 0x064b <= r && r <= 0x0652
}

func cut(s string) string {
	if len(s) <= maxWord {
		return s
	}
	end := maxWord
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
