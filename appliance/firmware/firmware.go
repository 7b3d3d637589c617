// Package firmware chooses what a box starts, as systemd-boot and the Raspberry Pi's firmware do by their documentation.
//
// Nothing of it runs on a box: tests ask it which slot the real ones would start from a boot partition in any state, and a
// virtual machine that has no such firmware is started with its answer.
package firmware

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"hearth/appliance/ota"
)

// A Start is what the firmware hands the machine over to.
type Start struct {
	Kernel      string // path of the kernel on the boot partition
	CommandLine string
}

// ErrNothing is returned if there is nothing to start: the box is lost without its owner's hands.
var ErrNothing = errors.New("the firmware finds nothing to start")

const maxText = 64 << 10

// read returns what a file holds, and whether it could be read.
func read(boot ota.Boot, name string) (string, bool) {
	file, err := boot.Open(name, -1)
	if err != nil {
		return "", false
	}
	defer file.Close()
	data, err := io.ReadAll(io.NewSectionReader(file, 0, maxText))
	return string(data), err == nil
}

func exists(boot ota.Boot, name string) bool {
	_, ok := read(boot, name)
	return ok
}

// RaspberryPi chooses as the Raspberry Pi's firmware does, in which the tryboot flag is set or not.
//
// From the documentation of config.txt and of the boot flow: with the flag, tryboot.txt is read in place of config.txt. os_prefix
// is put before the names of kernel and command line; but if the kernel is not found there, the prefix is ignored.
func RaspberryPi(boot ota.Boot, tryboot bool) (Start, error) {
	name := ota.ConfigFile
	if tryboot {
		name = ota.TryFile
	}
	text, ok := read(boot, name)
	if !ok {
		return Start{}, fmt.Errorf("%w: there is no %s", ErrNothing, name)
	}
	settings := map[string]string{"kernel": "kernel8.img", "cmdline": "cmdline.txt"}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			settings[key] = value
		}
	}
	prefix := settings["os_prefix"]
	if !exists(boot, prefix+settings["kernel"]) {
		prefix = ""
	}
	kernel := prefix + settings["kernel"]
	if !exists(boot, kernel) {
		return Start{}, fmt.Errorf("%w: there is no %s", ErrNothing, kernel)
	}
	line, _ := read(boot, prefix+settings["cmdline"])
	line, _, _ = strings.Cut(line, "\n")
	return Start{Kernel: path.Clean(kernel), CommandLine: strings.TrimSpace(line)}, nil
}
