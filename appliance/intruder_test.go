package main

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/appliance/box"
	"hearth/appliance/squashfs"
)

// Threat 16, on the kernel and the kind of processor that most boxes have: the tests of confinement, among them the one that
// plays a program that was taken over, run in a virtual machine.
func TestConfinementOnTheBoxesKernel(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what boots a virtual machine")
	}
	qemu, err := exec.LookPath("qemu-system-aarch64")
	if err != nil {
		t.Skip("qemu-system-aarch64 (package qemu-system-arm) is not installed: make needs installs it on Debian")
	}
	dir := t.TempDir()
	for name, args := range map[string][]string{
		"tests":    {"test", "-c", "hearth/confinement"},
		"intruder": {"build", "../confinement/testdata/intruder"},
		"first":    {"build", "../confinement/testdata/first"},
	} {
		cmd := exec.Command("go", args[0], "-o", filepath.Join(dir, name))
		cmd.Args = append(cmd.Args, args[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", name, err, out)
		}
	}
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gokrazy/kernel.arm64").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "root")
	writeRoot(t, root, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // for a machine that does other things too
	defer cancel()
	machine := exec.CommandContext(ctx, qemu, "-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "512", "-nographic", "-no-reboot", "-nic", "none",
		"-kernel", filepath.Join(strings.TrimSpace(string(module)), "vmlinuz"),
		"-append", "root=/dev/vda console=ttyAMA0 quiet panic=-1 rootfstype=squashfs ro init=/bin/first",
		"-drive", "file="+root+",format=raw,if=none,id=root,readonly=on", "-device", "virtio-blk-pci,drive=root")
	out, err := machine.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "the tests ended: <nil>") || !strings.Contains(string(out), "--- PASS: TestIntruder") {
		t.Errorf("the machine says %v\n%s", err, out)
	}
}

// writeRoot writes the root of the virtual machine, with the programs of a folder.
func writeRoot(t *testing.T, name, programs string) {
	t.Helper()
	var files []squashfs.File
	for _, folder := range append(box.MountPoints(), "/.", "/bin", "/etc") {
		files = append(files, squashfs.File{Path: strings.TrimPrefix(folder, "/"), Mode: fs.ModeDir | 0o755})
	}
	files = append(files, squashfs.File{Path: "etc/hosts", Mode: 0o644, Data: []byte("127.0.0.1 localhost\n")})
	for _, program := range []string{"tests", "intruder", "first"} {
		data, err := os.ReadFile(filepath.Join(programs, program))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, squashfs.File{Path: "bin/" + program, Mode: 0o755, Data: data})
	}
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	size, err := squashfs.Write(file, files, squashfs.Options{Time: time.Unix(1700000000, 0)})
	if err == nil {
		err = file.Truncate((size + 511) / 512 * 512)
	}
	if err != nil {
		t.Fatal(err)
	}
}
