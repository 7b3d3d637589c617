package firmware

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"hearth/appliance/ota"
)

// entry is one of the boot loader's, by the Boot Loader Specification.
type entry struct {
	file    string            // its name in the folder
	id      string            // the same, without the count
	counted bool              // it has a count
	left    uint64            // tries that are left, if it has
	done    uint64            // tries that were made
	keys    map[string]string // its lines
}

// bad reports whether the entry has been tried as often as it may.
func (e *entry) bad() bool { return e.counted && e.left == 0 }

// SystemdBoot chooses as systemd-boot does, and counts the start by renaming the entry, as it does.
//
// From loader.conf(5), systemd-boot(7) and what version 250 does, which knows no sort-key yet: what is named *.conf in the folder,
// and whose kernel is there, is an entry. Those without tries left come last; then the name decides, greatest first; then those
// with more tries left. A default of loader.conf is taken whatever its count says. Otherwise the first is started.
func SystemdBoot(boot ota.Boot) (Start, error) {
	names, err := boot.List(ota.EntriesFolder)
	if err != nil {
		return Start{}, err
	}
	var all []*entry
	for _, name := range names {
		if e := readEntry(boot, name); e != nil {
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		return Start{}, fmt.Errorf("%w: there is no entry", ErrNothing)
	}
	slices.SortFunc(all, compare)
	e := all[0]
	conf, _ := read(boot, ota.LoaderSettings)
	if name, ok := lines(conf)["default"]; ok {
		if i := slices.IndexFunc(all, func(e *entry) bool { return e.id == name }); i >= 0 {
			e = all[i]
		}
	}
	if err := count(boot, e); err != nil {
		return Start{}, err
	}
	return Start{Kernel: strings.TrimPrefix(e.keys["linux"], "/"), CommandLine: e.keys["options"]}, nil
}

// readEntry returns nil for what is not an entry that can be started.
func readEntry(boot ota.Boot, name string) *entry {
	stem, ok := strings.CutSuffix(name, ".conf")
	if !ok {
		return nil
	}
	e := &entry{file: name}
	base, tries, found := strings.Cut(stem, "+")
	left, done, _ := strings.Cut(tries, "-")
	var err error
	if found {
		e.left, err = strconv.ParseUint(left, 10, 32)
		if done != "" && err == nil {
			e.done, err = strconv.ParseUint(done, 10, 32)
		}
	}
	if err != nil { // the whole is a name
		base, found, e.left, e.done = stem, false, 0, 0
	}
	e.counted, e.id = found, base+".conf"
	text, ok := read(boot, ota.EntriesFolder+"/"+name)
	e.keys = lines(text)
	if kernel := e.keys["linux"]; !ok || kernel == "" || !exists(boot, strings.TrimPrefix(kernel, "/")) {
		return nil
	}
	return e
}

// lines reads lines of a key, blanks and a value.
func lines(text string) map[string]string {
	found := make(map[string]string)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if i := strings.IndexAny(line, " \t"); i > 0 && line[0] != '#' {
			found[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return found
}

// compare orders entries: what is started first comes first.
func compare(a, b *entry) int {
	if a.bad() != b.bad() {
		return order(a.bad())
	}
	return cmp.Or(cmp.Compare(b.id, a.id), cmp.Compare(b.left, a.left), cmp.Compare(a.done, b.done))
}

// order is the comparison of what has a fault with what has not, or the other way round.
func order(first bool) int {
	if first {
		return 1
	}
	return -1
}

// count takes one of the entry's tries before it is started. That it cannot be renamed is no reason not to start it.
func count(boot ota.Boot, e *entry) error {
	if !e.counted || e.left == 0 {
		return nil
	}
	stem := strings.TrimSuffix(e.id, ".conf")
	next := fmt.Sprintf("%s/%s+%d-%d.conf", ota.EntriesFolder, stem, e.left-1, e.done+1)
	if err := boot.Rename(ota.EntriesFolder+"/"+e.file, next); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	return boot.Sync()
}
