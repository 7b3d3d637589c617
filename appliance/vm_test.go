package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hearth/appliance/vm"
	"hearth/matrix/wire"
	"hearth/process"
)

// TestVM boots an image of all programs in a virtual machine, and sends a message through it. It takes the board that boots
// quickest; with HEARTH_VMTEST set, as make vmtest does, it takes all that differ in how they boot.
func TestVM(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what boots a virtual machine")
	}
	boards := map[string]string{"qemu-arm64": "qemu-system-aarch64"}
	if os.Getenv("HEARTH_VMTEST") != "" {
		for _, board := range []string{"arm64-uefi", "pi4"} {
			boards[board] = "qemu-system-aarch64"
		}
		for _, board := range []string{"qemu-amd64", "pc"} {
			boards[board] = "qemu-system-x86_64"
		}
	}
	for board, program := range boards {
		t.Run(board, func(t *testing.T) {
			if _, err := exec.LookPath(program); err != nil {
				t.Skipf("%s is not installed: make needs installs it on Debian", program)
			}
			smoke(t, board)
		})
	}
}

// smoke builds an image, boots it, and sends a message through it.
func smoke(t *testing.T, board string) {
	folder := t.TempDir()
	t.Chdir(sourceFolder(t))
	args := []string{"build", "--board", board, "--version", "1.0", "--out", folder, "--json", "--domain", "vm.test", "--set", "homeserver.registration=open"}
	if err := run(t.Context(), args, process.Streams{Out: io.Discard, Err: io.Discard}); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	box := bootImage(t, filepath.Join(folder, "hearth-"+board+".img"), filepath.Join(folder, "disk"))
	t.Logf("%s answers %.1f s after QEMU was started", board, time.Since(begin).Seconds())
	client := wire.NewClient(box.URL)
	defer client.Close()
	if err := client.Register(t.Context(), "alice", "correct horse"); err != nil {
		t.Fatal(err)
	}
	if client.User != "@alice:vm.test" {
		t.Errorf("the user is %s: the domain that the image was built with is not in force", client.User)
	}
	room, err := client.CreateRoom(t.Context(), wire.CreateRoom{Preset: "private_chat"})
	if err != nil {
		t.Fatal(err)
	}
	event, err := client.SendText(t.Context(), room, "1", "hello from a box")
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.Event(t.Context(), room, event)
	if err != nil || !strings.Contains(string(got.Content), "hello from a box") {
		t.Errorf("the message comes back as %s, %v", got.Content, err)
	}
}

// booted is a machine that runs.
type booted struct {
	URL        string `json:"url"`
	Management string `json:"management"`
}

// bootImage runs appliance run until the test ends, and returns when the homeserver in the machine answers.
func bootImage(t *testing.T, image, disk string) *booted {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	reader, writer := io.Pipe()
	console := new(strings.Builder)
	var ended error
	done := make(chan struct{})
	go func() {
		defer close(done)
		args := []string{"run", "--listen", "127.0.0.1:0", "--management", "127.0.0.1:0", "--disk", disk, "--json", image}
		ended = run(ctx, args, process.Streams{Out: writer, Err: console})
		writer.CloseWithError(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if t.Failed() {
			t.Logf("the console says\n%s", console)
		}
	})
	box := new(booted)
	if err := json.NewDecoder(reader).Decode(box); err != nil {
		<-done
		if errors.Is(ended, vm.ErrMissing) {
			t.Skip(ended)
		}
		t.Fatalf("the machine does not come up: %v", ended)
	}
	return box
}
