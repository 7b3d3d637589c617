package main

import (
	"context"
	"fmt"
	"io"

	"hearth/settings"
	"hearth/storage/blob"
)

// verify re-reads all namespaces, prints what is damaged and what was read, and fails if anything is damaged.
func verify(ctx context.Context, cfg *Settings, args []string, out io.Writer) error {
	if len(args) > 0 {
		return &settings.Error{Err: fmt.Errorf("verify takes no arguments, not %q", args[0])}
	}
	damaged := uint64(0)
	err := each(ctx, cfg, func(name string, store blob.Store) error {
		v, err := store.Verify(ctx, func(d blob.Damage) {
			fmt.Fprintf(out, "%s: damaged %s %s: %s\n", name, d.What, d.Name, d.Detail)
		})
		if err != nil {
			return fmt.Errorf("verifying namespace %s: %w", name, err)
		}
		damaged += v.Damaged
		fmt.Fprintf(out, "%s: %d blobs, %d rows, %d roots, %d bytes, %d damaged\n", name, v.Blobs, v.Rows, v.Roots, v.Bytes, v.Damaged)
		return nil
	})
	if err == nil && damaged > 0 {
		err = fmt.Errorf("%d things are damaged", damaged)
	}
	return err
}
