// Package jssdk_test drives the running programs with matrix-js-sdk, as clients
// on the web do, and kills the programs meanwhile.
//
// conversation.mjs is what two people do, club.mjs what more people do; host.mjs
// says how they talk to the test here. Node's packages are installed by their lockfile when they are not.
package jssdk_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"hearth/homeserver/rig"
)

// A host runs the server and the script, and serves the script's requests.
type host struct {
	t       *testing.T
	server  *rig.Server
	rand    *rand.Rand
	toNode  io.Writer
	starts  int
	kills   int
	storm   bool
	untilIt int // requests acknowledged until the next kill of a storm
	did     string
	begin   time.Time
}

func TestTwoPeopleTalkWhileTheServerIsKilled(t *testing.T) { play(t, "conversation.mjs") }

func TestAClubMeetsWhileTheServerIsKilled(t *testing.T) { play(t, "club.mjs") }

// play runs a script against a server of its own.
func play(t *testing.T, script string) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed: matrix-js-sdk cannot run")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	installPackages(ctx, t)
	programs := t.TempDir()
	if err := rig.Build(ctx, programs); err != nil {
		t.Fatal(err)
	}
	log := openLog(t)
	server, err := rig.Start(rig.Options{Programs: programs, Data: filepath.Join(t.TempDir(), "data"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	h := &host{t: t, begin: time.Now(), server: server, rand: rand.New(rand.NewPCG(seed, 0))}
	defer h.stop()
	if err := server.WaitReady(ctx); err != nil {
		t.Fatalf("%v\n%s", err, tail(log))
	}
	if err := h.run(ctx, script); err != nil {
		t.Fatalf("%v\nThe last thing done: %s\nThe server's log ends:\n%s", err, h.did, tail(log))
	}
	t.Logf("the server was killed %d times", h.kills)
}

// run runs a script to its end.
func (h *host) run(ctx context.Context, script string) error {
	node := exec.CommandContext(ctx, "node", script, h.server.URL())
	var complaints bytes.Buffer
	node.Stderr = &complaints
	in, err := node.StdinPipe()
	if err != nil {
		return err
	}
	h.toNode = in
	out, err := node.StdoutPipe()
	if err != nil {
		return err
	}
	if err := node.Start(); err != nil {
		return err
	}
	var serving error // why the script is not served to its end
	lines := bufio.NewScanner(out)
	for serving == nil && lines.Scan() {
		serving = h.serve(ctx, lines.Bytes())
	}
	in.Close() // a script that waits for us ends
	if err := errors.Join(serving, node.Wait()); err != nil {
		return fmt.Errorf("the script failed: %w\n%s", err, complaints.Bytes())
	}
	if h.did != "done" {
		return fmt.Errorf("the script ended early\n%s", complaints.Bytes())
	}
	return nil
}

// serve does what one line of the script asks for.
func (h *host) serve(ctx context.Context, line []byte) error {
	var message struct{ Say, Text string }
	if err := json.Unmarshal(line, &message); err != nil {
		return fmt.Errorf("the script said %q", line)
	}
	switch message.Say {
	case "did":
		h.did = message.Text
		h.t.Logf("%5.1f s: %s", time.Since(h.begin).Seconds(), message.Text)
	case "kill":
		return h.kill(ctx)
	case "storm":
		h.storm = true
		return h.kill(ctx)
	case "progress":
		if h.untilIt--; h.storm && h.untilIt <= 0 {
			return h.kill(ctx)
		}
	case "calm":
		h.storm = false
		_, err := io.WriteString(h.toNode, "{\"calm\":true}\n")
		return err
	}
	return nil
}

// kill kills all programs and starts them again.
func (h *host) kill(ctx context.Context) error {
	h.kills++
	h.untilIt = 3 + h.rand.IntN(15)
	if err := h.server.Kill(ctx); err != nil {
		return err
	}
	if err := h.server.Restart(); err != nil {
		return err
	}
	if err := h.server.WaitReady(ctx); err != nil {
		return err
	}
	h.starts++
	_, err := fmt.Fprintf(h.toNode, "{\"up\":%d}\n", h.starts)
	return err
}

func (h *host) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := h.server.Stop(ctx); err != nil {
		h.t.Error(err)
	}
}

// installPackages installs what the lockfile says, unless that is there.
func installPackages(ctx context.Context, t *testing.T) {
	t.Helper()
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	const mark = "node_modules/.installed-lock.json"
	if installed, err := os.ReadFile(mark); err == nil && bytes.Equal(installed, lock) {
		return
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--prefer-offline")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("installing the packages of package-lock.json: %v\n%s", err, out)
	}
	if err := os.WriteFile(mark, lock, 0o644); err != nil {
		t.Fatal(err)
	}
}

func openLog(t *testing.T) *os.File {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log
}

// tail returns the end of the server's log.
func tail(log *os.File) []byte {
	content, err := os.ReadFile(log.Name())
	if err != nil {
		return []byte(err.Error())
	}
	return content[max(0, len(content)-4000):]
}
