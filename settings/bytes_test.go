package settings_test

import (
	"math"
	"testing"

	"hearth/settings"
)

func TestBytes(t *testing.T) {
	for text, want := range map[string]settings.Bytes{
		"0": 0, "1": 1, "1023": 1023, "1KiB": 1 << 10, "1536": 1536, "3KiB": 3 << 10, "64MiB": 64 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40,
		"9223372036854775807": math.MaxInt64, "8388607TiB": 8388607 << 40,
	} {
		var got settings.Bytes
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
		var again settings.Bytes
		if err := again.UnmarshalText([]byte(want.String())); err != nil || again != want {
			t.Errorf("%d is written %s and read %d, %v", want, want, again, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5GiB", "1MB", "64 M", "8388608TiB", "9223372036854775808", "KiB1", "1KiBKiB"} {
		var got settings.Bytes
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %d, want an error", text, got)
		}
	}
	if got := settings.Bytes(64 << 20).String(); got != "64MiB" {
		t.Errorf("64 MiB is written %s", got)
	}
}

func FuzzBytes(f *testing.F) {
	f.Add("64MiB")
	f.Add("8388608TiB")
	f.Fuzz(func(t *testing.T, text string) {
		var b settings.Bytes
		if b.UnmarshalText([]byte(text)) != nil {
			return
		}
		var again settings.Bytes
		if err := again.UnmarshalText([]byte(b.String())); err != nil || again != b || b < 0 {
			t.Errorf("%q is %d, written %s, read %d, %v", text, b, b, again, err)
		}
	})
}
