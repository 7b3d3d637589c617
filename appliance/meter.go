package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// meter shows how far a long task is: as a bar with bytes, rate and time left on a terminal, as one line elsewhere.
type meter struct {
	out   io.Writer
	what  string
	bar   *progressbar.ProgressBar // nil without a terminal
	total int64
}

// newMeter begins to show a task of total bytes. With a nil writer nothing is shown.
func newMeter(out io.Writer, what string, total int64) *meter {
	m := &meter{out: out, what: what, total: total}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		m.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
			progressbar.OptionShowBytes(true), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(20))
	}
	return m
}

// at shows that n bytes are done.
func (m *meter) at(n int64) {
	if m.bar != nil {
		_ = m.bar.Set64(min(n, m.total)) // a bar that cannot be drawn stops nothing
	}
}

// done ends what is shown of the task.
func (m *meter) done() {
	switch {
	case m.bar != nil:
		_ = m.bar.Finish()
		fmt.Fprintln(m.out)
	case m.out != nil:
		fmt.Fprintf(m.out, "%s: %.1f MB\n", m.what, float64(m.total)/1e6)
	}
}
