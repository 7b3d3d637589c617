package settings_test

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hearth/settings"
)

type limits struct {
	Rate  float64 `toml:"rate" doc:"Requests a second."`
	Burst uint8   `toml:"burst" doc:"Requests at once."`
}

type config struct {
	Name    string         `toml:"name" doc:"What it is called."`
	Open    bool           `toml:"open" doc:"Whether all may enter."`
	Count   int            `toml:"count" doc:"How many."`
	Delay   time.Duration  `toml:"delay" doc:"How long to wait."`
	Cache   settings.Bytes `toml:"cache" doc:"Memory kept for reads. It is a bound, and what is read beyond it goes to the disk, which takes longer but harms nobody."`
	Level   slog.Level     `toml:"log_level" doc:"Least level that is logged."`
	Peers   []string       `toml:"peers" doc:"Whom to ask."`
	Secret  string         `toml:"secret" doc:"For tests." secret:"true"`
	Limits  limits         `toml:"limits"`
	Ignored int            // not a setting
}

func defaults() config {
	return config{Name: "box", Count: 3, Delay: 5 * time.Millisecond, Cache: 8 << 20, Limits: limits{Rate: 2.5, Burst: 4}}
}

func load(t *testing.T, cfg *config, args ...string) error {
	t.Helper()
	_, err := settings.Load("program", cfg, args, io.Discard)
	return err
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultsThenFileThenFlags(t *testing.T) {
	path := file(t, `
name = "from the file"
open = true
count = 7
delay = "1m30s"
cache = "64MiB"
log_level = "warn"
peers = ["a", "b"]
[limits]
rate = 3
`)
	cfg := defaults()
	rest, err := settings.Load("program", &cfg, []string{
		"--set", "name=from=flags", "-config", path, "-set", "count=9", "--set", "peers=c, d", "-set", "limits.burst=255", "verb", "-x",
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := config{Name: "from=flags", Open: true, Count: 9, Delay: 90 * time.Second, Cache: 64 << 20, Level: slog.LevelWarn,
		Peers: []string{"c", "d"}, Limits: limits{Rate: 3, Burst: 255}}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
	if want := []string{"verb", "-x"}; !reflect.DeepEqual(rest, want) {
		t.Errorf("rest is %q, want %q", rest, want)
	}
}

func TestFlagSpelling(t *testing.T) {
	cfg := defaults()
	if err := load(t, &cfg, "-set", "open=true", "-set", "delay=1h", "-set", "cache=100", "-set", "log_level=debug",
		"-set", "peers=", "-set", "limits.rate=0.5", "-set", "name="); err != nil {
		t.Fatal(err)
	}
	want := config{Open: true, Count: 3, Delay: time.Hour, Cache: 100, Level: slog.LevelDebug, Peers: []string{}, Limits: limits{Rate: 0.5, Burst: 4}}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
}

func TestFaultsInFlags(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"nmae=x", "setting nmae: there is no such setting; did you mean name?"},
		{"burst=1", "setting burst: there is no such setting; did you mean limits.burst?"},
		{"zebra=1", "setting zebra: there is no such setting (-print-config shows all)"},
		{"name", "-set name: want key=value"},
		{"open=maybe", `setting open: "maybe" is neither true nor false`},
		{"count=1.5", `setting count: "1.5" is not a whole number`},
		{"delay=5", `setting delay: "5" is not a duration such as "5ms" or "1h30m"`},
		{"cache=5MB", `setting cache: "5MB" is not a size such as "64MiB"`},
		{"limits.burst=256", "setting limits.burst: 256 is out of range"},
		{"limits.burst=-1", "setting limits.burst: -1 is out of range"},
		{"limits.rate=fast", `setting limits.rate: "fast" is not a number`},
	} {
		cfg := defaults()
		err := load(t, &cfg, "-set", c.set)
		wantFault(t, err, c.want)
	}
	cfg := defaults()
	wantFault(t, load(t, &cfg, "-nosuch"), "flag provided but not defined: -nosuch (-h shows the flags)")
	wantFault(t, load(t, &cfg, "-config", "/nonexistent"), "reading the settings: open /nonexistent: no such file or directory")
}

func TestFaultsInFiles(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"name = \"a\"\n\nnmae = \"b\"\n", ":3: setting nmae: there is no such setting; did you mean name?"},
		{"[limits]\nrate = 1\n# more\nbrust = 2\n", ":4: setting limits.brust: there is no such setting; did you mean limits.burst?"},
		{"[extra]\n", ":1: setting extra: there is no such setting (-print-config shows all)"},
		{"limits.burst = 300\n", ":1: setting limits.burst: 300 is out of range"},
		{"peers = [\n \"a\",\n 1]\n", `:1: setting peers: want a list of strings such as ["a", "b"]`},
		{"count = 1\n\n\npeers = [\n \"a\",\n 1]\nzzz = 1", `:4: setting peers: want a list of strings such as ["a", "b"]`},
		{"open = \"yes\"\n", ":1: setting open: want true or false"},
		{"count = \"1\"\n", ":1: setting count: want a whole number"},
		{"name = 1\n", ":1: setting name: want a string, in quotes"},
		{"delay = 5\n", `:1: setting delay: want a duration such as "5ms"`},
		{"cache = true\n", `:1: setting cache: want a size such as "64MiB"`},
		{"cache = -1\n", ":1: setting cache: -1 is negative"},
		{"log_level = 4\n", ":1: setting log_level: want a string, in quotes"},
		{"limits = 4\n", ":1: setting limits: there is no such setting (-print-config shows all)"},
		{"name = 'a'\nname = 'b'\n", ":2: Key 'name' has already been defined."},
	} {
		path := file(t, c.text)
		cfg := defaults()
		err := load(t, &cfg, "-config", path)
		wantFault(t, err, path+c.want)
	}
	cfg := defaults()
	path := file(t, "a = 1\nname \"x\"\n")
	if err := load(t, &cfg, "-config", path); err == nil || !strings.HasPrefix(err.Error(), path+":2: ") {
		t.Errorf("got %v, want a syntax error in line 2", err)
	}
}

func wantFault(t *testing.T, err error, want string) {
	t.Helper()
	var fault *settings.Error
	if !errors.As(err, &fault) {
		t.Fatalf("got %v, want a *settings.Error saying %s", err, want)
	}
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestInvalid(t *testing.T) {
	err := settings.Invalid("server_name", "%q has no host", ":1")
	wantFault(t, err, `setting server_name: ":1" has no host`)
}

func TestFaultsInTheStruct(t *testing.T) {
	for _, cfg := range []any{
		config{}, new(int),
		&struct {
			A string `toml:"a"`
		}{},
		&struct {
			A map[string]int `toml:"a" doc:"x"`
		}{},
		&struct {
			a string `toml:"a" doc:"x"` //lint:ignore U1000 read by reflection
		}{},
	} {
		_, err := settings.Load("program", cfg, nil, io.Discard)
		var fault *settings.Error
		if err == nil || errors.As(err, &fault) {
			t.Errorf("%T: got %v, want a programmer's error", cfg, err)
		}
	}
}
