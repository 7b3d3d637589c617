package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"hearth/homeserver/rig"
)

// The reference server, which `make needs` installs by requirements.txt.
const synapseVersion = "1.163.2"

// errNoSynapse says that the reference server is not installed.
var errNoSynapse = errors.New("the reference server, Synapse " + synapseVersion + ", is not installed (make needs installs it if python3 and the package index can be had)")

// python returns the path of the interpreter whose environment has Synapse.
func python() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", errNoSynapse
	}
	folder := filepath.Join(cache, "hearth", "synapse-"+synapseVersion)
	if _, err := os.Stat(filepath.Join(folder, "installed")); err != nil {
		return "", errNoSynapse
	}
	return filepath.Join(folder, "bin", "python"), nil
}

// A synapse is a running reference server.
type synapse struct {
	cmd     *exec.Cmd
	exited  <-chan struct{}
	address string
}

// startSynapse starts it in a folder, with further settings as lines of YAML, and waits until it answers.
func startSynapse(ctx context.Context, folder string, settings []string, log *os.File) (*synapse, error) {
	interpreter, err := python()
	if err != nil {
		return nil, err
	}
	address, err := rig.FreeAddress()
	if err != nil {
		return nil, err
	}
	if err := writeSettings(folder, address, settings); err != nil {
		return nil, fmt.Errorf("writing Synapse's settings: %w", err)
	}
	s := &synapse{address: address}
	s.cmd = exec.Command(interpreter, "-m", "synapse.app.homeserver", "-c", "homeserver.yaml")
	s.cmd.Dir, s.cmd.Stderr, s.cmd.Stdout = folder, log, log
	if s.exited, err = rig.Launch(s.cmd); err != nil {
		return nil, fmt.Errorf("starting Synapse: %w", err)
	}
	if err := s.waitReady(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *synapse) url() string { return "http://" + s.address }

func (s *synapse) waitReady(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+"/_matrix/client/versions", nil)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(r); err == nil {
			answer.Body.Close()
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for Synapse to answer: %w", ctx.Err())
		case <-s.exited:
			return fmt.Errorf("waiting for Synapse to answer: it ended, %s", s.cmd.ProcessState)
		}
	}
}

// stop kills it: its data is thrown away.
func (s *synapse) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGKILL) // it may have ended by itself
	<-s.exited
}

// synapseSettings are what every flavour of Synapse has: enough for one machine, and limits that no test reaches.
const synapseSettings = `
server_name: NAME
public_baseurl: http://NAME/
listeners: [{port: PORT, bind_addresses: [HOST], type: http, tls: false, resources: [{names: [client], compress: false}]}]
database: {name: sqlite3, args: {database: homeserver.db}}
log_config: log.yaml
media_store_path: media
signing_key_path: signing.key
report_stats: false
trusted_key_servers: []
registration_shared_secret: SECRET
macaroon_secret_key: SECRET
form_secret: SECRET
bcrypt_rounds: 4
caches: {sync_response_cache_duration: 0s}
default_room_version: "12"
rc_message: &many {per_second: 1000000, burst_count: 1000000}
rc_registration: *many
rc_registration_token_validity: *many
rc_login: {address: *many, account: *many, failed_attempts: *many}
rc_admin_redaction: *many
rc_joins: {local: *many, remote: *many}
rc_joins_per_room: *many
rc_invites: {per_room: *many, per_user: *many, per_issuer: *many}
rc_third_party_invite: *many
rc_3pid_validation: *many
rc_presence: {per_user: *many}
rc_delayed_event_mgmt: *many
rc_room_creation: *many
rc_reports: *many
rc_user_directory: *many
`

// synapseLog has Synapse log what is its own fault.
const synapseLog = `
version: 1
formatters: {plain: {format: "%(levelname)s %(name)s %(message)s"}}
handlers: {err: {class: logging.StreamHandler, formatter: plain}}
root: {level: ERROR, handlers: [err]}
`

func writeSettings(folder, address string, settings []string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	key := make([]byte, 32)
	rand.Read(key)
	basis := strings.NewReplacer("NAME", serverName, "PORT", port, "HOST", host, "SECRET", secret).Replace(synapseSettings)
	for name, content := range map[string]string{
		"homeserver.yaml": basis + strings.Join(settings, "\n") + "\n",
		"signing.key":     "ed25519 a_judge " + base64.RawStdEncoding.EncodeToString(key) + "\n",
		"log.yaml":        synapseLog,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}
