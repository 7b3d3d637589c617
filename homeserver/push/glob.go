package push

import (
	"strings"
	"unicode/utf8"
)

// pattern is a glob in lower case, cut at its stars: "*" stands for any characters, "?" for one.
// spec: appendices#glob-style-matching
//
// Matching never goes back over a star: since a star takes any characters, the leftmost place where the part before
// it fits is as good as any other. So the cost of a match is at most the product of both lengths, and nearly always
// their sum; it is taken from the caller's budget.
type pattern struct {
	parts []part
}

type part struct {
	text string
	wild bool // text has question marks
}

func newPattern(glob string) *pattern {
	p := new(pattern)
	for text := range strings.SplitSeq(strings.ToLower(glob), "*") {
		p.parts = append(p.parts, part{text, strings.Contains(text, "?")})
	}
	return p
}

// literal is the pattern that only the text itself matches.
func literal(text string) *pattern { return &pattern{parts: []part{{text: strings.ToLower(text)}}} }

// whole reports whether all of s matches, without regard to case.
func (p *pattern) whole(s string, left *int) bool {
	first, last := &p.parts[0], &p.parts[len(p.parts)-1]
	if len(p.parts) == 1 && !first.wild && first.text == s {
		return true
	}
	if *left -= len(s); *left < 0 {
		return false
	}
	s = strings.ToLower(s)
	at := first.fits(s, 0, left)
	if len(p.parts) == 1 || at < 0 {
		return at == len(s)
	}
	for i := 1; i < len(p.parts)-1; i++ {
		if _, at = p.parts[i].find(s, at, left); at < 0 {
			return false
		}
	}
	start := last.fromEnd(s)
	return start >= at && last.fits(s, start, left) == len(s)
}

// word reports whether a substring of s, which is in lower case, matches that begins and ends at word boundaries.
// spec: client-server-api#conditions-1 (event_match on content.body)
func (p *pattern) word(s string, left *int) bool {
	first, last := &p.parts[0], &p.parts[len(p.parts)-1]
	if len(p.parts) == 1 {
		return first.place(s, 0, left, true, true) >= 0
	}
	at := first.place(s, 0, left, true, false)
	for i := 1; i < len(p.parts)-1 && at >= 0; i++ {
		_, at = p.parts[i].find(s, at, left)
	}
	return at >= 0 && (last.text == "" || last.place(s, at, left, false, true) >= 0)
}

// place finds the first place at or after from where the part fits, at a word boundary on the sides asked for, and
// returns its end, -1 if there is none.
func (q *part) place(s string, from int, left *int, before, after bool) int {
	for from <= len(s) {
		start, end := q.find(s, from, left)
		if end < 0 {
			return -1
		}
		if (!before || boundary(s, start)) && (!after || boundary(s, end)) {
			return end
		}
		from = start + max(1, runeLen(s, start))
	}
	return -1
}

// find returns the first place at or after from where the part fits, -1 if there is none.
func (q *part) find(s string, from int, left *int) (start, end int) {
	if !q.wild {
		i := strings.Index(s[from:], q.text)
		if i < 0 {
			*left -= (len(s) - from) / 8
			return -1, -1
		}
		*left -= i/8 + 4
		if *left < 0 {
			return -1, -1
		}
		return from + i, from + i + len(q.text)
	}
	for start = from; start < len(s); start += runeLen(s, start) {
		if end = q.fits(s, start, left); end >= 0 {
			return start, end
		}
		if *left < 0 {
			break
		}
	}
	return -1, -1
}

// fits returns the end of the part in s if it begins at the byte from, -1 if it does not fit there.
func (q *part) fits(s string, from int, left *int) int {
	if !q.wild {
		if !strings.HasPrefix(s[from:], q.text) {
			return -1
		}
		return from + len(q.text)
	}
	for i := 0; i < len(q.text); i++ {
		*left--
		switch {
		case *left < 0 || from >= len(s):
			return -1
		case q.text[i] == '?':
			from += runeLen(s, from)
		case q.text[i] == s[from]:
			from++
		default:
			return -1
		}
	}
	return from
}

// fromEnd returns where the part must begin in s to reach to its end, -1 if s is too short.
func (q *part) fromEnd(s string) int {
	if !q.wild {
		return len(s) - len(q.text)
	}
	at := len(s)
	for range utf8.RuneCountInString(q.text) {
		if at == 0 {
			return -1
		}
		_, width := utf8.DecodeLastRuneInString(s[:at])
		at -= width
	}
	return at
}

func runeLen(s string, at int) int {
	_, width := utf8.DecodeRuneInString(s[at:])
	return width
}

// boundary reports whether position i of s, in bytes, has no word character on at least one of its sides.
func boundary(s string, i int) bool {
	return i == 0 || i == len(s) || !isWord(s[i-1]) || !isWord(s[i])
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
