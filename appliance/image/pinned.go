//go:build pinned

package image

// This file is in no build. It has go mod tidy keep in go.mod what an image takes from Go modules that hold no Go: kernels,
// firmware, boot loaders. They are read from the module cache.
import (
	_ "github.com/gokrazy/firmware"
	_ "github.com/gokrazy/kernel.amd64"
	_ "github.com/gokrazy/kernel.arm64"
	_ "github.com/gokrazy/kernel.rpi"
	_ "github.com/gokrazy/rpi-eeprom"
	_ "github.com/gokrazy/tools/third_party/systemd-250.5-1"
)
