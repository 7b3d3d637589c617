package settings_test

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"hearth/settings"
)

const printed = `# What it is called.
name = "b\"x"

# Whether all may enter.
open = false

# How many.
count = 3

# How long to wait.
delay = "5ms"

# Memory kept for reads. It is a bound, and what is read beyond it goes to the disk, which takes
# longer but harms nobody.
cache = "8MiB"

# Least level that is logged.
log_level = "INFO"

# Whom to ask.
peers = []

# For tests.
# secret is set, and not shown

# Requests a second.
limits.rate = 2.5

# Requests at once.
limits.burst = 4
`

func TestPrintConfig(t *testing.T) {
	cfg := defaults()
	var out strings.Builder
	_, err := settings.Load("program", &cfg, []string{"-print-config", "-set", `name=b"x`, "-set", "secret=hush"}, &out)
	if !errors.Is(err, settings.ErrPrinted) {
		t.Fatal(err)
	}
	if out.String() != printed {
		t.Errorf("got\n%s\nwant\n%s", out.String(), printed)
	}
}

func TestPrintedConfigReadsBack(t *testing.T) {
	cfg := defaults()
	cfg.Peers, cfg.Limits.Rate, cfg.Name = []string{"x", "ü \x01"}, 1, "a\nb"
	var out strings.Builder
	if _, err := settings.Load("program", &cfg, []string{"-print-config"}, &out); !errors.Is(err, settings.ErrPrinted) {
		t.Fatal(err)
	}
	var again config
	if _, err := settings.Load("program", &again, []string{"-config", file(t, out.String())}, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, cfg) {
		t.Errorf("got  %+v\nwant %+v", again, cfg)
	}
}

func TestHelp(t *testing.T) {
	cfg := defaults()
	var out strings.Builder
	if _, err := settings.Load("program", &cfg, []string{"-h"}, &out); !errors.Is(err, settings.ErrPrinted) {
		t.Fatal(err)
	}
	for _, want := range []string{"Usage of program:", "-config FILE", "-set KEY=VALUE", "-print-config", "# How long to wait.\ndelay = \"5ms\""} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestPrintingFails(t *testing.T) {
	cfg := defaults()
	for _, flag := range []string{"-h", "-print-config"} {
		_, err := settings.Load("program", &cfg, []string{flag}, closedWriter{})
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: got %v, want the writer's error", flag, err)
		}
	}
}

type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
