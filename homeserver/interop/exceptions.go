package main

import (
	"fmt"
	"regexp"
	"strings"
)

// An exception is a kind of difference that the specification explains. In the files of testdata/exceptions it is written
//
//	== What differs, and who is right
//	step sync: * GET /sync*
//	differs rooms.*.summary.* | nothing
//	spec data/api/client-server/sync.yaml "words of the specification that allow it"
//
// with one or more lines of each kind. A star stands for any text. A step is matched as "AREA: ACTOR METHOD PATH BODY",
// a difference as the package comment shows it. The words must stand in that file of the specification.
type exception struct {
	file    string
	line    int
	title   string
	steps   []*pattern
	differs []*pattern
	quotes  []quote
}

// A pattern is a text with stars, and how many differences it has explained.
type pattern struct {
	line int
	text string
	re   *regexp.Regexp
	uses int
}

// A quote is a passage of the specification.
type quote struct {
	line        int
	file, words string
}

func newPattern(l line, text string) *pattern {
	parts := strings.Split(text, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return &pattern{line: l.number, text: text, re: regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$")}
}

func parseExceptions(file, text string) ([]*exception, error) {
	var all []*exception
	for _, l := range logicalLines(text) {
		word, rest, _ := strings.Cut(l.text, " ")
		rest = strings.TrimSpace(rest)
		if word == "==" {
			all = append(all, &exception{file: file, line: l.number, title: rest})
			continue
		}
		if len(all) == 0 || rest == "" {
			return nil, fmt.Errorf("exceptions/%s.txt:%d: %q is not an exception", file, l.number, l.text)
		}
		e := all[len(all)-1]
		switch word {
		case "step":
			e.steps = append(e.steps, newPattern(l, rest))
		case "differs":
			e.differs = append(e.differs, newPattern(l, rest))
		case "spec":
			file, words, ok := strings.Cut(rest, ` "`)
			if !ok || !strings.HasSuffix(words, `"`) {
				return nil, fmt.Errorf("exceptions/%s.txt:%d: want FILE \"words\", not %q", file, l.number, rest)
			}
			e.quotes = append(e.quotes, quote{l.number, file, strings.TrimSuffix(words, `"`)})
		default:
			return nil, fmt.Errorf("exceptions/%s.txt:%d: %q says nothing about an exception", file, l.number, word)
		}
	}
	for _, e := range all {
		if len(e.steps) == 0 || len(e.differs) == 0 || len(e.quotes) == 0 {
			return nil, fmt.Errorf("exceptions/%s.txt:%d: an exception needs step, differs and spec", file, e.line)
		}
	}
	return all, nil
}

// explain returns the exception that explains a difference in a step, nil if none does. If it counts, the exception has
// been needed.
func explain(all []*exception, s *step, d *difference, counts bool) *exception {
	stepText, text := s.conversation.area+": "+s.String(), d.String()
	for _, e := range all {
		on, by := first(e.steps, stepText), first(e.differs, text)
		if on != nil && by != nil {
			if counts {
				on.uses++
				by.uses++
			}
			return e
		}
	}
	return nil
}

func first(patterns []*pattern, text string) *pattern {
	for _, p := range patterns {
		if p.re.MatchString(text) {
			return p
		}
	}
	return nil
}

// stale returns the lines of exceptions that explained nothing.
func stale(all []*exception) []string {
	var found []string
	for _, e := range all {
		if e.file == walksArea {
			continue // not every walk comes by everything
		}
		for _, p := range append(append([]*pattern(nil), e.steps...), e.differs...) {
			if p.uses == 0 {
				found = append(found, fmt.Sprintf("exceptions/%s.txt:%d: %s", e.file, p.line, p.text))
			}
		}
	}
	return found
}
