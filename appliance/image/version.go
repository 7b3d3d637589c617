package image

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Version says which of two images is the later one.
type Version struct {
	Text   string    // for people: 2026-11-25-43ce48eaaf66, the day and name of the commit
	Number uint64    // greater in each later one: the seconds of the commit's time since 1970
	Time   time.Time // of all files in the image
}

// SourceVersion returns the version of what is in the source tree: its commit's, or if that was changed since, one of now.
func SourceVersion(ctx context.Context, source string, now time.Time) (Version, error) {
	text, err := git(ctx, source, "log", "-1", "--abbrev=12", "--format=%ct %h")
	if err != nil {
		return Version{}, fmt.Errorf("finding the version of the source: %w", err)
	}
	seconds, hash, _ := strings.Cut(text, " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || unix <= 0 {
		return Version{}, fmt.Errorf("finding the version of the source: the commit %s is of the time %s", hash, seconds)
	}
	changes, err := git(ctx, source, "status", "--porcelain")
	if err != nil {
		return Version{}, fmt.Errorf("finding what has changed in the source: %w", err)
	}
	if changes != "" {
		return NamedVersion(time.Unix(unix, 0).UTC().Format(time.DateOnly)+"-"+hash+"-changed", now), nil
	}
	return NamedVersion(time.Unix(unix, 0).UTC().Format(time.DateOnly)+"-"+hash, time.Unix(unix, 0)), nil
}

// NamedVersion returns the version of a name and a time.
func NamedVersion(name string, at time.Time) Version {
	at = at.UTC().Truncate(time.Second)
	return Version{Text: name, Number: uint64(at.Unix()), Time: at}
}

func git(ctx context.Context, folder string, args ...string) (string, error) {
	var diagnosis bytes.Buffer
	c := exec.CommandContext(ctx, "git", args...)
	c.Dir, c.Stderr = folder, &diagnosis
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(diagnosis.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
