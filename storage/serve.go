package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"hearth/process"
	"hearth/settings"
	"hearth/storage/badgerstore"
	"hearth/storage/socket"
)

// gcPercent trades some processor time for a heap that stays small: most of the memory is the tables of changes, which
// live long and hold no pointers, so that collecting is cheap.
const gcPercent = 20

func run(ctx context.Context, args []string, std process.Streams) error {
	cfg := defaultSettings()
	rest, err := settings.Load("storage", &cfg, args, std.Out)
	if err != nil {
		return err
	}
	if err := cfg.check(); err != nil {
		return err
	}
	debug.SetMemoryLimit(int64(cfg.MemoryLimit))
	debug.SetGCPercent(gcPercent)
	if len(rest) == 0 {
		return serve(ctx, &cfg, process.Logger(std.Err, cfg.LogLevel))
	}
	switch verb := rest[0]; verb {
	case "verify":
		return verify(ctx, &cfg, rest[1:], std.Out)
	case "stats":
		return stats(ctx, &cfg, rest[1:], std.Out)
	default:
		return &settings.Error{Err: fmt.Errorf("unknown command %q; there are verify and stats, and storage -h shows the settings", verb)}
	}
}

// serve serves the store on the socket until ctx ends, then closes it.
func serve(ctx context.Context, cfg *Settings, log *slog.Logger) (err error) {
	users, err := cfg.users()
	if err != nil {
		return err
	}
	begin := time.Now()
	db, err := openStore(cfg, log)
	if err != nil {
		return err
	}
	defer func() {
		if e := db.Close(); e != nil {
			err = errors.Join(err, fmt.Errorf("closing the store in %s: %w", cfg.Data, e))
		}
	}()
	l, err := process.ListenUnix(cfg.Socket, socketMode(users))
	if err != nil {
		return err
	}
	defer l.Close()
	debug.FreeOSMemory() // opening leaves garbage behind
	if err := process.Ready(); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() {
		if err := process.Stopping(); err != nil {
			log.Warn("the supervisor does not hear that this ends", "err", err)
		}
	})()
	resting, stop := context.WithCancel(ctx)
	defer stop()
	go process.GiveBack(resting) // until it serves no more
	log.Info("serving", "data", cfg.Data, "socket", cfg.Socket, "opened_in", time.Since(begin).Round(time.Millisecond))
	return socket.Serve(ctx, l, db.Namespace, socket.ServerOptions{Namespaces: users, Log: log})
}

// openStore opens the store, or makes it.
func openStore(cfg *Settings, log *slog.Logger) (*badgerstore.DB, error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("making the store's folder: %w", err)
	}
	db, err := badgerstore.Open(cfg.Data, badgerstore.Options{GroupDelay: cfg.GroupDelay, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("opening the store in %s: %w", cfg.Data, err)
	}
	return db, nil
}

// socketMode lets other users connect only if there are some; the socket asks the kernel who connects.
func socketMode(users map[string][]uint32) fs.FileMode {
	for _, uids := range users {
		if len(uids) > 1 {
			return 0o666
		}
	}
	return 0o600
}
