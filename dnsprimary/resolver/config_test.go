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
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("options timeout:7"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := readConfig(file); err != nil || c.timeout != 7*time.Second {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := readConfig(file + "x"); err == nil {
		t.Error("a file that is not there was read")
	}
}
