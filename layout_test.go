// Package hearth_test holds this repository to its own rules: where a package stands, what it may import, how it is documented.
package hearth_test

import (
	"go/doc"
	"path"
	"slices"
	"strings"
	"testing"
)

// layout lists every package, in the order in which they may import each other: a package imports only
// packages above it. A program's own package comes after its subfolders. A ● marks what is pure: no
// network, disk, clock, randomness, locks or logging. Packages that do not exist yet keep their place.
const layout = `
settings
process
confinement

storage/blob ●
storage/blobtest
storage/merkle ●
storage/badgerstore
storage/socket
storage

dnsprimary/dnstest
dnsprimary/zone ●
dnsprimary/resolver
dnsprimary/dnssec ●
dnsprimary/primary ●
dnsprimary/transport
dnsprimary/certs
dnsprimary
dnsprimary/load

matrix ●
matrix/event ●
matrix/authrules ●
matrix/stateres ●
matrix/wire

homeserver/store
homeserver/remote
homeserver/account
homeserver/room
homeserver/timeline
homeserver/directory
homeserver/search
homeserver/media
homeserver/e2ee
homeserver/push
homeserver/presence
homeserver/clientsync
homeserver/report
homeserver/notice
homeserver/appservice
homeserver/federation
homeserver/contract
homeserver/ratelimit
homeserver/administration
homeserver/operator
homeserver/clientapi
homeserver
homeserver/rig
homeserver/interop
homeserver/load

appliance/box
appliance/clock
appliance/network
appliance/journal
appliance/health
appliance/boot
appliance/supervise
appliance/gpt ●
appliance/fat32 ●
appliance/squashfs ●
appliance/ext4 ●
appliance/fsck ●
appliance/disk
appliance/flash
appliance/ota
appliance/image
appliance/firmware
appliance/vm
appliance/powercut
appliance/agent
appliance/boxtest
appliance

cibot
`

// meetings lists what a program's packages may import of other programs. All may import settings and process, and appliance confinement.
func meetings() map[string][]string {
	store := []string{"storage/blob", "storage/merkle", "storage/socket"}
	protocol := []string{"matrix", "matrix/event", "matrix/authrules", "matrix/stateres", "matrix/wire"}
	return map[string][]string{
		"dnsprimary": store,
		"homeserver": slices.Concat(store, protocol, []string{"dnsprimary/certs", "dnsprimary/resolver"}),
		"cibot":      protocol,
		"appliance":  slices.Concat(store, []string{"matrix", "matrix/wire"}),
	}
}

// owners lists the big dependencies, by import path and what lies below it, and the packages that own them.
func owners() map[string][]string {
	return map[string][]string{
		"github.com/dgraph-io/badger": {"storage/badgerstore"},
		"github.com/BurntSushi/toml":  {"settings"},
		"github.com/quic-go":          {"dnsprimary/transport", "dnsprimary/peers", "homeserver"},
		"github.com/miekg/dns":        {"dnsprimary", "dnsprimary/..."},
		"github.com/gokrazy":          {"appliance", "appliance/..."},
		"github.com/caddyserver":      {"dnsprimary/certs"},
		"github.com/vishvananda":      {"appliance/network"},
		"github.com/insomniacslk":     {"appliance/network"},
		"github.com/beevik/ntp":       {"appliance/clock"},
		"github.com/klauspost":        {"appliance/squashfs"},

		"github.com/santhosh-tekuri/jsonschema": {"homeserver/contract"},
		"go.yaml.in/yaml":                       {"homeserver/contract"},
	}
}

func order() (names []string, pure map[string]bool) {
	pure = make(map[string]bool)
	for line := range strings.Lines(layout) {
		name, mark, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		names = append(names, name)
		pure[name] = mark == "●"
	}
	return names, pure
}

func TestEveryPackageIsInTheList(t *testing.T) {
	names, _ := order()
	for _, p := range packages(t) {
		if !p.testOnly() && !slices.Contains(names, p.dir) {
			t.Errorf("%s is not in the layout: say where it stands", p.dir)
		}
		if want := path.Base(p.dir); p.name != want && p.name != "main" && p.dir != "." {
			t.Errorf("%s holds package %s, want %s", p.dir, p.name, want)
		}
		if strings.Count(p.dir, "/") > 2 {
			t.Errorf("%s is deeper than 3", p.dir)
		}
	}
}

func TestPackagesImportOnlyWhatStandsAboveThem(t *testing.T) {
	names, _ := order()
	for _, p := range packages(t) {
		for _, imported := range p.ours() {
			if slices.Index(names, imported) >= slices.Index(names, p.dir) {
				t.Errorf("%s imports %s, which does not stand above it", p.dir, imported)
			}
		}
	}
}

func TestProgramsMeetOnlyWhereStated(t *testing.T) {
	allowed := meetings()
	for _, p := range packages(t) {
		program := first(p.dir)
		for _, imported := range p.ours() {
			switch {
			case first(imported) == program, imported == "settings", imported == "process" && program != "settings", imported == "confinement" && program == "appliance":
			case !slices.Contains(allowed[program], imported):
				t.Errorf("%s imports %s: %s may import only %v of other programs", p.dir, imported, program, allowed[program])
			}
		}
	}
}

func first(dir string) string {
	program, _, _ := strings.Cut(dir, "/")
	return program
}

func TestPurePackagesArePure(t *testing.T) {
	_, pure := order()
	for _, p := range packages(t) {
		if !pure[p.dir] {
			continue
		}
		for _, imported := range p.ours() {
			if !pure[imported] {
				t.Errorf("%s is pure and imports %s, which is not", p.dir, imported)
			}
		}
		for _, f := range p.files {
			checkPure(t, f)
		}
	}
}

func TestEachBigDependencyHasOneOwner(t *testing.T) {
	for dependency, who := range owners() {
		for _, p := range packages(t) {
			for _, f := range slices.Concat(p.files, p.tests) {
				for _, imported := range f.imports() {
					if below(imported, dependency) && !slices.ContainsFunc(who, func(owner string) bool { return matches(p.dir, owner) }) {
						t.Errorf("%s imports %s, which belongs to %v", f.path, imported, who)
					}
				}
			}
		}
	}
}

// below reports whether an import path is prefix or lies below it.
func below(importPath, prefix string) bool {
	return importPath == prefix || strings.HasPrefix(importPath, prefix+"/")
}

// matches reports whether dir is the pattern, or lies below it if that ends with "/...".
func matches(dir, pattern string) bool {
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return strings.HasPrefix(dir, tree+"/")
	}
	return dir == pattern
}

func TestEveryPackageHasOneSentenceInOnePlace(t *testing.T) {
	for _, p := range packages(t) {
		if p.testOnly() {
			continue
		}
		var docs []file
		for _, f := range p.files {
			if f.syntax.Doc != nil {
				docs = append(docs, f)
			}
		}
		if len(docs) != 1 {
			t.Errorf("%s has its doc in %d files, want 1", p.dir, len(docs))
			continue
		}
		checkSentence(t, p, docs[0])
	}
}

func checkSentence(t *testing.T, p *pkg, f file) {
	t.Helper()
	kind, name := "Package", p.name
	if p.name == "main" {
		kind, name = "Command", path.Base(p.dir)
	}
	paragraph, _, _ := strings.Cut(f.syntax.Doc.Text(), "\n\n")
	sentence := strings.Join(strings.Fields(paragraph), " ")
	if !strings.HasPrefix(sentence, kind+" "+name) || !strings.HasSuffix(sentence, ".") {
		t.Errorf("%s: the doc begins %q, want a sentence beginning with \"%s %s\"", f.path, sentence, kind, name)
	}
	if first := new(doc.Package).Synopsis(f.syntax.Doc.Text()); first != sentence {
		t.Errorf("%s: the doc's first paragraph is more than one sentence, of which the first is %q", f.path, first)
	}
}

func TestNames(t *testing.T) {
	forbidden := strings.Fields("api base cmd common core helper helpers internal lib misc perform pkg query shared types util utils")
	for _, p := range packages(t) {
		for name := range strings.SplitSeq(p.dir, "/") {
			if slices.Contains(forbidden, name) {
				t.Errorf("%s: %s says nothing about what is in it", p.dir, name)
			}
		}
	}
}
