// Package ota installs a new version beside the one that runs, tries it once, and keeps it or goes back.
//
// # A bundle
//
// A bundle is one file, made and signed on the owner's laptop (Write) and checked there before anything is sent (Open, Verify):
//
//	16 bytes          "hearth bundle 1\n"
//	4 bytes           the manifest's size, the most significant byte first
//	the manifest      JSON, see Manifest; an unknown key is an error
//	32 bytes          the signer's Ed25519 public key
//	64 bytes          its signature of all that stands before the key
//	the files         one after the other, in the manifest's order; nothing stands behind the last
//
// All but the files is the head. A slot's folder on the boot partition holds the head of what is installed, as the file
// manifest: from it a box knows which version runs. For example, a bundle of a root image "ROOT" and a kernel "KERNEL" has the manifest
//
//	{"format":1,"version":"1.1","number":11,"minimum":9,"board":"pc","command_line":"root=PARTLABEL=hearth-root-{slot}","files":[
//	{"name":"root","size":4,"sha256":"fed4199357214dfb94724176c68a76698dbc3c2d36317a895320207ac910dea6",
//	"chunks":"AAAABNUqip/iFAU6ihDrnGI7As8WMjzDnUsM9Zt3bQfFFnjq"},
//	{"name":"vmlinuz","size":6,"sha256":"a204d4ad1de3e9b07751899e5cf4d4a3017328c41372c70fdcc8db9587bb38fb",
//	"chunks":"AAAABrRrpDY2SSi+kTD8oC2h/lmEqJ22QzibQOpFcbCoyro/"}]}
//
// in one line, and ends with ROOTKERNEL. chunks is base64 of 4 bytes of size and a BLAKE2b-256 for each chunk, of which these
// files have one. Files are cut by their content, into 16 to 256 KiB, so that what is equal stays equal when something
// before it grows. Only the writer needs to know how.
//
// # Installing
//
// Nothing unsigned touches a disk, and nothing of a bundle is kept in memory but its head and one chunk:
//
//  1. The head is checked (Box.Admit): signed by this box's owner, for this board, newer than what runs, and able to replace it.
//  2. The firmware is made to lead to the running slot only (Method.Disarm), and synced: the other slot may be in any state now.
//  3. Each chunk that is in its place already stays; one that the running slot has is copied; the others are missing, and
//     the laptop sends just these. Each is compared with its hash before it is written. Where the connection was cut, the
//     next Install finds everything that came: the slot itself is the memory of how far it got, even over a restart.
//  4. The slot is synced, read back from the disk and compared with the manifest; then it gets its command line, and last its manifest.
//
// # Trying
//
//  1. The programs are stopped, a checkpoint of the data is taken, and the journal notes the trial (Box.Try).
//  2. The firmware is told to start the new slot once (Method.Arm). See SystemdBoot and TryBoot for how, and why any loss of
//     power leaves one of the two slots to be started, whole.
//  3. At each start Box.Wake compares the slot that runs with the journal. The new slot, uncommitted: this is the trial, and the outside
//     stays closed. The old slot: the trial has failed, in whatever way, so the data are put back before a program
//     sees them. The new slot, committed: power was lost at the very end, and the rest is done.
//  4. Box.Commit, if all is healthy: first the firmware's choice, then the journal, then the checkpoint goes. The outside is let in
//     only after that. So no message that was acknowledged is ever undone: while data can still be put back, nobody is there to
//     write any.
//
// The order of these steps is what makes the update safe, and crash_test.go cuts the power at each of them, on a model of FAT that
// loses, keeps and tears what was not synced (package powercut), and asks a model of the firmware (package firmware)
// what starts then.
package ota
