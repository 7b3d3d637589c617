package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth/appliance/box"
	"hearth/storage/socket"
)

// Threat 16: the real programs do their work confined as on a box, and what confines them is there.
func TestConfinedProgramsServe(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this test must run as root: only root can start programs as other users")
	}
	dir, err := os.MkdirTemp("/tmp", "confined") // which the programs' users can reach, unlike that of the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", dir, "hearth/storage", "hearth/dnsprimary", "hearth/homeserver", "hearth/appliance")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the programs: %v\n%s", err, out)
	}
	address, data := freeAddress(t), filepath.Join(dir, "data")
	up := exec.Command(filepath.Join(dir, "appliance"), "up", "--confine", "--data", data,
		"--set", "client_address="+address, "--set", "dns_address="+freeAddress(t))
	var log strings.Builder
	up.Stderr = &log
	up.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		up.Process.Signal(syscall.SIGTERM)
		up.Wait()
		if strings.Contains(log.String(), "not permitted") || strings.Contains(log.String(), "permission denied") {
			t.Errorf("the programs were refused something:\n%s", &log)
		}
	}()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "  connect") {
	}
	if t.Failed() || lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	converse(t, "http://"+address)
	checkStatus(t, up.Process.Pid)
	checkNamespaces(t, filepath.Join(dir, "appliance.test"), filepath.Join(data, "run/storage/storage.sock"))
}

// converse registers a user, who sends a message and reads it back.
func converse(t *testing.T, url string) {
	t.Helper()
	user := call(t, "POST", url+"/_matrix/client/v3/register", "", `{"username":"alice","password":"correct horse","auth":{"type":"m.login.dummy"}}`)
	token, _ := user["access_token"].(string)
	room, _ := call(t, "POST", url+"/_matrix/client/v3/createRoom", token, `{}`)["room_id"].(string)
	path := url + "/_matrix/client/v3/rooms/" + room
	sent, _ := call(t, "PUT", path+"/send/m.room.message/1", token, `{"msgtype":"m.text","body":"hello"}`)["event_id"].(string)
	if sent == "" {
		t.Fatal("the message has no id")
	}
	content, _ := call(t, "GET", path+"/event/"+sent, token, "")["content"].(map[string]any)
	if content["body"] != "hello" {
		t.Errorf("the message reads %v", content)
	}
}

// call makes a request that must succeed.
func call(t *testing.T, method, url, token, body string) map[string]any {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Timeout: time.Minute}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s, %v", method, url, response.Status, text, err)
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// checkStatus holds what the kernel says of the programs, which are up's children, against what they should be.
func checkStatus(t *testing.T, parent int) {
	t.Helper()
	found := 0
	for _, u := range box.Users() {
		pids, err := exec.Command("pgrep", "-P", fmt.Sprint(parent), "-u", fmt.Sprint(u.ID)).Output()
		if err != nil {
			t.Errorf("%s does not run as user %d: %v", u.Name, u.ID, err)
			continue
		}
		text, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pids)) + "/status")
		if err != nil {
			t.Error(err)
			continue
		}
		found++
		capabilities := "0000000000000400" // CAP_NET_BIND_SERVICE
		if u.Name == "storage" {
			capabilities = "0000000000000000"
		}
		for _, want := range []string{
			fmt.Sprintf("Uid:\t%d\t%d\t%d\t%d", u.ID, u.ID, u.ID, u.ID), fmt.Sprintf("Gid:\t%d\t%d\t%d\t%d", u.ID, u.ID, u.ID, u.ID),
			"NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t" + capabilities, "CapBnd:\t" + capabilities,
		} {
			if !strings.Contains(string(text), want+"\n") {
				t.Errorf("%s: want %q in\n%s", u.Name, want, text)
			}
		}
	}
	if found != len(box.Users()) {
		t.Errorf("%d programs run as their users", found)
	}
}

// askNamespace is how this test binary, called as another user, asks storage for a namespace: see TestMain.
const askNamespace = "HEARTH_TEST_NAMESPACE"

// ask opens a namespace and reads something in it.
func ask(target string) error {
	namespace, path, _ := strings.Cut(target, " ")
	client, err := socket.Dial(context.Background(), path, namespace, socket.ClientOptions{})
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.RootNames(context.Background(), "")
	return err
}

// checkNamespaces asks storage for namespaces as one user and another.
func checkNamespaces(t *testing.T, program, path string) {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(program, self, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		user      uint32
		namespace string
		admitted  bool
	}{
		{box.HomeserverID, "homeserver", true},
		{box.DNSPrimaryID, "dnsprimary", true},
		{box.DNSPrimaryID, "homeserver", false},
		{box.HomeserverID, "dnsprimary", false},
		{65534, "homeserver", false},
	} {
		cmd := exec.Command(program)
		cmd.Dir = "/"
		cmd.Env = append(os.Environ(), askNamespace+"="+c.namespace+" "+path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.user, Gid: c.user}}
		out, err := cmd.CombinedOutput()
		if (err == nil) != c.admitted {
			t.Errorf("user %d asks for %s: %s, %v", c.user, c.namespace, out, err)
		}
	}
}
