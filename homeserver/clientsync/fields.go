package clientsync

import "hearth/matrix"

// pick returns a rendered event with only the fields that a filter's event_fields name by their paths.
// spec: client-server-api#post_matrixclientv3useruseridfilter
func pick(dst, obj []byte, paths [][]string) []byte {
	dst = append(dst, '{')
	empty := len(dst)
	matrix.EachField(obj, func(name string, raw []byte) bool {
		whole, deeper := below(paths, name)
		before := len(dst)
		if before > empty {
			dst = append(dst, ',')
		}
		dst = append(matrix.AppendString(dst, name), ':')
		value := len(dst)
		switch {
		case whole:
			dst = append(dst, raw...)
		case deeper != nil && matrix.IsObject(raw):
			dst = pick(dst, raw, deeper)
		}
		if !whole && len(dst)-value <= len(`{}`) { // nothing of it is wanted
			dst = dst[:before]
		}
		return true
	})
	return append(dst, '}')
}

// below returns what paths name of a member: the whole of it, or what lies deeper.
func below(paths [][]string, name string) (whole bool, deeper [][]string) {
	for _, p := range paths {
		if len(p) == 0 || p[0] != name {
			continue
		}
		if len(p) == 1 {
			return true, nil
		}
		deeper = append(deeper, p[1:])
	}
	return false, deeper
}
