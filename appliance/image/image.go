// Package image makes a bootable image of a board and our programs, the same bytes from the same commit.
//
// A board is a file of board-configs, what the image holds is one of images: both are TOML, and [Board] and [Contents] say
// what stands in them. The programs are built from the source tree; kernel, device trees, firmware and boot loader come from
// Go modules that go.mod pins (pinned.go), and are read from the module cache.
//
// An image is a disk with the partitions and the root that package box describes: slot a is what was built, slot b is empty.
// Its boot partition holds
//
//	hearth.txt                      the owner's settings
//	hearth.json                     a Manifest: what the image is, with the hashes of all its files
//	a/vmlinuz, a/cmdline.txt        the kernel and its command line
//	a/manifest                      the head of the bundle (package ota) that would install the same
//
// and by the way the board boots, with [TryBoot]
//
//	config.txt                      for the Raspberry Pi's firmware, whose os_prefix=a/ leads to slot a
//	start4.elf, fixup4.dat, ...     that firmware
//	pieeprom.upd, pieeprom.sig, recovery.bin   the boot loader for the board's EEPROM
//	a/*.dtb, a/overlays/*           device trees, and a file readme without which the firmware takes no overlays from there
//
// or with [SystemdBoot]
//
//	EFI/BOOT/BOOTAA64.EFI           systemd-boot, BOOTX64.EFI on x86-64
//	loader/loader.conf              its settings
//	loader/entries/hearth-a.conf    the entry of slot a
//
// The GUIDs of the disk and of its partitions, the volume's id and the data's UUID are made of a hash of what the image holds, so
// two images that differ have none in common. They are names and no secrets: boxes of one image have them in common.
//
// # What is checked
//
// Kernel and modules are of one version, the kernel is of the board's processor and has its watchdogs, the programs leave the
// board enough memory, the root and two slots fit, and no file holds a private key.
package image
