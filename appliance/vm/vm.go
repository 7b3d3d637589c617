// Package vm runs an image in a virtual machine: QEMU, as the board's file says.
//
// A board with UEFI boots as the real one does. Of any other the kernel is started by QEMU itself, the one that the board's firmware
// would choose at that moment.
package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hearth/appliance/firmware"
	"hearth/appliance/image"
	"hearth/appliance/ota"
)

// Machine is a virtual machine to start. The zero values of all but Disk are fine.
type Machine struct {
	Disk    string         // a raw image's file, which is written to
	Drive   string         // what is written to in its place, and holds the same: QEMU's name of a block device; "" for the file
	Folder  string         // an existing folder for what else it needs, which is in use as long as it runs
	Ports   map[int]string // of the guest: the address host:port of the host that leads to it
	Network string         // what it is connected to, in the words of QEMU's -netdev; "" for a network of its own, and only then are there Ports
	Memory  int64          // in bytes; 0 for what the smallest of the boards has
	Console io.Writer      // what the serial console says; nil for nowhere
	KVM     bool           // let this computer's processor run the machine, if it can; QEMU's own way is slower and works everywhere
	Options []string       // more of QEMU's
}

// VM is a machine that runs.
type VM struct {
	Manifest *image.Manifest // of what is on its disk

	command *exec.Cmd
	errors  strings.Builder
	done    chan struct{}
	err     error // after done is closed
}

// Start starts a machine. It ends when ctx does, by Kill, when it turns itself off, or with this process, whatever ends that.
func Start(ctx context.Context, m Machine) (*VM, error) {
	disk, err := os.Open(m.Disk)
	if err != nil {
		return nil, fmt.Errorf("opening the disk: %w", err)
	}
	defer disk.Close()
	v := &VM{done: make(chan struct{})}
	args, err := m.arguments(disk, v)
	if err != nil {
		return nil, err
	}
	v.command = exec.CommandContext(ctx, args[0], args[1:]...)
	v.command.Stdout, v.command.Stderr = m.Console, &v.errors
	v.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	v.command.WaitDelay = time.Second
	started := make(chan error)
	go v.keep(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting QEMU: %w", err)
	}
	return v, nil
}

// keep starts QEMU and waits for its end, in a thread that lives as long: the kernel's death signal comes when the thread ends.
func (v *VM) keep(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := v.command.Start()
	started <- err
	if err != nil {
		return
	}
	v.err = v.command.Wait()
	if text := strings.TrimSpace(v.errors.String()); v.err != nil && text != "" {
		v.err = fmt.Errorf("%w: %s", v.err, text)
	}
	close(v.done)
}

// Done is closed when the machine has ended.
func (v *VM) Done() <-chan struct{} { return v.done }

// Kill takes the machine's power away, and waits until it is gone.
func (v *VM) Kill() {
	_ = v.command.Process.Kill() // fails if it has ended
	<-v.done
}

// Err returns why the machine has ended, once it has: nil if it turned itself off.
func (v *VM) Err() error {
	<-v.done
	return v.err
}

// arguments returns QEMU's command line.
func (m Machine) arguments(disk *os.File, v *VM) ([]string, error) {
	info, err := disk.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the disk: %w", err)
	}
	boot, err := image.OpenBoot(disk, info.Size())
	if err != nil {
		return nil, fmt.Errorf("looking at the image %s: %w", m.Disk, err)
	}
	if v.Manifest, err = image.ReadManifest(boot); err != nil {
		return nil, err
	}
	try := v.Manifest.Try
	program, err := find(try.Arch)
	if err != nil {
		return nil, err
	}
	memory := try.Memory
	if m.Memory > 0 {
		memory = m.Memory
	}
	drive := m.Disk
	if m.Drive != "" {
		drive = m.Drive
	}
	device := "virtio-blk-pci,drive=disk"
	if try.UEFI {
		device += ",bootindex=0" // a kernel that QEMU starts itself is what it starts first
	}
	args := []string{program, "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-machine", try.Machine,
		"-cpu", try.CPU, "-smp", "2", "-m", strconv.FormatInt(memory>>20, 10) + "M", "-watchdog-action", "reset",
		"-drive", "if=none,id=disk,format=raw,discard=unmap,file=" + escape(drive), "-device", device,
		"-netdev", m.network(), "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci"}
	if m.KVM {
		args = append(args, "-accel", "kvm", "-cpu", "host")
	}
	args = append(append(args, try.Options...), m.Options...)
	if try.UEFI {
		return m.withUEFI(args, try.Arch)
	}
	return m.withKernel(args, v.Manifest, volume{boot})
}

// escape doubles the commas of a value, which QEMU reads as the value's end.
func escape(text string) string { return strings.ReplaceAll(text, ",", ",,") }

func (m Machine) network() string {
	if m.Network != "" {
		return m.Network + ",id=net"
	}
	text := "user,id=net"
	for guest, host := range m.Ports {
		text += fmt.Sprintf(",hostfwd=tcp:%s-:%d", host, guest)
	}
	return text
}

// withKernel has QEMU start the kernel that the board's firmware would.
func (m Machine) withKernel(args []string, manifest *image.Manifest, boot volume) ([]string, error) {
	start, err := firmware.RaspberryPi(boot, false)
	if errors.Is(err, firmware.ErrNothing) { // a board of QEMU's own, which has one slot
		start, err = slotA(boot)
	}
	if err != nil {
		return nil, fmt.Errorf("finding the kernel: %w", err)
	}
	kernel := filepath.Join(m.Folder, "vmlinuz")
	if err := boot.copyTo(start.Kernel, kernel); err != nil {
		return nil, fmt.Errorf("taking the kernel out of the image: %w", err)
	}
	return append(args, "-kernel", kernel, "-append", withConsole(start.CommandLine, manifest.Try.Console)), nil
}

func slotA(boot volume) (firmware.Start, error) {
	folder := ota.A.String() + "/"
	text, err := boot.ReadFile(folder + ota.CommandLineFile)
	return firmware.Start{Kernel: folder + ota.KernelFile, CommandLine: string(text)}, err
}

// withConsole puts a console in the place of those of a command line, if it is not empty.
func withConsole(line, console string) string {
	if console == "" {
		return line
	}
	var words []string
	for word := range strings.FieldsSeq(line) {
		if !strings.HasPrefix(word, "console=") {
			words = append(words, word)
		}
	}
	return strings.Join(append(words, console), " ")
}

// withUEFI has the machine boot by UEFI, with variables of its own that are kept in its folder.
func (m Machine) withUEFI(args []string, arch string) ([]string, error) {
	code, variables, err := findUEFI(arch)
	if err != nil {
		return nil, err
	}
	own := filepath.Join(m.Folder, "uefi-variables")
	if _, err := os.Stat(own); errors.Is(err, os.ErrNotExist) {
		data, err := os.ReadFile(variables)
		if err == nil {
			err = os.WriteFile(own, data, 0o600)
		}
		if err != nil {
			return nil, fmt.Errorf("copying the variables of UEFI: %w", err)
		}
	}
	return append(args, "-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+escape(code), "-drive", "if=pflash,unit=1,format=raw,file="+escape(own)), nil
}

// FreeAddress returns an address of this machine whose port nobody has at the moment.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
