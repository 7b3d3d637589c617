package zone

import "strings"

// line is one entry of a master file, which parentheses may spread over several lines (RFC 1035 §5.1).
type line struct {
	number   int
	indented bool     // begins with a blank: the owner is the last one's
	fields   []string // as they are written, with quotes and escapes
}

// scanner cuts the text of a master file into entries.
type scanner struct {
	text   string
	number int // of the line at the beginning of text
}

// next returns the next entry that has fields. Its error is a sentence without its full stop.
func (s *scanner) next() (l line, wrong string, more bool) {
	for s.text != "" {
		l, wrong = s.entry()
		if len(l.fields) > 0 || wrong != "" {
			return l, wrong, true
		}
	}
	return line{}, "", false
}

// entry reads up to the end of a line outside parentheses.
func (s *scanner) entry() (l line, wrong string) {
	l.number = s.number
	l.indented = s.text[0] == ' ' || s.text[0] == '\t'
	open := 0
	for s.text != "" {
		switch c := s.text[0]; c {
		case '\n':
			s.text = s.text[1:]
			s.number++
			if open == 0 {
				return l, ""
			}
			if len(l.fields) == 0 {
				l.number = s.number
			}
		case ' ', '\t', '\r':
			s.text = s.text[1:]
		case ';':
			if end := strings.IndexByte(s.text, '\n'); end >= 0 {
				s.text = s.text[end:]
			} else {
				s.text = ""
			}
		case '(':
			open++
			s.text = s.text[1:]
		case ')':
			if open == 0 {
				s.skipLine()
				return l, "there is a closing parenthesis without an opening one before it"
			}
			open--
			s.text = s.text[1:]
		default:
			field, ok := s.field()
			if !ok {
				s.skipLine()
				return l, "a quotation mark is not closed on the same line"
			}
			l.fields = append(l.fields, field)
		}
	}
	if open > 0 {
		return l, "a parenthesis that is opened here is never closed"
	}
	return l, ""
}

// field reads up to a blank, a comment or a parenthesis outside quotes.
func (s *scanner) field() (field string, ok bool) {
	quoted := false
	for i := 0; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '\\' && i+1 < len(s.text) && s.text[i+1] != '\n':
			i++
		case c == '\n' && quoted:
			s.text = s.text[i:]
			return "", false
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(" \t\r\n;()", c) >= 0:
			field, s.text = s.text[:i], s.text[i:]
			return field, true
		}
	}
	field, s.text = s.text, ""
	return field, !quoted
}

func (s *scanner) skipLine() {
	end := strings.IndexByte(s.text, '\n')
	if end < 0 {
		s.text = ""
		return
	}
	s.text = s.text[end+1:]
	s.number++
}
