package settings_test

import (
	"errors"
	"testing"

	"hearth/settings"
)

func TestReadFile(t *testing.T) {
	cfg := defaults()
	path := file(t, "name = \"pi\"\n\n[limits]\nrate = 1\n")
	read, err := settings.ReadFile(path, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Name != "pi" || cfg.Limits.Rate != 1 || cfg.Limits.Burst != 4 {
		t.Errorf("read %+v", cfg)
	}
	for key, line := range map[string]int{"name": 1, "limits.rate": 4, "count": 0} {
		var fault *settings.Error
		if err := read.Invalid(key, "it is %s", "wrong"); !errors.As(err, &fault) || fault.Line != line || fault.File != path {
			t.Errorf("a fault of %s: got %v, want line %d", key, err, line)
		}
	}
}

func TestReadFileFaults(t *testing.T) {
	for text, want := range map[string]string{
		"open = true\nzebra = 1\n": ":2: setting zebra: there is no such setting; there are name, open, count, delay, cache, log_level, peers, secret, limits.rate, limits.burst",
		"nmae = \"x\"\n":           ":1: setting nmae: there is no such setting; did you mean name?",
		"count = \"x\"\n":          ":1: setting count: want a whole number",
	} {
		cfg := defaults()
		path := file(t, text)
		_, err := settings.ReadFile(path, &cfg)
		wantFault(t, err, path+want)
	}
}
