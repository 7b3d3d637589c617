package main

import (
	"os"
	"path/filepath"
	"testing"

	"hearth/appliance/agent"
	"hearth/appliance/boxtest"
)

// prepareBox turns on a box of this laptop's owner, that nobody has spoken to yet.
func prepareBox(t *testing.T) {
	t.Helper()
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CONFIG_HOME", home)
	laptop, err := agent.OpenLaptop()
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := laptop.Key()
	if err != nil {
		t.Fatal(err)
	}
	versions := []boxtest.Version{{Name: "1.0", Number: 10}, {Name: "1.1", Number: 11}, {Name: "1.2", Number: 12, Mute: true}}
	b := boxtest.Start(t, boxtest.Options{UEFI: true, Owner: key, Versions: versions})
	t.Setenv("BOX", b.Address)
	for _, v := range append(versions[1:], boxtest.Version{Name: "old", Number: 9}) {
		writeTestFile(t, v.Name+".bundle", v.Bundle(t, key))
	}
	writeTestFile(t, filepath.Join(b.Logs, "0000000000000001.log"), []byte("storage: one\nhomeserver: two\nhomeserver: three\n"))
}
