package hearth_test

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// pkg is one folder of Go files as they are on disk, whether or not it compiles.
type pkg struct {
	dir   string // slashed, from the repository's root
	name  string
	fset  *token.FileSet
	files []file // without tests
	tests []file
}

type file struct {
	path   string
	fset   *token.FileSet
	syntax *ast.File
}

// packages returns every folder of Go files in the repository, in alphabetical order. They are read once.
func packages(t *testing.T) []*pkg {
	t.Helper()
	all, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var tree = sync.OnceValues(readTree)

func readTree() ([]*pkg, error) {
	var all []*pkg
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		base := d.Name()
		if name != "." && (strings.HasPrefix(base, ".") || slices.Contains([]string{"bin", "data", "node_modules", "testdata"}, base)) {
			return fs.SkipDir
		}
		p, err := readPackage(filepath.ToSlash(name))
		if p != nil {
			all = append(all, p)
		}
		return err
	})
	return all, err
}

func readPackage(dir string) (*pkg, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	p := &pkg{dir: dir, fset: token.NewFileSet()}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			continue
		}
		syntax, err := parser.ParseFile(p.fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if ignored(syntax) {
			continue
		}
		p.name = strings.TrimSuffix(syntax.Name.Name, "_test")
		f := file{name, p.fset, syntax}
		if strings.HasSuffix(name, "_test.go") {
			p.tests = append(p.tests, f)
		} else {
			p.files = append(p.files, f)
		}
	}
	if p.name == "" {
		return nil, nil
	}
	return p, nil
}

// ignored reports whether a file is kept out of every build, by //go:build ignore, or by //go:build pinned, which only
// go mod tidy reads.
func ignored(syntax *ast.File) bool {
	for _, group := range syntax.Comments {
		for _, comment := range group.List {
			if expr, err := constraint.Parse(comment.Text); err == nil && comment.Pos() < syntax.Package {
				return expr.String() == "ignore" || expr.String() == "pinned"
			}
		}
	}
	return false
}

func (p *pkg) testOnly() bool { return len(p.files) == 0 }

// ours returns the packages of this repository that p imports, outside its tests, as folders.
func (p *pkg) ours() []string {
	var ours []string
	for _, f := range p.files {
		for _, imported := range f.imports() {
			if dir, ok := strings.CutPrefix(imported, "hearth/"); ok && !slices.Contains(ours, dir) {
				ours = append(ours, dir)
			}
		}
	}
	return ours
}

func (f file) imports() []string {
	var paths []string
	for _, spec := range f.syntax.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// nameOf returns the name under which f imports a package, "" if it does not.
func (f file) nameOf(importPath string) string {
	for _, spec := range f.syntax.Imports {
		if p, _ := strconv.Unquote(spec.Path.Value); p == importPath {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return path.Base(importPath)
		}
	}
	return ""
}

// at returns where n stands, as file:line:column.
func (f file) at(n ast.Node) string { return f.fset.Position(n.Pos()).String() }

// declares reports whether p has the function, or the method as Type.Method.
func (p *pkg) declares(name string) bool {
	for _, f := range p.files {
		for _, decl := range f.syntax.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			full := fn.Name.Name
			if fn.Recv != nil {
				full = strings.TrimPrefix(types.ExprString(fn.Recv.List[0].Type), "*") + "." + full
			}
			if full == name || strings.HasSuffix(full, "."+name) {
				return true
			}
		}
	}
	return false
}
