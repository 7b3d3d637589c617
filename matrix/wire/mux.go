package wire

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"unicode/utf8"

	"hearth/matrix"
)

// A Handler answers a request, or returns why not before it has written
// anything; the Mux then writes the error.
type Handler func(w http.ResponseWriter, r *http.Request) error

// A Mux sends each request to the handler of its method and path.
//
// It differs from http.ServeMux where Matrix does: paths are matched segment
// by segment as the client escaped them and never cleaned or redirected (a
// state key may be empty, "." or contain "%2F"), and unknown endpoints and
// methods are answered with M_UNRECOGNIZED.
//
// The fields and the patterns are set before the first request.
type Mux struct {
	// CORS adds the headers for clients in browsers to every answer, and
	// answers every OPTIONS request with them alone.
	CORS bool
	// Admit, if set, is asked before each request's handler is called, when the
	// request's Pattern and path values are known; its error is the answer.
	Admit func(r *http.Request) error
	// Failed, if set, is given each error that was answered as M_UNKNOWN,
	// which includes panics. It may run in many goroutines at once.
	Failed func(r *http.Request, err error)
	// Aliases are prefixes of paths, none the beginning of another, each with
	// what stands in its place in the patterns.
	Aliases map[string]string

	root node
}

// A node is one segment of the registered paths.
type node struct {
	literal  map[string]*node
	wildcard *node              // {name}
	rest     map[string]handler // {name...}, by method
	here     map[string]handler // by method
}

type handler struct {
	serve   Handler
	pattern string
	names   []string // of the wildcards, in order
}

// Handle registers a handler for a pattern of the form "METHOD /path", in
// whose path a segment {name} matches any one segment, also an empty one, and
// a last segment {name...} all that remain. Literal segments win over
// wildcards, segment by segment from the left. A GET pattern serves HEAD too.
// It panics when the pattern is malformed or registered twice, which is a
// mistake of the program.
func (m *Mux) Handle(pattern string, h Handler) {
	method, path, ok := strings.Cut(pattern, " /")
	if !ok {
		panic(fmt.Sprintf("pattern %q is not of the form METHOD /path", pattern))
	}
	n, entry := &m.root, handler{serve: h, pattern: pattern}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		name, isWildcard := strings.CutPrefix(segment, "{")
		name = strings.TrimSuffix(name, "}")
		if !isWildcard {
			n = n.child(segment)
			continue
		}
		if name, isRest := strings.CutSuffix(name, "..."); isRest && i == len(segments)-1 {
			entry.names = append(entry.names, name)
			register(&n.rest, method, entry)
			return
		}
		entry.names = append(entry.names, name)
		if n.wildcard == nil {
			n.wildcard = new(node)
		}
		n = n.wildcard
	}
	register(&n.here, method, entry)
}

func (n *node) child(segment string) *node {
	c := n.literal[segment]
	if c == nil {
		if n.literal == nil {
			n.literal = make(map[string]*node)
		}
		c = new(node)
		n.literal[segment] = c
	}
	return c
}

func register(to *map[string]handler, method string, h handler) {
	if _, taken := (*to)[method]; taken {
		panic(fmt.Sprintf("pattern %q is registered twice", h.pattern))
	}
	if *to == nil {
		*to = make(map[string]handler)
	}
	(*to)[method] = h
}

// ServeHTTP implements http.Handler.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.CORS {
		allowOrigins(w.Header())
		if r.Method == http.MethodOptions {
			// spec: client-server-api#web-browser-clients: no logic defined for
			// the endpoints is performed.
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	err := m.serve(w, r)
	if err == nil {
		return
	}
	var cut *cutError
	isCut := errors.As(err, &cut)
	if internal := isCut || Fail(w, err); internal && m.Failed != nil {
		m.Failed(r, err)
	}
	if isCut {
		panic(http.ErrAbortHandler) // net/http's way to cut the connection
	}
}

// Patterns returns all patterns that are registered, sorted.
func (m *Mux) Patterns() []string {
	patterns := m.root.patterns(nil)
	slices.Sort(patterns)
	return patterns
}

func (n *node) patterns(to []string) []string {
	for _, by := range []map[string]handler{n.here, n.rest} {
		for _, h := range by {
			to = append(to, h.pattern)
		}
	}
	for _, c := range n.literal {
		to = c.patterns(to)
	}
	if n.wildcard != nil {
		to = n.wildcard.patterns(to)
	}
	return to
}

// serve runs the handler; its panic becomes an error, so that one bad request
// costs one answer.
func (m *Mux) serve(w http.ResponseWriter, r *http.Request) (err error) {
	h, values, err := m.find(r)
	if err != nil {
		return err
	}
	r.Pattern = h.pattern
	for i, name := range h.names {
		r.SetPathValue(name, values[i])
	}
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			panic(p)
		} else if p != nil {
			err = fmt.Errorf("serving %s: panic: %v\n%s", h.pattern, p, debug.Stack())
		}
	}()
	if m.Admit != nil {
		if err := m.Admit(r); err != nil {
			return err
		}
	}
	return h.serve(w, r)
}

// find returns the handler of r and its wildcards' values, unescaped.
func (m *Mux) find(r *http.Request) (handler, []string, error) {
	path, rooted := strings.CutPrefix(m.unalias(r.URL.EscapedPath()), "/")
	if !rooted {
		return handler{}, nil, unrecognized(http.StatusNotFound, "Unknown endpoint")
	}
	s := search{method: r.Method, values: make([]string, 0, 8)}
	h, ok := s.walk(&m.root, path, true)
	if !ok && r.Method == http.MethodHead {
		s.method = http.MethodGet
		h, ok = s.walk(&m.root, path, true)
	}
	switch {
	case !ok && s.otherMethod:
		return handler{}, nil, unrecognized(http.StatusMethodNotAllowed, "This endpoint does not support the method")
	case !ok:
		return handler{}, nil, unrecognized(http.StatusNotFound, "Unknown endpoint")
	}
	for i, v := range s.values {
		plain, err := url.PathUnescape(v)
		if err != nil || !utf8.ValidString(plain) {
			return handler{}, nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%s in the path is not valid UTF-8", h.names[i])
		}
		s.values[i] = plain
	}
	return h, s.values, nil
}

func (m *Mux) unalias(path string) string {
	for alias, prefix := range m.Aliases {
		if rest, ok := strings.CutPrefix(path, alias); ok {
			return prefix + rest
		}
	}
	return path
}

// A search looks for one path.
type search struct {
	method      string
	values      []string // of the wildcards matched so far, as escaped
	otherMethod bool     // the path exists, for another method
}

// walk follows path, what remains of it, down from n. More says whether any
// segment remains: "" is one empty segment if it does.
func (s *search) walk(n *node, path string, more bool) (handler, bool) {
	if !more {
		return s.pick(n.here)
	}
	segment, rest, more := strings.Cut(path, "/")
	if c := n.literal[segment]; c != nil {
		if h, ok := s.walk(c, rest, more); ok {
			return h, true
		}
	}
	kept := len(s.values)
	if n.wildcard != nil {
		s.values = append(s.values, segment)
		if h, ok := s.walk(n.wildcard, rest, more); ok {
			return h, true
		}
		s.values = s.values[:kept]
	}
	if h, ok := s.pick(n.rest); ok {
		s.values = append(s.values, path)
		return h, true
	}
	return handler{}, false
}

func (s *search) pick(by map[string]handler) (handler, bool) {
	h, ok := by[s.method]
	if !ok && len(by) > 0 {
		s.otherMethod = true
	}
	return h, ok
}

// spec: client-server-api#common-error-codes, server-server-api#unsupported-endpoints
func unrecognized(status int, message string) error {
	return matrix.Errorf(status, matrix.MUnrecognized, "%s", message)
}

// allowOrigins lets pages of any origin call the API.
//
// spec: client-server-api#web-browser-clients
func allowOrigins(h http.Header) {
	h["Access-Control-Allow-Origin"] = []string{"*"}
	h["Access-Control-Allow-Methods"] = []string{"GET, POST, PUT, DELETE, OPTIONS"}
	h["Access-Control-Allow-Headers"] = []string{"X-Requested-With, Content-Type, Authorization"}
}
