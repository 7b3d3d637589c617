package vm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// ErrMissing is wrapped by errors that say which part of QEMU is not on this machine.
var ErrMissing = errors.New("it is not installed")

// need is what a processor's virtual machine needs.
type need struct {
	program  string
	packages string      // of Debian
	firmware [][2]string // UEFI's code and its variables, in the places of Debian, Fedora, Arch, Homebrew
}

func needs(arch string) need {
	if arch == "amd64" {
		return need{"qemu-system-x86_64", "qemu-system-x86 ovmf", [][2]string{
			{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
			{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
			{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
			{"/opt/homebrew/share/qemu/edk2-x86_64-code.fd", "/opt/homebrew/share/qemu/edk2-i386-vars.fd"},
		}}
	}
	return need{"qemu-system-aarch64", "qemu-system-arm qemu-efi-aarch64", [][2]string{
		{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
		{"/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw"},
		{"/usr/share/edk2/aarch64/QEMU_CODE.fd", "/usr/share/edk2/aarch64/QEMU_VARS.fd"},
		{"/opt/homebrew/share/qemu/edk2-aarch64-code.fd", "/opt/homebrew/share/qemu/edk2-arm-vars.fd"},
	}}
}

// find returns the path of QEMU for a processor.
func find(arch string) (string, error) {
	n := needs(arch)
	path, err := exec.LookPath(n.program)
	if err != nil {
		return "", fmt.Errorf("finding %s: %w (on Debian: apt install %s)", n.program, ErrMissing, n.packages)
	}
	return path, nil
}

// findUEFI returns the paths of UEFI's code and of its variables as they are at first.
func findUEFI(arch string) (code, variables string, err error) {
	n := needs(arch)
	for _, pair := range n.firmware {
		_, codeErr := os.Stat(pair[0])
		_, variablesErr := os.Stat(pair[1])
		if codeErr == nil && variablesErr == nil {
			return pair[0], pair[1], nil
		}
	}
	return "", "", fmt.Errorf("finding UEFI for %s: %w (on Debian: apt install %s)", n.program, ErrMissing, n.packages)
}
