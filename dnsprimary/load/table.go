package main

import (
	"fmt"
	"io"
	"strings"
)

// table prints what was measured of each server on one zone, and in the end how ours stands to the aims.
type table struct {
	out   io.Writer
	rows  map[string]result
	notes []string
}

func (t *table) heading(text string) {
	t.rows = make(map[string]result)
	fmt.Fprintf(t.out, "\n%s\n\n| %-8s | %9s | %9s | %9s | %9s | %8s | %8s |\n", text, "server", "UDP q/s", "CPU us/q", "TCP q/s", "CPU us/q", "MiB", "start s")
}

func (t *table) row(name string, r result) {
	t.rows[name] = r
	fmt.Fprintf(t.out, "| %-8s | %9.0f | %9.2f | %9.0f | %9.2f | %8.1f | %8.2f |\n", name,
		r.udp.perSecond, micros(r.udp), r.tcp.perSecond, micros(r.tcp), mebi(r.resident), r.start.Seconds())
	for i, way := range []rate{r.udp, r.tcp} {
		if way.faults.sum() > 0 {
			t.note("%s over %s, in the worst run: %s", name, []string{"UDP", "TCP"}[i], way.faults)
		}
	}
}

func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

func micros(r rate) float64 { return float64(r.cpu.Nanoseconds()) / 1000 }

func mebi(n int64) float64 { return float64(n) / (1 << 20) }

// aims are how many of another server's answers in a second ours should reach.
func aims() map[string]float64 { return map[string]float64{"Knot": 0.6, "BIND": 1, "CoreDNS": 1} }

// homeMemory is how much memory our server may have resident for a home zone.
const homeMemory = 32 << 20

// verdict prints the notes, and ours beside the aims: by the CPU that an answer takes, since each had one processor.
func (t *table) verdict(size int) {
	mine := t.rows["ours"]
	var parts []string
	for _, name := range []string{"Knot", "BIND", "CoreDNS"} {
		r, ok := t.rows[name]
		if !ok {
			continue
		}
		udp, tcp := micros(r.udp)/max(micros(mine.udp), 1e-9), micros(r.tcp)/max(micros(mine.tcp), 1e-9)
		parts = append(parts, fmt.Sprintf("%.0f %% of %s over UDP, %.0f %% over TCP (aim %.0f %%)%s",
			100*udp, name, 100*tcp, 100*aims()[name], missed(min(udp, tcp) < aims()[name])))
	}
	if size == small {
		parts = append(parts, fmt.Sprintf("%.1f MiB (aim %d)%s", mebi(mine.resident), homeMemory>>20, missed(mine.resident > homeMemory)))
	}
	fmt.Fprintln(t.out)
	for _, n := range t.notes {
		fmt.Fprintln(t.out, n)
	}
	fmt.Fprintf(t.out, "by CPU an answer: %s\n", strings.Join(parts, "; "))
}

func missed(yes bool) string {
	if yes {
		return " MISSED"
	}
	return ""
}
