package box

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Setting is a line of a hearth.txt.
type Setting struct {
	Key, Value string
	Line       int // counted from 1
}

// ParseSettings reads a hearth.txt. A fault names its line.
func ParseSettings(text []byte) ([]Setting, error) {
	if len(text) > LongestSettings {
		return nil, fmt.Errorf("it has more than %d bytes", LongestSettings)
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("it is not UTF-8 text")
	}
	var all []Setting
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) { // which editors on Windows put first
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, found := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !found || key == "" || strings.ContainsAny(key, " \t\"'") {
			return nil, fmt.Errorf("line %d: want KEY = VALUE", number)
		}
		all = append(all, Setting{key, value, number})
	}
	return all, nil
}
