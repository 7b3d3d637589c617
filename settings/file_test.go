package settings

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzFile checks that no file panics, and that a fault in a file that parses is reported with its line.
func FuzzFile(f *testing.F) {
	f.Add("a = 1\n[b]\nc = \"x\"\n")
	f.Add("b.c = '''\nx\n'''\n[[d]]\n")
	f.Add("\"\".\"b.c\" = [1, {}]\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4<<10 {
			return
		}
		var cfg struct {
			A int `toml:"a" doc:"a."`
			B struct {
				C string `toml:"c" doc:"c."`
			} `toml:"b"`
		}
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load("fuzz", &cfg, []string{"-config", path}, io.Discard)
		fault, ok := err.(*Error)
		if err != nil && !ok {
			t.Fatalf("%T is not an *Error", err)
		}
		if ok && fault.Key != "" && fault.Line == 0 {
			t.Errorf("no line for %v in %q", err, text)
		}
	})
}
