package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// modulePath is the path of this module, whose programs are the only ones that an image holds.
const modulePath = "hearth"

// Source finds the source tree that folder is in. It must be this module's.
func Source(ctx context.Context, folder string) (string, error) {
	var m struct{ Path, Dir string }
	if err := goJSON(ctx, folder, &m, "list", "-m", "-json"); err != nil {
		return "", fmt.Errorf("finding Hearth's source: %w", err)
	}
	if m.Path != modulePath {
		return "", fmt.Errorf("finding Hearth's source: %s is of the module %s: call this in Hearth's source tree", folder, m.Path)
	}
	return m.Dir, nil
}

// module is a Go module that go.mod pins.
type module struct {
	Path    string
	Version string
	Sum     string // h1:..., as in go.sum
	Dir     string // in the module cache
}

// findModule finds a pinned module, and downloads it if it is not in the module cache yet.
func findModule(ctx context.Context, source, path string) (module, error) {
	var m module
	if err := goJSON(ctx, source, &m, "mod", "download", "-json", path); err != nil {
		return m, fmt.Errorf("finding the module %s: %w", path, err)
	}
	return m, nil
}

// goJSON runs the go command in a folder and reads the JSON value that it prints.
func goJSON(ctx context.Context, folder string, out any, args ...string) error {
	text, err := goCommand(ctx, folder, nil, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("reading what go %s prints: %w", args[0], err)
	}
	return nil
}

// goCommand runs the go command in a folder, by that module's go.mod alone, and returns what it prints.
func goCommand(ctx context.Context, folder string, env []string, args ...string) ([]byte, error) {
	var out, diagnosis bytes.Buffer
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.Stdout, c.Stderr = folder, &out, &diagnosis
	c.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off", "GO111MODULE=on")
	c.Env = append(c.Env, env...)
	err := c.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, errors.New("the go command is missing: install Go (https://go.dev/dl), which builds the programs")
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, strings.Join(strings.Fields(diagnosis.String()+out.String()), " "))
	}
	return out.Bytes(), nil
}

// match returns the names of a module's files that fit the patterns, of which each must fit one at least.
func (m module) match(patterns []string) ([]string, error) {
	var names []string
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(m.Dir, filepath.FromSlash(pattern)))
		if err != nil {
			return nil, fmt.Errorf("the pattern %q: %w", pattern, err)
		}
		if len(paths) == 0 {
			return nil, fmt.Errorf("%s@%s has no file %s", m.Path, m.Version, pattern)
		}
		for _, path := range paths {
			name, err := filepath.Rel(m.Dir, path)
			if err != nil {
				return nil, err
			}
			names = append(names, filepath.ToSlash(name))
		}
	}
	return names, nil
}
