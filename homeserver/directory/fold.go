package directory

import (
	"strings"
	"unicode"
)

// folded lists letters with what people type for them, by the plain letters.
const folded = "aàáâãäåāăąǎǟǡǻȁȃȧạảấầẩẫậắằẳẵặ bḃḅḇ cçćĉċč dďđḋḍḏḑḓ eèéêëēĕėęěȅȇȩẹẻẽếềểễệḙḛ fƒḟ gĝğġģǥǧǵḡ hĥħḣḥḧḩḫ iìíîïĩīĭįıǐȉȋỉịḭ " +
	"jĵǰ kķǩḱḳḵ lĺļľŀłḷḹḻḽ mḿṁṃ nñńņňŉǹṅṇṉṋ oòóôõöøōŏőơǒǫǭǿȍȏȫȭȯȱọỏốồổỗộớờởỡợ pṕṗ qʠ rŕŗřȑȓṙṛṝṟ sśŝşšșſṡṣ tţťŧțṫṭṯṱ " +
	"uùúûüũūŭůűųưǔǖǘǚǜȕȗụủứừửữự vṽṿ wŵẁẃẅẇẉ xẋẍ yýÿŷȳẏỳỵỷỹ zźżžƶẑẓẕ " +
	"αά εέ ηή ιίϊΐ οό υύϋΰ ωώ σς еёѐ иѝ і ї гґ уў"

// folds returns the plain letter of each letter that has one.
func folds() map[rune]rune {
	out := make(map[rune]rune)
	for group := range strings.FieldsSeq(folded) {
		var plain rune
		for i, r := range group {
			if i == 0 {
				plain = r
			} else {
				out[r] = plain
			}
		}
	}
	return out
}

// A folder turns text into what is compared in a search: without case, accents and marks.
type folder map[rune]rune

// newFolder returns a folder; it may be used by several goroutines at once.
func newFolder() folder { return folds() }

// fold returns text as it is compared: small letters without accents; ligatures and sharp s as two letters.
func (f folder) fold(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		if r < 0x80 {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			b.WriteByte(byte(r))
			continue
		}
		r = unicode.ToLower(r)
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == 'ß':
			b.WriteString("ss")
		case r == 'æ':
			b.WriteString("ae")
		case r == 'œ':
			b.WriteString("oe")
		case f[r] != 0:
			b.WriteRune(f[r])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// words returns the words of folded text: letters and digits without anything between them. Of scripts that have no
// spaces, as Chinese and Japanese, each character is a word.
func words(text string) []string {
	var out []string
	start := -1
	end := func(i int) {
		if start >= 0 {
			out = append(out, text[start:i])
		}
		start = -1
	}
	for i, r := range text {
		switch {
		case isWordless(r):
			end(i)
			start = i
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end(i)
		case start >= 0 && isWordless(firstRune(text[start:])):
			end(i)
			start = i
		case start < 0:
			start = i
		}
	}
	end(len(text))
	return out
}

func firstRune(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
}

// isWordless reports whether r belongs to a script that does not separate words.
func isWordless(r rune) bool {
	return r >= 0x2e80 && (unicode.Is(unicode.Han, r) || unicode.Is(unicode.Hiragana, r) || unicode.Is(unicode.Katakana, r))
}
