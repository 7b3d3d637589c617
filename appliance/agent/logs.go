package agent

import (
	"net/http"
	"strconv"
	"time"

	"hearth/appliance/journal"
)

// Bounds of GET /v1/logs.
const (
	defaultLines = 100
	maxLines     = 100_000
	logPoll      = time.Second
)

// getLogs writes the latest lines, and those that come until the laptop goes.
func (a *Agent) getLogs(w http.ResponseWriter, r *http.Request) (any, error) {
	lines := defaultLines
	if text := r.FormValue("lines"); text != "" {
		var err error
		if lines, err = strconv.Atoi(text); err != nil || lines < 0 || lines > maxLines {
			return nil, fail(http.StatusBadRequest, "lines is %q: want 0 to %d", text, maxLines)
		}
	}
	at, err := journal.Last(a.Logs, lines)
	if err != nil {
		return nil, err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	out := &flushing{http.NewResponseController(w), w}
	if r.FormValue("follow") == "true" {
		err := out.flush()
		if err == nil {
			err = journal.Follow(r.Context(), a.Logs, at, logPoll, out)
		}
		if err != nil && r.Context().Err() == nil {
			a.Log.Info("following the log ends", "err", err)
		}
		return nil, nil
	}
	for {
		text, next, err := journal.Read(a.Logs, at)
		if err != nil {
			a.Log.Warn("reading the log", "err", err)
			return nil, nil
		}
		if len(text) == 0 {
			return nil, nil
		}
		if _, err := out.Write(text); err != nil {
			return nil, nil
		}
		at = next
	}
}

// flushing sends each write at once, and gives up a laptop that does not take it.
type flushing struct {
	control *http.ResponseController
	w       http.ResponseWriter
}

func (f *flushing) Write(p []byte) (int, error) {
	if err := f.control.SetWriteDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	n, err := f.w.Write(p)
	if err == nil {
		err = f.flush()
	}
	return n, err
}

func (f *flushing) flush() error { return f.control.Flush() }
