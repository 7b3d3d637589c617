package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// An area is one file of conversations.
type area struct {
	name          string // the file's, without .txt
	conversations []*conversation
}

// A conversation is a list of steps by users of its own.
type conversation struct {
	area, title string
	number      int // in its area
	short       bool
	hurried     bool // it is made up: what it waits for may never be there
	flavour     string
	users       []user
	steps       []*step
}

// A user is who acts, with the devices that act beside the first one.
type user struct {
	name    string
	devices []string
}

// A step is one request, as it is written.
type step struct {
	conversation *conversation
	line         int
	actor        string
	method, path string
	body         string
	keep         []capture
	until        []condition
	unordered    []string // paths of arrays
}

// A capture keeps what stands at a path in a variable; one that is optional does so if there is something.
type capture struct {
	name, path string
	optional   bool
}

// A condition is that something stands at a path of the answer: anything, nothing, or one value.
type condition struct {
	path   string
	absent bool
	value  string // as it is kept in a variable; "" for any
}

func (s *step) String() string {
	text := s.actor + " " + s.method + " " + s.path
	if s.body != "" {
		text += " " + s.body
	}
	return text
}

// where is the step's place in its file, as FILE:LINE.
func (s *step) where() string { return fmt.Sprintf("%s.txt:%d", s.conversation.area, s.line) }

// parse reads a file of conversations.
func parse(name, text string) (*area, error) {
	a := &area{name: name}
	var c *conversation
	for _, l := range logicalLines(text) {
		if title, ok := strings.CutPrefix(l.text, "== "); ok {
			var err error
			if c, err = parseTitle(title); err != nil {
				return nil, fmt.Errorf("%s.txt:%d: %w", name, l.number, err)
			}
			c.area, c.number = name, len(a.conversations)+1
			a.conversations = append(a.conversations, c)
			continue
		}
		if c == nil {
			return nil, fmt.Errorf("%s.txt:%d: a step before the first title", name, l.number)
		}
		if err := c.parseLine(l); err != nil {
			return nil, fmt.Errorf("%s.txt:%d: %w", name, l.number, err)
		}
	}
	return a, nil
}

type line struct {
	number int
	text   string
}

// logicalLines joins indented lines to those before them, and drops comments and empty lines.
func logicalLines(text string) []line {
	var lines []line
	number := 0
	for l := range strings.Lines(text) {
		number++
		trimmed := strings.TrimSpace(l)
		switch {
		case trimmed == "", strings.HasPrefix(trimmed, "#"):
		case l[0] == ' ' && len(lines) > 0:
			lines[len(lines)-1].text += " " + trimmed
		default:
			lines = append(lines, line{number, trimmed})
		}
	}
	return lines
}

func parseTitle(text string) (*conversation, error) {
	parts := strings.Split(text, ";")
	c := &conversation{title: strings.TrimSpace(parts[0]), flavour: "open"}
	for _, p := range parts[1:] {
		word := strings.TrimSpace(p)
		server, isServer := strings.CutPrefix(word, "server=")
		switch {
		case word == "short":
			c.short = true
		case isServer:
			c.flavour = server
		default:
			return nil, fmt.Errorf("%q says nothing about a conversation", word)
		}
	}
	return c, nil
}

func (c *conversation) parseLine(l line) error {
	if names, ok := strings.CutPrefix(l.text, "with "); ok {
		for name := range strings.FieldsSeq(names) {
			c.addActor(name)
		}
		return nil
	}
	text, options, _ := cutLast(l.text, " -> ")
	fields := strings.SplitN(text, " ", 4)
	if len(fields) < 3 || !slices.Contains(strings.Fields("GET PUT POST DELETE PATCH OPTIONS HEAD"), fields[1]) || fields[2] == "" || fields[2][0] != '/' {
		return fmt.Errorf("want ACTOR METHOD /path, not %q", text)
	}
	s := &step{conversation: c, line: l.number, actor: fields[0], method: fields[1], path: fields[2]}
	if len(fields) == 4 {
		s.body = strings.TrimSpace(fields[3])
	}
	c.addActor(s.actor)
	c.steps = append(c.steps, s)
	return s.parseOptions(options)
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

func (s *step) parseOptions(text string) error {
	words := strings.Fields(text)
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		name, path, isKeep := strings.Cut(word, "=")
		switch {
		case isKeep:
			name, optional := strings.CutSuffix(name, "?")
			s.keep = append(s.keep, capture{name, path, optional})
		case (word == "until" || word == "unordered") && len(words) > 0:
			path, absent := strings.CutPrefix(words[0], "!")
			if word == "unordered" {
				s.unordered = append(s.unordered, path)
			} else {
				path, value, _ := strings.Cut(path, "==")
				s.until = append(s.until, condition{path, absent, value})
			}
			words = words[1:]
		default:
			return fmt.Errorf("%q says nothing about an answer", word)
		}
	}
	return nil
}

// actorName is who acts as a user, and perhaps as a device.
var actorName = regexp.MustCompile(`^([a-z]+)(?:/([a-z]+))?$`)

// addActor notes the user, and the device, that an actor's name stands for.
func (c *conversation) addActor(actor string) {
	m := actorName.FindStringSubmatch(actor)
	if m == nil {
		return // nobody: "-", "?", "=$token"
	}
	i := slices.IndexFunc(c.users, func(u user) bool { return u.name == m[1] })
	if i < 0 {
		i = len(c.users)
		c.users = append(c.users, user{name: m[1]})
	}
	if m[2] != "" && !slices.Contains(c.users[i].devices, m[2]) {
		c.users[i].devices = append(c.users[i].devices, m[2])
	}
}
