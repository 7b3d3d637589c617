package resolver

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// configFile is where the system says whom to ask (resolv.conf(5)).
const configFile = "/etc/resolv.conf"

// lookPause is how often the file is looked at, when something is to be asked.
const lookPause = 5 * time.Second

// Bounds of that file: its length in bytes, how many servers count, and what its options may say.
const (
	maxConfig   = 64 << 10
	maxServers  = 3
	maxTimeout  = 30
	maxAttempts = 5
)

// config is what the file says. What it does not say is 0.
type config struct {
	servers  []Server
	timeout  time.Duration
	attempts int
}

// reading is what the file said when it was looked at.
type reading struct {
	config
	looked, written time.Time
	size            int64
}

// watched is a file that changes as networks come and go. If it is not there, or cannot be read, what it said last
// holds; in the beginning that is what an empty one says.
type watched struct {
	path string
	last atomic.Pointer[reading]
}

// config returns what the file says. Several goroutines may read it at once: they read the same.
func (w *watched) config(now time.Time) config {
	last := w.last.Load()
	if last == nil {
		last = &reading{config: parseConfig("")}
	} else if since := now.Sub(last.looked); since >= 0 && since < lookPause {
		return last.config
	}
	next := *last
	next.looked = now
	if info, err := os.Stat(w.path); err == nil && (!info.ModTime().Equal(next.written) || info.Size() != next.size) {
		if c, err := readConfig(w.path); err == nil {
			next.config, next.written, next.size = c, info.ModTime(), info.Size()
		}
	}
	w.last.Store(&next)
	return next.config
}

func readConfig(path string) (config, error) {
	f, err := os.Open(path)
	if err != nil {
		return config{}, fmt.Errorf("finding out whom to ask: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig))
	if err != nil {
		return config{}, fmt.Errorf("finding out whom to ask: %w", err)
	}
	return parseConfig(string(text)), nil
}

// parseConfig reads servers and options; what it does not know it passes over, as others do. Search lists are among
// that: names are whole here. Without a server it is the one on this machine.
func parseConfig(text string) (c config) {
	trusted := false
	for line := range strings.Lines(text) {
		if at := strings.IndexAny(line, "#;"); at >= 0 {
			line = line[:at]
		}
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(f[1]); err == nil && len(c.servers) < maxServers {
				c.servers = append(c.servers, Server{Address: netip.AddrPortFrom(a, 53)})
			}
		case "options":
			for _, option := range f[1:] {
				trusted = c.option(option) || trusted
			}
		}
	}
	if len(c.servers) == 0 {
		c.servers = []Server{{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 53)}}
	}
	for i := range c.servers {
		c.servers[i].Trusted = trusted
	}
	return c
}

// option reads one option, and reports whether it says that the servers are trusted.
func (c *config) option(option string) (trusted bool) {
	name, value, _ := strings.Cut(option, ":")
	n, err := strconv.Atoi(value)
	switch {
	case name == "trust-ad":
		return true
	case err != nil || n < 1:
	case name == "timeout":
		c.timeout = time.Duration(min(n, maxTimeout)) * time.Second
	case name == "attempts":
		c.attempts = min(n, maxAttempts)
	}
	return false
}
