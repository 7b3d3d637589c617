package event

import (
	"net/netip"
	"strings"

	"hearth/matrix"
)

// ServerACL is the content of an m.room.server_acl: which servers may take part in a room.
// spec: client-server-api#mroomserver_acl
type ServerACL struct {
	allow, deny []string // globs in lower case
	noLiterals  bool
}

// ReadServerACL reads the content, a valid JSON object, of an m.room.server_acl. What is of the wrong type counts as
// absent.
func ReadServerACL(content []byte) *ServerACL {
	literals, ok := matrix.BoolField(content, "allow_ip_literals")
	return &ServerACL{globs(content, "allow"), globs(content, "deny"), ok && !literals}
}

func globs(content []byte, name string) []string {
	var out []string
	list, _ := matrix.Field(content, name)
	matrix.EachElement(list, func(raw []byte) bool {
		if s, ok := matrix.String(raw); ok {
			out = append(out, strings.ToLower(s))
		}
		return true
	})
	return out
}

// Allows reports whether a server may take part. It costs at most the length of its name times that of the content.
// spec: client-server-api#mroomserver_acl 1 to 5
func (a *ServerACL) Allows(server matrix.ServerName) bool {
	host := strings.ToLower(server.Host())
	if a.noLiterals && isAddress(host) { // 2
		return false
	}
	return !anyGlob(a.deny, host) && anyGlob(a.allow, host) // 3 to 5
}

func isAddress(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

func anyGlob(globs []string, s string) bool {
	for _, g := range globs {
		if matchesGlob(g, s) {
			return true
		}
	}
	return false
}

// matchesGlob reports whether all of s matches: "*" stands for any characters, "?" for one. It goes back to the last
// star only: what an earlier one takes as well, the last one can take.
// spec: appendices#glob-style-matching
func matchesGlob(glob, s string) bool {
	g, i, star, from := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, from = g, i
			g++
		case g < len(glob) && (glob[g] == '?' || glob[g] == s[i]):
			g++
			i++
		case star >= 0:
			from++
			g, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(glob[g:], "*") == ""
}
