package image

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
)

// versionVariable is where the linker writes the version of the programs.
const versionVariable = modulePath + "/process.version"

// A program is a built executable.
type program struct {
	name string
	path string
	info *debug.BuildInfo // what it is made of
}

// compile builds programs of the source tree for a processor into a folder. The same source gives the same bytes, on whatever
// machine: the paths, the version control and the settings of who builds do not go in. The overlay is the go command's.
func compile(ctx context.Context, source, overlay, folder, arch, version string, names []string) ([]program, error) {
	args := []string{"build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-overlay=" + overlay,
		"-ldflags=-s -w -buildid= -X " + versionVariable + "=" + version, "-o", folder + "/"}
	for _, name := range names {
		args = append(args, "./"+name)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("making the folder for programs: %w", err)
	}
	env := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOARM64=v8.0", "GOAMD64=v1", "GOEXPERIMENT=", "GOFIPS140=off"}
	if _, err := goCommand(ctx, source, env, args...); err != nil {
		return nil, fmt.Errorf("building the programs for %s: %w", arch, err)
	}
	var programs []program
	for _, name := range names {
		path := filepath.Join(folder, name)
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading what %s is made of: %w", name, err)
		}
		if info.Main.Path != modulePath {
			return nil, fmt.Errorf("%s is of the module %s, not of %s", name, info.Main.Path, modulePath)
		}
		programs = append(programs, program{name, path, info})
	}
	return programs, nil
}
