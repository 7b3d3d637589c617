package hearth_test

import (
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
	"testing"
)

// checkPure reports what in f depends on anything but its arguments.
func checkPure(t *testing.T, f file) {
	t.Helper()
	for _, imported := range f.imports() {
		allowed := imported == "net/netip" || imported == "net/url"
		for _, impure := range strings.Fields("net os sync log math/rand crypto/rand syscall runtime unsafe testing") {
			if below(imported, impure) && !allowed {
				t.Errorf("%s is in a pure package and imports %s", f.path, imported)
			}
		}
	}
	clock := strings.Fields("Now Since Until Sleep After AfterFunc Tick NewTimer NewTicker")
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == f.nameOf("time") && slices.Contains(clock, selector.Sel.Name) {
			t.Errorf("%s: time.%s in a pure package: take the time as an argument", f.at(n), selector.Sel.Name)
		}
		return true
	})
}

func TestNoInit(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range slices.Concat(p.files, p.tests) {
			for _, decl := range f.syntax.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: init() runs unasked; call it from where it is needed", f.at(fn))
				}
			}
		}
	}
}

func TestNoBlankImports(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range slices.Concat(p.files, p.tests) {
			for _, spec := range f.syntax.Imports {
				if spec.Name != nil && spec.Name.Name == "_" && spec.Path.Value != `"embed"` {
					t.Errorf("%s: import _ %s registers something unseen", f.at(spec), spec.Path.Value)
				}
			}
		}
	}
}

// TestPackageVariablesDoNotChange finds assignments to package variables, their fields and elements, and
// package variables whose type is made for changing.
func TestPackageVariablesDoNotChange(t *testing.T) {
	for _, p := range packages(t) {
		info := p.resolve()
		for _, f := range p.files {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				for _, target := range targets(n) {
					if v := root(target, info); v != nil && v.Parent() == v.Pkg().Scope() {
						t.Errorf("%s: the package variable %s changes here", f.at(n), v.Name())
					}
				}
				return true
			})
			checkVariableTypes(t, f)
		}
	}
}

// targets returns the expressions that statement n changes.
func targets(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		return n.Lhs
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return []ast.Expr{n.Key, n.Value}
		}
	}
	return nil
}

// root returns the variable that e is, or is a part of.
func root(e ast.Expr, info *types.Info) *types.Var {
	switch e := e.(type) {
	case *ast.Ident:
		v, _ := info.Uses[e].(*types.Var)
		return v
	case *ast.SelectorExpr:
		return root(e.X, info)
	case *ast.IndexExpr:
		return root(e.X, info)
	case *ast.StarExpr:
		return root(e.X, info)
	case *ast.ParenExpr:
		return root(e.X, info)
	}
	return nil
}

func checkVariableTypes(t *testing.T, f file) {
	t.Helper()
	for _, decl := range f.syntax.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, spec := range group.Specs {
			spec := spec.(*ast.ValueSpec)
			switch typ := types.ExprString(orNil(spec.Type)); {
			case strings.HasPrefix(typ, "atomic."), slices.Contains(strings.Fields("sync.Mutex sync.RWMutex sync.Once sync.Map sync.WaitGroup"), typ):
				t.Errorf("%s: a package variable of type %s is there to be changed", f.at(spec), typ)
			}
		}
	}
}

func orNil(e ast.Expr) ast.Expr {
	if e == nil {
		return ast.NewIdent("nil")
	}
	return e
}

// resolve tells what each identifier of p means, as far as that can be known without reading its imports.
func (p *pkg) resolve() *types.Info {
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object)}
	config := types.Config{Importer: hollow{}, Error: func(error) {}}
	var files []*ast.File
	for _, f := range p.files {
		files = append(files, f.syntax)
	}
	config.Check(p.dir, p.fset, files, info) // its errors are all about what the imports would have said
	return info
}

// hollow imports every package as an empty one.
type hollow struct{}

func (hollow) Import(importPath string) (*types.Package, error) {
	p := types.NewPackage(importPath, path.Base(importPath))
	p.MarkComplete()
	return p, nil
}
