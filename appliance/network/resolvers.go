package network

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// writeResolvers brings the file of resolvers up to date.
func (n *Network) writeResolvers() {
	n.writing.Lock()
	defer n.writing.Unlock()
	n.mu.Lock()
	text, written := resolvConf(n.all()), n.written
	n.mu.Unlock()
	if text == written {
		return
	}
	if err := os.WriteFile(n.Resolvers, []byte(text), 0o644); err != nil {
		n.Log.Warn("names cannot be resolved", "err", err)
		return
	}
	n.mu.Lock()
	n.written = text
	n.mu.Unlock()
}

// maxResolvers is how many the resolver of Go, like those of others, looks at.
const maxResolvers = 3

// resolvConf returns the text of resolv.conf(5) for some leases: the first resolver of each, then the second, so that
// those who look at three find one of each kind.
func resolvConf(leases []*lease) string {
	var found []netip.Addr
	for i, more := 0, true; more; i++ {
		more = false
		for _, l := range leases {
			if i < len(l.resolvers) {
				more = true
				found = appendNew(found, l.resolvers[i], maxResolvers)
			}
		}
	}
	var b strings.Builder
	for _, r := range found {
		fmt.Fprintf(&b, "nameserver %s\n", r) // a scope is written as in fe80::1%eth0
	}
	return b.String()
}

// Resolves reports whether the network names anybody who resolves names.
func (n *Network) Resolves() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.written != ""
}
