package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// kernelVersion returns the version of a kernel, as uname -r tells it.
//
// A bzImage (x86) has it as text, ended by a zero or space, at 0x200 and what the two bytes at 0x20e say, if "HdrS" stands at
// 0x202 (Documentation/arch/x86/boot.rst of Linux). An arm64 Image has its magic number "ARM\x64" at 56
// (Documentation/arch/arm64/booting.rst), and the kernel's banner "Linux version 7.1.3 (..." among its data.
func kernelVersion(kernel []byte) (string, error) {
	var text []byte
	switch {
	case len(kernel) > 0x210 && string(kernel[0x202:0x206]) == "HdrS":
		at := 0x200 + int(binary.LittleEndian.Uint16(kernel[0x20e:]))
		if at >= len(kernel) {
			return "", errors.New("the kernel's version is beyond its end")
		}
		text = kernel[at:]
	case len(kernel) > 60 && string(kernel[56:60]) == "ARM\x64":
		_, rest, ok := bytes.Cut(kernel, []byte("Linux version "))
		if !ok {
			return "", errors.New("the kernel does not say its version")
		}
		text = rest
	default:
		return "", errors.New("this is neither an x86 bzImage nor an arm64 Image")
	}
	text = text[:min(len(text), 65)] // UTS_RELEASE has at most 64 bytes
	end := bytes.IndexAny(text, " \x00")
	if end < 1 {
		return "", errors.New("the kernel's version has no end")
	}
	return string(text[:end]), nil
}

// checkKernel sees that the board's kernel is of its processor, has its watchdogs built in, and fits its modules. It returns
// the kernel's version.
func (b *Board) checkKernel(m module, kernel []byte) (version string, err error) {
	version, err = kernelVersion(kernel)
	if err != nil {
		return "", b.file.Invalid("kernel.module", "%s@%s: %w", m.Path, m.Version, err)
	}
	if arm := string(kernel[56:60]) == "ARM\x64"; arm != (b.Arch == "arm64") {
		return "", b.file.Invalid("kernel.module", "%s@%s is not a kernel for %s", m.Path, m.Version, b.Arch)
	}
	folders, err := os.ReadDir(filepath.Join(m.Dir, "lib", "modules"))
	if err != nil {
		return "", b.file.Invalid("kernel.module", "%s@%s: %w", m.Path, m.Version, err)
	}
	var versions []string
	for _, folder := range folders {
		versions = append(versions, folder.Name())
	}
	if b.Kernel.Modules && !slices.Equal(versions, []string{version}) {
		return "", b.file.Invalid("kernel.modules", "%s@%s has the kernel %s and modules for %s: it would load none of them",
			m.Path, m.Version, version, strings.Join(versions, ", "))
	}
	return version, b.checkWatchdogs(m, versions)
}

// checkWatchdogs looks the board's watchdogs up in the list of what is built in.
func (b *Board) checkWatchdogs(m module, versions []string) error {
	if len(versions) == 0 {
		return b.file.Invalid("kernel.module", "%s@%s has no list of what is built into the kernel", m.Path, m.Version)
	}
	list, err := os.ReadFile(filepath.Join(m.Dir, "lib", "modules", versions[0], "modules.builtin"))
	if err != nil {
		return fmt.Errorf("reading what is built into the kernel: %w", err)
	}
	for _, name := range b.Watchdogs {
		if !bytes.Contains(list, []byte("/"+name+".ko\n")) {
			return b.file.Invalid("watchdogs", "the kernel of %s@%s has no driver %s built in", m.Path, m.Version, name)
		}
	}
	return nil
}
