package clientsync

import (
	"strings"

	"hearth/matrix"
)

// pick returns a rendered event with only the fields that a filter's event_fields name: dotted paths, in which a
// backslash makes a dot or a backslash part of the name.
// spec: client-server-api#post_matrixclientv3useruseridfilter
func pick(obj []byte, fields []string) []byte {
	paths := make([][]string, len(fields))
	for i, f := range fields {
		paths[i] = splitPath(f)
	}
	return pickPaths(obj, paths)
}

func pickPaths(obj []byte, paths [][]string) []byte {
	out := []byte{'{'}
	matrix.EachField(obj, func(name string, raw []byte) bool {
		var deeper [][]string
		whole := false
		for _, p := range paths {
			if len(p) == 0 || p[0] != name {
				continue
			}
			if len(p) == 1 {
				whole = true
			} else {
				deeper = append(deeper, p[1:])
			}
		}
		switch {
		case whole:
		case deeper != nil && matrix.IsObject(raw):
			if raw = pickPaths(raw, deeper); len(raw) == 2 {
				return true
			}
		default:
			return true
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(matrix.AppendString(out, name), ':')
		out = append(out, raw...)
		return true
	})
	return append(out, '}')
}

func splitPath(s string) []string {
	var out []string
	var part strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '.' || s[i+1] == '\\'):
			i++
			part.WriteByte(s[i])
		case s[i] == '.':
			out = append(out, part.String())
			part.Reset()
		default:
			part.WriteByte(s[i])
		}
	}
	return append(out, part.String())
}
