package dnssec

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheToolsOfOthersAgree has signed zones judged by ldns, BIND and Knot, before, during and after a rollover.
func TestTheToolsOfOthersAgree(t *testing.T) {
	tools := map[string][]string{
		"ldns-verify-zone": nil,
		"dnssec-verify":    {"-z", "-o", "example.org"}, // -z: one key for both is as good
		"kzonecheck":       {"-o", "example.org", "-d", "on"},
	}
	for tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("%s is not installed: it cannot judge", tool)
			delete(tools, tool)
		}
	}
	if len(tools) == 0 {
		t.Skip("ldns-verify-zone, dnssec-verify and kzonecheck are not installed: make needs installs them on Debian")
	}
	for title, p := range policies() {
		t.Run(title, func(t *testing.T) {
			now := time.Now()
			s, _, err := (&Signer{Policy: p}).Advance(now.Add(-50*time.Hour), time.Hour, random())
			if err != nil {
				t.Fatal(err)
			}
			z, err := s.Sign(now.Add(-50*time.Hour), nil, read(t, world))
			if err != nil {
				t.Fatal(err)
			}
			judge := func(when string) {
				t.Helper()
				if z, err = s.Refresh(now, z, z.Serial()+1); err != nil {
					t.Fatal(err)
				}
				var b strings.Builder
				if err := z.Print(&b); err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(t.TempDir(), "example.org.zone")
				if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
					t.Fatal(err)
				}
				for tool, args := range tools {
					if tool == "kzonecheck" && !p.Split && strings.HasPrefix(when, "with") {
						continue // it takes two combined keys for KSKs, and then lacks a ZSK
					}
					if out, err := exec.Command(tool, append(args, file)...).CombinedOutput(); err != nil {
						t.Errorf("%s, %s: %v\n%s", when, tool, err, out)
					}
				}
			}
			judge("before")
			for role := ZSK; role <= CSK; role++ {
				if next, err := s.Roll(role, now); err == nil {
					s = next
				}
			}
			if s, _, err = s.Advance(now.Add(-10*time.Hour), time.Hour, random2()); err != nil {
				t.Fatal(err)
			}
			judge("with the next key published")
			if s, _, err = s.Advance(now.Add(-5*time.Hour), time.Hour, random2()); err != nil {
				t.Fatal(err)
			}
			judge("with the next key in use")
			s = s.Confirm(s.entry().Tag(), now.Add(-48*time.Hour))
			if s, _, err = s.Advance(now, time.Hour, random2()); err != nil {
				t.Fatal(err)
			}
			judge("after")
			for _, k := range s.Keys[:1] {
				if k.Remove.IsZero() {
					t.Error("the old key is still there")
				}
			}
		})
	}
}
