package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"hearth/homeserver/administration"
	"hearth/process"
)

// serveAdmin serves administrators on the admin socket; nil if there is none. Only root and the user that the program
// runs as may connect.
//
//	    /admin/     package administration
//	GET /health     200 if the storage program answers, otherwise 503 and why not
//	GET /metrics    Prometheus's text format
func (s *server) serveAdmin(ended chan<- error) (*http.Server, error) {
	if s.cfg.AdminSocket == "" {
		return nil, nil
	}
	listener, err := process.ListenUnix(s.cfg.AdminSocket, os.FileMode(0o600))
	if err != nil {
		return nil, fmt.Errorf("listening for administrators: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("GET /metrics", s.metrics)
	private := process.Private(listener, func(uid uint32, err error) {
		if err != nil {
			s.log.Warn("finding out who uses the admin socket", "err", err)
			return
		}
		s.log.Warn("a user may not use the admin socket", "uid", uid)
	})
	h := &http.Server{Handler: s.split(mux), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	go func() {
		if err := h.Serve(private); err != http.ErrServerClosed {
			ended <- fmt.Errorf("serving administrators: %w", err)
		}
	}()
	return h, nil
}

// split sends what is below /admin/ to package administration, whose paths must not be cleaned, and all else to others.
func (s *server) split(others http.Handler) http.Handler {
	administration := s.administration().Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/admin/") {
			administration.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

func (s *server) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if _, err := s.store.Backend().Stats(ctx); err != nil {
		http.Error(w, "storage: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (s *server) metrics(w http.ResponseWriter, r *http.Request) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	for _, v := range []struct {
		name, kind, help string
		value            uint64
	}{
		{"hearth_log_position", "counter", "Changes written to the log.", uint64(s.store.Durable())},
		{"go_goroutines", "gauge", "Goroutines that exist.", uint64(runtime.NumGoroutine())},
		{"go_memstats_heap_inuse_bytes", "gauge", "Bytes of heap in use.", m.HeapInuse},
		{"go_memstats_sys_bytes", "gauge", "Bytes obtained from the system.", m.Sys},
	} {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n%s %d\n", v.name, v.help, v.name, v.kind, v.name, v.value)
	}
}

func (s *server) administration() *administration.Administration {
	return &administration.Administration{
		Server: s.api.Settings.Server, Store: s.store, Accounts: s.api.Accounts, Rooms: s.rooms, Directory: s.api.Directory, Push: s.api.Push,
		Reports: s.api.Reports, Notices: s.api.Notices, LogOut: s.api.LogOut,
		Failed: func(r *http.Request, err error) {
			if r.Context().Err() == nil {
				s.log.Error("administration failed", "method", r.Method, "endpoint", r.Pattern, "err", err)
			}
		},
	}
}
