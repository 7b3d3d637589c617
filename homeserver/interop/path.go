package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// lookup returns what stands at a path of a decoded JSON value. Members may be references to variables.
func lookup(value any, path string, v variables) (any, error) {
	for rest := path; rest != ""; {
		var part string
		part, rest = nextPart(rest)
		if index, ok := strings.CutPrefix(part, "["); ok {
			i, err := strconv.Atoi(index)
			list, isList := value.([]any)
			if i < 0 {
				i += len(list)
			}
			if err != nil || !isList || i < 0 || i >= len(list) {
				return nil, fmt.Errorf("there is nothing at %s", path)
			}
			value = list[i]
			continue
		}
		name, err := v.expand(part, unescaped)
		if err != nil {
			return nil, err
		}
		object, _ := value.(map[string]any)
		found, ok := object[name]
		if !ok {
			return nil, fmt.Errorf("there is nothing at %s", path)
		}
		value = found
	}
	return value, nil
}

// nextPart splits the first part off a path: a member's name, or "[" and the number of an element.
func nextPart(path string) (part, rest string) {
	path = strings.TrimPrefix(path, ".")
	if strings.HasPrefix(path, `["`) {
		part, rest, _ = strings.Cut(path[2:], `"]`)
		return part, rest
	}
	if strings.HasPrefix(path, "[") {
		part, rest, _ = strings.Cut(path, "]")
		return part, rest
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	return path[:end], path[end:]
}

// text is a value as it is kept in a variable.
func text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(encoded)
}
