package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"hearth/storage/badgerstore"
	"hearth/storage/blob"
	"hearth/storage/socket"
)

// each calls do with every namespace, by name: through the program that serves, or from the folder if none does.
func each(ctx context.Context, cfg *Settings, do func(name string, store blob.Store) error) error {
	users, err := cfg.users()
	if err != nil {
		return err
	}
	open, done, err := reach(ctx, cfg)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(users)) {
		if err = eachOne(name, open, do); err != nil {
			break
		}
	}
	return errors.Join(err, done())
}

func eachOne(name string, open func(string) (blob.Store, error), do func(string, blob.Store) error) error {
	store, err := open(name)
	if err != nil {
		return fmt.Errorf("opening namespace %s: %w", name, err)
	}
	if c, ok := store.(*socket.Client); ok {
		defer c.Close()
	}
	return do(name, store)
}

// reach returns how to open a namespace, and what to call in the end.
func reach(ctx context.Context, cfg *Settings) (open func(string) (blob.Store, error), done func() error, err error) {
	conn, err := net.Dial("unix", cfg.Socket)
	switch {
	case err == nil:
		conn.Close()
		return func(name string) (blob.Store, error) {
			return socket.Dial(ctx, cfg.Socket, name, socket.ClientOptions{})
		}, func() error { return nil }, nil
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED):
		return nil, nil, fmt.Errorf("reaching storage: %w", err)
	}
	db, err := openExisting(cfg)
	if err != nil {
		return nil, nil, err
	}
	return db.Namespace, db.Close, nil
}

// openExisting opens the folder of a store that is not served, as a user whose files do no harm there.
func openExisting(cfg *Settings) (*badgerstore.DB, error) {
	entries, err := os.ReadDir(cfg.Data)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil, fmt.Errorf("nobody serves at %s, and there is no store in %s (-set data=FOLDER names it)", cfg.Socket, cfg.Data)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the store's folder: %w", err)
	}
	info, err := os.Stat(filepath.Clean(cfg.Data))
	if err != nil {
		return nil, fmt.Errorf("reading the store's folder: %w", err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Getuid() {
		return nil, fmt.Errorf("the store in %s belongs to user %d: run this as that user", cfg.Data, owner)
	}
	return openStore(cfg, slog.New(slog.DiscardHandler))
}
