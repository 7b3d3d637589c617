package main

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"testing"

	"hearth/appliance/agent"
	"hearth/process"
)

// TestOwnersKeyStaysHome builds an image that obeys its owner: it holds the public key, and nothing of the private one. (CVE-2026-24044)
func TestOwnersKeyStaysHome(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what builds all programs")
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	out := t.TempDir()
	t.Chdir(sourceFolder(t))
	args := []string{"build", "--board", "qemu-arm64", "--image", "minimal", "--version", "1.0", "--owner", "--json", "--out", out}
	if err := run(t.Context(), args, process.Streams{Out: io.Discard, Err: io.Discard}); err != nil {
		t.Fatal(err)
	}
	laptop, err := agent.OpenLaptop()
	if err != nil {
		t.Fatal(err)
	}
	key, made, err := laptop.Key()
	if err != nil || made {
		t.Fatalf("the key that the image was built for is not kept: %v", err)
	}
	image, err := os.ReadFile(filepath.Join(out, "hearth-qemu-arm64.img"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(image, []byte("\nbox.owner="+agent.FormatKey(agent.PublicKey(key))+"\n")) {
		t.Error("the image does not say whom it obeys")
	}
	for _, secret := range [][]byte{key.Seed(), []byte(base64.StdEncoding.EncodeToString(key.Seed()))[:40]} {
		if bytes.Contains(image, secret) {
			t.Error("the image holds the owner's private key")
		}
	}
}
