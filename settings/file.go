package settings

import (
	"errors"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
)

// read applies the TOML text of file. Of several faults it reports the one that stands first. The hint is given with a key
// that is no setting.
func (fs fields) read(file, text, hint string) error {
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		return syntaxError(file, err)
	}
	var faults []*Error
	eachLeaf(tree, nil, func(path []string, value any) {
		key := strings.Join(path, ".")
		if err := fs.assignKey(key, value, hint); err != nil {
			faults = append(faults, &Error{Key: key, File: file, Line: lineOf(text, path), Err: err})
		}
	})
	if len(faults) == 0 {
		return nil
	}
	sort.Slice(faults, func(i, j int) bool { return faults[i].Line < faults[j].Line })
	return faults[0]
}

func (fs fields) assignKey(key string, value any, hint string) error {
	f, ok := fs.find(key)
	if !ok {
		return fs.unknown(key, hint)
	}
	return f.assign(value)
}

// eachLeaf calls do with every value of tree that is not itself a table with keys. Order is arbitrary.
func eachLeaf(tree map[string]any, path []string, do func(path []string, value any)) {
	for key, value := range tree {
		at := append(path[:len(path):len(path)], key)
		if table, ok := value.(map[string]any); ok && len(table) > 0 {
			eachLeaf(table, at, do)
			continue
		}
		do(at, value)
	}
}

func syntaxError(file string, err error) error {
	var syntax toml.ParseError
	if !errors.As(err, &syntax) {
		return &Error{File: file, Err: err}
	}
	message := syntax.Message
	if message == "" {
		message = strings.TrimPrefix(syntax.Error(), "toml: ")
	}
	return &Error{File: file, Line: syntax.Position.Line, Err: errors.New(message)}
}

// lineOf returns the line of text, from 1, on which the statement that defines path begins. The TOML library
// keeps positions to itself, so text is read again a line more at a time until path is there. Lines that end
// in the middle of a statement do not parse, so the statement begins after the last prefix that did.
// It is only used to report a fault.
func lineOf(text string, path []string) int {
	lines := strings.SplitAfter(text, "\n")
	begin := 1
	for n := range lines {
		var tree map[string]any
		meta, err := toml.Decode(strings.Join(lines[:n+1], ""), &tree)
		if err != nil {
			continue
		}
		if meta.IsDefined(path...) {
			return begin
		}
		begin = n + 2
	}
	return 0
}
