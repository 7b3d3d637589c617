package hearth_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheReadmeIsTrue checks that what README.md names is there: folders, files, functions and make's targets.
func TestTheReadmeIsTrue(t *testing.T) {
	readme := readFile(t, "README.md")
	makefile := readFile(t, "Makefile")
	for _, m := range regexp.MustCompile(`make ([a-z]+(?: [a-z]+)?)\b`).FindAllStringSubmatch(code(readme), -1) {
		for target := range strings.FieldsSeq(m[1]) {
			if !strings.Contains(makefile, "\n"+target+": ") {
				t.Errorf("make %s: there is no such target", target)
			}
		}
	}
	for _, m := range regexp.MustCompile("`((?:storage|dnsprimary|homeserver|matrix|appliance)(?:/[a-z0-9]+)?)`(?: \\(`([A-Za-z_.]+)`\\))?").FindAllStringSubmatch(readme, -1) {
		checkNamed(t, m[1], m[2])
	}
	if lines := strings.Count(readme, "\n"); lines > 90 {
		t.Errorf("README.md has %d lines, which is more than a page", lines)
	}
}

// code returns what stands in backticks or is indented.
func code(markdown string) string {
	return strings.Join(regexp.MustCompile("(?m)`[^`]+`|^    .*$").FindAllString(markdown, -1), "\n")
}

// checkNamed checks that the package in a folder is there, and has a file or a function of the name given.
func checkNamed(t *testing.T, dir, name string) {
	t.Helper()
	all := packages(t)
	i := slices.IndexFunc(all, func(p *pkg) bool { return p.dir == dir })
	switch {
	case i < 0:
		t.Errorf("there is no package %s", dir)
	case strings.HasSuffix(name, ".go"):
		readFile(t, dir+"/"+name)
	case name != "" && !all[i].declares(name):
		t.Errorf("package %s has no %s", dir, name)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// TestTheMakefileExplainsItself checks that make help has a line for every target that a person calls.
func TestTheMakefileExplainsItself(t *testing.T) {
	makefile := readFile(t, "Makefile")
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+):(.*)$`).FindAllStringSubmatch(makefile, -1) {
		if m[1] != "needs" && !strings.Contains(m[2], "## ") {
			t.Errorf("the target %s has no line for make help", m[1])
		}
	}
}
