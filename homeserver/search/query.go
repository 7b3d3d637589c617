package search

import (
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"hearth/matrix"
)

// The bounds of what may be searched for.
const (
	maxTermBytes = 1024 // a search term
	maxTerms     = 16   // words in it
)

// term is a word that is looked up.
type term struct {
	text string
	// prefix: text is one letter of a dense script, with which a word begins that stands for two.
	prefix bool
}

// query is a search term that was read: all of its words must occur, those of a phrase behind each other, and none of
// the excluded ones.
type query struct {
	terms    []term // each once
	phrases  [][]term
	excluded [][]term
}

// parseQuery reads a search term: words, "phrases in quotes", and -words or -"phrases" that must not occur.
//
// Errors: M_INVALID_PARAM (400) if it is too long or has no words.
func parseQuery(text string) (*query, error) {
	if len(text) > maxTermBytes || !utf8.ValidString(text) {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A search term has at most %d bytes", maxTermBytes)
	}
	q, count := new(query), 0
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		exclude := false
		if text[0] == '-' {
			exclude, text = true, text[1:]
		}
		var piece string
		if quoted, ok := strings.CutPrefix(text, `"`); ok {
			piece, text, _ = strings.Cut(quoted, `"`)
		} else if i := strings.IndexAny(text, " \t\n\r\""); i >= 0 {
			piece, text = text[:i], text[i:]
		} else {
			piece, text = text, ""
		}
		phrase := termsOf(piece)
		count += len(phrase)
		switch {
		case len(phrase) == 0:
		case exclude:
			q.excluded = append(q.excluded, phrase)
		default:
			q.phrases = append(q.phrases, phrase)
			for _, t := range phrase {
				if !slices.Contains(q.terms, t) {
					q.terms = append(q.terms, t)
				}
			}
		}
	}
	if count > maxTerms {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A search term has at most %d words", maxTerms)
	}
	return q, nil
}

// termsOf returns the words of a piece of a search term in their order. A piece without spaces may have several, such
// as "o'clock", which must then occur behind each other, too.
func termsOf(piece string) []term {
	var out []term
	all := words(piece)
	for i, w := range all {
		single := w.dense && utf8.RuneCountInString(w.text) == 1
		if single && i > 0 && all[i-1].dense && all[i-1].to == w.to {
			continue // the last letter of a run, which is in the pair before it
		}
		out = append(out, term{w.text, single})
	}
	return out
}

func (t term) is(w *word) bool {
	return t.text == w.text || t.prefix && w.dense && strings.HasPrefix(w.text, t.text)
}

// match reports whether a text has what the query asks for, and which of its words, as they stand in it.
func (q *query) match(text string) (found []string, ok bool) {
	all := words(text)
	for _, phrase := range q.excluded {
		if find(all, phrase) >= 0 {
			return nil, false
		}
	}
	for _, phrase := range q.phrases {
		at := find(all, phrase)
		if at < 0 {
			return nil, false
		}
		if all[at].dense { // a run of letters is one word to a reader
			found = append(found, text[all[at].from:all[at+len(phrase)-1].to])
			continue
		}
		for _, w := range all[at : at+len(phrase)] {
			found = append(found, text[w.from:w.to])
		}
	}
	return found, len(q.phrases) > 0
}

// find returns where a phrase begins in a text, -1 if it does not occur.
func find(all []word, phrase []term) int {
	for i := 0; i+len(phrase) <= len(all); i++ {
		j := 0
		for j < len(phrase) && phrase[j].is(&all[i+j]) {
			j++
		}
		if j == len(phrase) {
			return i
		}
	}
	return -1
}
