package image

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hearth/appliance/box"
	"hearth/appliance/squashfs"
)

// hosts is the root's /etc/hosts.
const hosts = "127.0.0.1 localhost\n::1 localhost\n"

// rootFiles lists the root's files, as package box describes them.
func (s *System) rootFiles() ([]squashfs.File, error) {
	o := s.options
	var files []squashfs.File
	put := func(path string, mode fs.FileMode, data []byte) {
		files = append(files, squashfs.File{Path: strings.TrimPrefix(path, "/"), Mode: mode, Data: data})
	}
	for _, p := range s.programs {
		data, err := os.ReadFile(p.path)
		if err != nil {
			return nil, fmt.Errorf("reading a program: %w", err)
		}
		put(box.Programs+"/"+p.name, 0o755, data)
	}
	authorities, err := certificates()
	if err != nil {
		return nil, err
	}
	put(box.Settings, 0o644, s.imageSettings())
	put(box.Version, 0o644, []byte(o.Version.Text+"\n"))
	put(box.Board, 0o644, []byte(o.Board.Name+"\n"))
	put(box.Certificates, 0o644, authorities)
	put("/etc/hosts", 0o644, []byte(hosts))
	put(sbomFile, 0o644, s.SBOM)
	for _, path := range box.EmptyFiles() {
		put(path, 0o644, nil)
	}
	for _, path := range box.MountPoints() {
		put(path, fs.ModeDir|0o755, nil)
	}
	if !o.Board.Kernel.Modules {
		return files, nil
	}
	loadable, err := s.kernelModules()
	return append(files, loadable...), err
}

// imageSettings returns the settings that the image has of itself: those of its contents, then those of its board.
func (s *System) imageSettings() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Settings of this image. Those in hearth.txt on the boot partition win over them.\n")
	for _, line := range slices.Concat(s.options.Contents.Settings, s.options.Board.settings(s.options.Contents.Programs)) {
		b.WriteString(line + "\n")
	}
	return []byte(b.String())
}

// kernelModules lists the kernel's loadable modules, with what says which needs which.
func (s *System) kernelModules() ([]squashfs.File, error) {
	top := filepath.Join(s.modules[s.options.Board.Kernel.Module].Dir, "lib", "modules")
	var files []squashfs.File
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		files = append(files, squashfs.File{Path: strings.TrimPrefix(box.Modules, "/") + "/" + filepath.ToSlash(name), Mode: 0o644, Data: data})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the kernel's modules: %w", err)
	}
	return files, nil
}

// keyForms are the forms of private keys: PEM, as this project's programs write them, and as SSH does. Each has a text that is
// quick to look for, and is in the midst of few bytes.
func keyForms() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"PRIVATE KEY-----": regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{16}`),
		"ed25519 ":         regexp.MustCompile(`(?m:^ed25519 \S+ [A-Za-z0-9+/]{43}$)`),
		"hmac-sha":         regexp.MustCompile(`hmac-sha(?:256|512)\.? +[A-Za-z0-9+/]{43}`),
	}
}

// Bytes around the text of a form in which a key would be found.
const (
	beforeKey = 64
	afterKey  = 256
)

// findPrivateKey returns where data holds a private key, -1 if nowhere.
func findPrivateKey(data []byte) int {
	for text, form := range keyForms() {
		for from := 0; ; {
			i := bytes.Index(data[from:], []byte(text))
			if i < 0 {
				break
			}
			at := from + i
			if form.Match(data[max(0, at-beforeKey):min(len(data), at+afterKey)]) {
				return at
			}
			from = at + len(text)
		}
	}
	return -1
}

// checkSecrets sees that no file holds a private key: two boxes of one image must have no secret in common.
func checkSecrets(files []squashfs.File) error {
	for _, file := range files {
		if findPrivateKey(file.Data) >= 0 {
			return fmt.Errorf("packing the root: /%s holds a private key, and no secret is ever in an image", file.Path)
		}
	}
	return nil
}
