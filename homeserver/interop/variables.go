package main

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// variables are what is known in a conversation with one server.
type variables map[string]string

// reference matches $$, $name, ${name} and ${text*count}.
var reference = regexp.MustCompile(`\$(?:\$|([a-z][a-z0-9_]*)|\{([^{}]*)\})`)

// expand replaces the references in text; each value passes through escape. What is not known is an error.
func (v variables) expand(text string, escape func(string) string) (string, error) {
	var unknown []string
	out := reference.ReplaceAllStringFunc(text, func(found string) string {
		m := reference.FindStringSubmatch(found)
		name := m[1] + m[2]
		if name == "" {
			return escape("$")
		}
		if repeated, count, ok := strings.Cut(name, "*"); ok {
			if n, err := strconv.Atoi(count); err == nil {
				return strings.Repeat(repeated, n)
			}
		}
		value, ok := v[name]
		if !ok {
			unknown = append(unknown, "$"+name)
		}
		return escape(value)
	})
	if unknown != nil {
		return "", fmt.Errorf("%s is not known", strings.Join(unknown, ", "))
	}
	return out, nil
}

func unescaped(s string) string { return s }

// target returns the path and query that a step's path stands for.
func (v variables) target(path string) (string, error) {
	path, query, hasQuery := strings.Cut(path, "?")
	switch first, _, _ := strings.Cut(path[1:], "/"); {
	case strings.HasPrefix(first, "_"), strings.HasPrefix(first, "."):
	case first == "v1", first == "r0", first == "versions", first == "unstable":
		path = "/_matrix/client" + path
	default:
		path = "/_matrix/client/v3" + path
	}
	path, err := v.expand(path, url.PathEscape)
	if err != nil || !hasQuery {
		return path, err
	}
	query, err = v.expand(query, url.QueryEscape)
	return path + "?" + escapeIllegal(query), err
}

// escapeIllegal escapes what may not stand in a query, and leaves what is escaped already.
func escapeIllegal(query string) string {
	var b strings.Builder
	for i := range len(query) {
		c := query[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>[]\\^`{|}#", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// names returns for each value that is long enough to be an id the name of the variable that holds it, the first by
// the alphabet if several do.
func (v variables) names() map[string]string {
	names := make(map[string]string, len(v))
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if _, taken := names[v[name]]; !taken && len(v[name]) >= 8 {
			names[v[name]] = "$" + name
		}
	}
	return names
}
