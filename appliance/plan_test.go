package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hearth/process"
)

func TestRegistrationIsOpenOnlyOnLoopback(t *testing.T) {
	for _, c := range []struct{ sets, want string }{
		{"", "open"},
		{"client_address=[::1]:80", "open"},
		{"client_address=localhost:80", "open"},
		{"client_address=0.0.0.0:80", ""},
		{"client_address=:80", ""},
		{"client_address=192.0.2.1:80", ""},
		{"client_address=example.org:80", ""},
		{"registration=closed", "closed"},
		{"client_address=0.0.0.0:80 registration=open", "open"},
	} {
		var args []string
		for set := range strings.FieldsSeq(c.sets) {
			args = append(args, "-set", set)
		}
		p, err := planUp(args)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.value(keyRegistration); got != c.want {
			t.Errorf("%s: registration is %q, want %q", c.sets, got, c.want)
		}
		if open := strings.Contains(p.welcome(), "curl"); open != (c.want == "open") {
			t.Errorf("%s: the welcome is\n%s", c.sets, p.welcome())
		}
	}
}

func TestURL(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8008":  "http://127.0.0.1:8008",
		"0.0.0.0:80":      "http://127.0.0.1:80",
		":80":             "http://127.0.0.1:80",
		"[::]:80":         "http://127.0.0.1:80",
		"[2001:db8::1]:9": "http://[2001:db8::1]:9",
		"box.example:80":  "http://box.example:80",
	} {
		p, err := planUp([]string{"--set", "homeserver.listen=" + listen})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.url(); got != want {
			t.Errorf("%s is reached at %s, want %s", listen, got, want)
		}
	}
}

func TestSettingsReachTheirProgram(t *testing.T) {
	p, err := planUp([]string{"--set", "storage.group_delay=2ms", "--set", "federation_address=:8448", "--set", "homeserver.presence=true",
		"--set", "federation_cert=a=b", "--set", "presence=false"})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.of("storage"), " "); got != "group_delay=2ms" {
		t.Errorf("storage gets %s", got)
	}
	want := "server_name=localhost listen=127.0.0.1:8008 federation_listen=:8448 presence=true federation_cert=a=b presence=false registration=open"
	if got := strings.Join(p.of("homeserver"), " "); got != want {
		t.Errorf("homeserver gets %s", got)
	}
}

func TestSocketFolderMustBeOurs(t *testing.T) {
	data := t.TempDir()
	if err := os.Mkdir(filepath.Join(data, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := socketFolder(data, 0o700); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(filepath.Join(data, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if folder, err := socketFolder(data, 0o700); err == nil {
		t.Errorf("%s is taken though others may enter it", folder)
	}
}

func TestVerbs(t *testing.T) {
	for _, c := range []struct{ args, out, err string }{
		{"", "Usage: appliance VERB", ""},
		{"help", "Usage: appliance VERB", ""},
		{"up -h", "Usage: appliance up", ""},
		{"down", "", "there is no verb down (appliance help shows all)"},
		{"up now", "", "up takes no argument such as now (appliance up -h shows the flags)"},
		{"up --nosuch", "", "flag provided but not defined: -nosuch (appliance up -h shows the flags)"},
	} {
		var out strings.Builder
		err := run(context.Background(), strings.Fields(c.args), process.Streams{Out: &out, Err: &out})
		if !strings.HasPrefix(out.String(), c.out) || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: prints %q, %v", c.args, out.String(), err)
		}
	}
}

func TestProgramsMustBeThere(t *testing.T) {
	err := up(t.Context(), []string{"--data", t.TempDir()}, process.Streams{})
	if err == nil || !strings.HasPrefix(err.Error(), "finding the program storage beside this executable: ") {
		t.Errorf("got %v", err)
	}
}
