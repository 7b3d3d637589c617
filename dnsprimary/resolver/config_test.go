package resolver

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestConfig(t *testing.T) {
	for text, want := range map[string]string{
		"": "[{127.0.0.1:53 false}] 0s 0",
		"# nameserver 192.0.2.9\nsearch example.org\nnameserver 192.0.2.1 ; comment\nnameserver\t2001:db8::1\n": "[{192.0.2.1:53 false} {[2001:db8::1]:53 false}] 0s 0",
		"options timeout:3 attempts:9 rotate trust-ad\nnameserver 192.0.2.1":                                    "[{192.0.2.1:53 true}] 3s 5",
		"options timeout:0 attempts:x timeout:999\nnameserver nonsense":                                         "[{127.0.0.1:53 false}] 30s 0",
		"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4":                "[{192.0.2.1:53 false} {192.0.2.2:53 false} {192.0.2.3:53 false}] 0s 0",
	} {
		c := parseConfig(text)
		if got := fmt.Sprint(c.servers, c.timeout, c.attempts); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestTheFileIsReadWhenItChanges begins before there is one, as a box does whose network comes up later.
func TestTheFileIsReadWhenItChanges(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	file := filepath.Join(t.TempDir(), "resolv.conf")
	r := New(Options{File: file, Now: func() time.Time { return now }, Attempts: 4})
	defer r.Close()
	for i, step := range []struct {
		text string
		pass time.Duration
		want string
	}{
		{"", 0, "[{127.0.0.1:53 false}] 2s 4"},
		{"nameserver 192.0.2.1\noptions timeout:7 attempts:3", time.Second, "[{127.0.0.1:53 false}] 2s 4"},
		{"", lookPause, "[{192.0.2.1:53 false}] 7s 4"},
		{"nameserver 192.0.2.22", lookPause, "[{192.0.2.22:53 false}] 2s 4"},
		{"gone", lookPause, "[{192.0.2.22:53 false}] 2s 4"},
		{"nameserver 192.0.2.3", -time.Hour, "[{192.0.2.3:53 false}] 2s 4"}, // the clock was set
	} {
		var err error
		switch step.text {
		case "":
		case "gone":
			err = os.Remove(file)
		default:
			err = os.WriteFile(file, []byte(step.text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(step.pass)
		c := r.config()
		if got := fmt.Sprint(c.servers, c.timeout, c.attempts); got != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
	}
}
