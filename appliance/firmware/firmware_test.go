package firmware_test

import (
	"errors"
	"fmt"
	"testing"

	"hearth/appliance/firmware"
	"hearth/appliance/ota"
	"hearth/appliance/powercut"
)

// The cases are what loader.conf(5), systemd-boot(7) and the Boot Loader Specification say of the order.
func TestSystemdBoot(t *testing.T) {
	entry := func(kernel, more string) string { return "linux /" + kernel + "\noptions x\n" + more }
	for _, c := range []struct {
		name    string
		entries map[string]string
		conf    string
		want    string // the kernel
		left    string // a name that is there afterwards
	}{
		{"the greatest name first, whatever its keys", map[string]string{"x.conf": entry("a", "sort-key s\nversion 10\n"), "y.conf": entry("b", "sort-key t\nversion 9\n")}, "", "b", ""},
		{"names downwards", map[string]string{"x.conf": entry("a", ""), "y.conf": entry("b", "")}, "", "b", ""},
		{"no tries left comes last", map[string]string{"x.conf": entry("a", ""), "y+0-1.conf": entry("b", "")}, "", "a", "y+0-1.conf"},
		{"all are bad", map[string]string{"x+0.conf": entry("a", ""), "y+0-1.conf": entry("b", "")}, "", "b", "y+0-1.conf"},
		{"a try is counted", map[string]string{"x.conf": entry("a", ""), "y+1.conf": entry("b", "")}, "", "b", "y+0-1.conf"},
		{"tries are counted", map[string]string{"y+2-1.conf": entry("b", "")}, "", "b", "y+1-2.conf"},
		{"more tries first", map[string]string{"y+2.conf": entry("a", ""), "y+3.conf": entry("b", "")}, "", "b", "y+2-1.conf"},
		{"a default that is bad", map[string]string{"x.conf": entry("a", ""), "y+0-1.conf": entry("b", "")}, "default y.conf\n", "b", ""},
		{"no kernel", map[string]string{"x.conf": entry("a", ""), "y.conf": entry("none", "")}, "", "a", ""},
		{"no entry", map[string]string{"x.conf": entry("a", ""), "y.con": entry("b", ""), "z.conf.new": "linux"}, "", "a", ""},
	} {
		files := map[string]string{"a": "kernel", "b": "kernel", ota.LoaderSettings: c.conf}
		for name, text := range c.entries {
			files[ota.EntriesFolder+"/"+name] = text
		}
		boot := powercut.NewFAT(files, "")
		start, err := firmware.SystemdBoot(boot)
		if err != nil || start.Kernel != c.want || start.CommandLine != "x" {
			t.Errorf("%s: %+v, %v, want %s", c.name, start, err, c.want)
		}
		if _, ok := boot.Files()[ota.EntriesFolder+"/"+c.left]; c.left != "" && !ok {
			t.Errorf("%s: there is no %s", c.name, c.left)
		}
	}
	if _, err := firmware.SystemdBoot(powercut.NewFAT(nil, "")); !errors.Is(err, firmware.ErrNothing) {
		t.Errorf("nothing: %v", err)
	}
}

// The cases are what the documentation of config.txt and tryboot says.
func TestRaspberryPi(t *testing.T) {
	files := map[string]string{
		"config.txt":  "# comment\nkernel=vmlinuz\nos_prefix=a/\n",
		"tryboot.txt": "kernel=vmlinuz\r\nos_prefix=b/\r\n",
		"a/vmlinuz":   "kernel", "a/cmdline.txt": "slot a\n",
		"b/vmlinuz": "kernel", "b/cmdline.txt": "slot b\n",
	}
	for _, c := range []struct {
		without string
		try     bool
		want    string
	}{
		{"", false, "a/vmlinuz slot a"},
		{"", true, "b/vmlinuz slot b"},
		{"b/vmlinuz", true, ""}, // the prefix is ignored, and there is no kernel without it
		{"b/vmlinuz", false, "a/vmlinuz slot a"},
		{"tryboot.txt", true, ""},
		{"config.txt", false, ""},
	} {
		some := map[string]string{}
		for name, text := range files {
			if name != c.without {
				some[name] = text
			}
		}
		start, err := firmware.RaspberryPi(powercut.NewFAT(some, ""), c.try)
		got := fmt.Sprint(start.Kernel, " ", start.CommandLine)
		if c.want == "" && !errors.Is(err, firmware.ErrNothing) || c.want != "" && (err != nil || got != c.want) {
			t.Errorf("without %q, try %v: %s, %v, want %s", c.without, c.try, got, err, c.want)
		}
	}
}
