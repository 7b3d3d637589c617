package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Group makes a control group (cgroups v2) below root with limits where the kernel has the controllers, and returns its folder.
// A group that uses more memory than it may is ended whole, and the rest of the machine lives.
func Group(root, name string, memory, threads int64) (string, error) {
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return "", fmt.Errorf("making the control group %s: %w", name, err)
	}
	has := strings.Fields(string(controllers))
	folder := filepath.Join(root, name)
	if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("making the control group %s: %w", name, err)
	}
	for _, controller := range has {
		var limits map[string]string
		switch controller {
		case "memory":
			limits = map[string]string{"memory.max": strconv.FormatInt(memory, 10), "memory.oom.group": "1"}
		case "pids":
			limits = map[string]string{"pids.max": strconv.FormatInt(threads, 10)}
		default:
			continue
		}
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return "", fmt.Errorf("limiting %s: %w", controller, err)
		}
		for file, value := range limits {
			if err := os.WriteFile(filepath.Join(folder, file), []byte(value), 0); err != nil {
				return "", fmt.Errorf("limiting %s of %s: %w", controller, name, err)
			}
		}
	}
	return folder, nil
}
