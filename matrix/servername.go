package matrix

import "strings"

// ServerName is the name of a homeserver: a DNS name, an IPv4 literal or an IPv6 literal in brackets, with
// an optional port. Names are compared by their bytes: they are case-sensitive.
type ServerName string

// MaxID is the greatest length, in bytes, of a user id, room id, room alias or event id, sigil and domain included.
const MaxID = 255

// ParseServerName checks s against the grammar.
// spec: appendices#server-name
func ParseServerName(s string) (ServerName, error) {
	if reason := checkServerName(s); reason != "" {
		return "", invalid("server name", s, reason)
	}
	return ServerName(s), nil
}

// Host returns the name without its port; an IPv6 literal keeps its brackets.
func (s ServerName) Host() string {
	host, _, _ := cutPort(string(s))
	return host
}

// Port returns the decimal port, or "" if the name has none.
func (s ServerName) Port() string {
	_, port, _ := cutPort(string(s))
	return port
}

// cutPort splits a server name at the colon before its port.
func cutPort(s string) (host, port string, found bool) {
	from := 0
	if strings.HasPrefix(s, "[") {
		from = max(strings.IndexByte(s, ']'), 0)
	}
	if i := strings.IndexByte(s[from:], ':'); i >= 0 {
		return s[:from+i], s[from+i+1:], true
	}
	return s, "", false
}

// checkServerName returns why s is not a server name, or "".
func checkServerName(s string) string {
	host, port, found := cutPort(s)
	if found && !isPort(port) {
		return "the port is not 1 to 5 digits"
	}
	if strings.HasPrefix(host, "[") {
		if !strings.HasSuffix(host, "]") || !isIPv6(host[1:len(host)-1]) {
			return "not an IPv6 literal"
		}
		return ""
	}
	if host == "" {
		return "empty"
	}
	if len(host) > 255 {
		return "longer than 255 bytes"
	}
	for i := range len(host) {
		if !isDNSChar(host[i]) {
			return "a character that no host name has"
		}
	}
	return ""
}

func isPort(s string) bool {
	if len(s) < 1 || len(s) > 5 {
		return false
	}
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isDNSChar(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '-' || c == '.'
}

// isIPv6 reports whether s is an IPv6 address in one of the three forms of RFC 3513 §2.2.
func isIPv6(s string) bool {
	if len(s) < 2 || len(s) > 45 {
		return false
	}
	head, tail, compressed := strings.Cut(s, "::")
	if !compressed {
		return countGroups(s, true) == 8
	}
	h, t := countGroups(head, false), countGroups(tail, true)
	return h >= 0 && t >= 0 && h+t < 8
}

// countGroups counts the 16-bit groups of a part of an IPv6 address; -1 if it is malformed.
// The last group may be an IPv4 address if that is allowed, and counts as two.
func countGroups(s string, ipv4 bool) int {
	if s == "" {
		return 0
	}
	groups := strings.Split(s, ":")
	for i, g := range groups {
		if ipv4 && i == len(groups)-1 && isIPv4(g) {
			return len(groups) + 1
		}
		if len(g) < 1 || len(g) > 4 {
			return -1
		}
		for j := range len(g) {
			if !isHex(g[j]) {
				return -1
			}
		}
	}
	return len(groups)
}

func isIPv4(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return false
	}
	for _, p := range parts {
		if len(p) < 1 || len(p) > 3 {
			return false
		}
		n := 0
		for i := range len(p) {
			if !isDigit(p[i]) {
				return false
			}
			n = n*10 + int(p[i]-'0')
		}
		if n > 255 {
			return false
		}
	}
	return true
}
