// Package image makes a bootable image of a board and our programs, the same bytes from the same commit.
//
// A board is a file of board-configs, what the image holds is one of images: both are TOML, and [Board] and [Contents] say
// what stands in them. The programs are built from the source tree; kernel, device trees, firmware and boot loader come from
// Go modules that go.mod pins (pinned.go), and are read from the module cache.
package image
